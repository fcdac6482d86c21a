/* SPDX-License-Identifier: MIT
 *
 * test_server_storm.c - many clients that come and go as they like: those that stay get their
 * answers, and nothing is left of the others.
 */
#include "site.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 24, ROUNDS = 60 };

static struct site site;

static int pause_then_answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_sleep(ctx, BELAY_US(atoi(belay_request_query(req, "us"))));

	return r < 0 ? r : belay_response_puts(ctx, res, belay_request_query(req, "id"));
}

static int stream(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = 0;

	for (int i = 0; i < 50 && r == 0; i++) {
		r = belay_response_printf(ctx, res, "data: %d\n\n", i);
		if (r == 0)
			r = belay_response_flush(ctx, res);
		if (r == 0)
			r = belay_sleep(ctx, BELAY_US(50));
	}
	return r;
}

/* One request, left in the middle or answered. */
static void ask_once(int fd, unsigned *seed, unsigned id)
{
	char text[256], want[32];
	struct reply *reply;

	snprintf(want, sizeof want, "%u", id);
	snprintf(text, sizeof text, "GET /%s?us=%d&id=%u%s HTTP/1.1\r\nHost: x\r\n\r\n",
		 rand_r(seed) % 4 ? "pause" : "stream", rand_r(seed) % 500, id,
		 rand_r(seed) % 4 ? "" : "&timeout=200us");
	if (rand_r(seed) % 5 == 0) {
		raw_send_bytes(fd, text, (size_t)rand_r(seed) % strlen(text));
		return;
	}
	raw_send(fd, text);
	if (rand_r(seed) % 3 == 0)
		return;
	if (strstr(text, "stream"))
		return;
	reply = malloc(sizeof *reply);
	raw_read_reply(fd, reply, false);
	check(reply->status == 503 || (reply->status == 200 && strcmp(reply->body, want) == 0));
	free(reply);
}

static void *come_and_go(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		int fd = site_dial(&site);

		ask_once(fd, &seed, seed);
		close(fd);
	}
	return NULL;
}

static void clients_that_come_and_go_leave_nothing_behind(void **state)
{
	pthread_t threads[CLIENTS];

	site_init(&site);
	check(belay_router_use(site.router, belay_http_deadline, NULL) == 0);
	check(belay_router_add(site.router, "GET /pause", pause_then_answer, NULL) == 0);
	check(belay_router_add(site.router, "GET /stream", stream, NULL) == 0);
	site_start(&site, belay_background(), NULL);
	for (uintptr_t i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, (void *)(i + 1)),
				 0);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	assert_true(check_until(belay_server_connections(site.server) == 0));
	site_stop(&site);
}

BELAY_TEST_MAIN(cmocka_unit_test(clients_that_come_and_go_leave_nothing_behind))
