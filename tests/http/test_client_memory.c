/* SPDX-License-Identifier: MIT
 *
 * test_client_memory.c - an exchange in which each allocation fails in turn, curl's own included.
 */
#include "client_peer.h"

#include "check_oom.h"

#include "base/alloc.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>

static const char body[] = "0123456789";

static void answer(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);

	while (peer_read(peer, fd, request))
		peer_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Tag: a\r\n\r\n"
			      "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n");
	free(request);
}

/* Before the client does it itself: then its call only counts. */
static int let_curl_allocate_from_us(void **state)
{
	(void)state;
	return curl_global_init_mem(CURL_GLOBAL_DEFAULT, belay__malloc, belay__free, belay__realloc,
				    belay__strdup, belay__calloc) != CURLE_OK;
}

static int forget_curl(void **state)
{
	(void)state;
	curl_global_cleanup();
	return 0;
}

/* Each of them allocates something of its own. */
static const struct belay_http_client_options everything = {
	.no_proxy = "a.invalid",
	.user_agent = "agent",
	.proxy_from_environment = true,
	.retry = {.most = 1},
	.decoded_most = 1 << 20,
};

struct work {
	struct peer *peer;
	int (*send)(belay_ctx *ctx, belay_http_client *client, const char *url,
		    belay_http_reply **ret);
	unsigned whole, failed;
};

/* curl has other words than "out of memory" for some of its failures; but none of the context's. */
static bool is_failure(int err)
{
	return check(err < 0 && err != -ECANCELED && err != -ETIME && err != -ETIMEDOUT);
}

static const struct belay_http_header header = {"X-Mine", "1"};

static int send_whole(belay_ctx *ctx, belay_http_client *client, const char *url,
		      belay_http_reply **ret)
{
	const struct belay_http_call call = {.url = url,
					     .headers = &header,
					     .header_count = 1,
					     .body = body,
					     .body_size = sizeof body};

	return belay_http_send(ctx, client, &call, ret);
}

static int write_body(belay_ctx *ctx, belay_http_reply *reply)
{
	int err = belay_http_write(ctx, reply, body, sizeof body);

	if (err == 0)
		err = belay_http_finish(reply);
	return err && err != -EPIPE ? err : belay_http_reply_await(ctx, reply);
}

static int send_as_written(belay_ctx *ctx, belay_http_client *client, const char *url,
			   belay_http_reply **ret)
{
	const struct belay_http_call call = {.url = url, .headers = &header, .header_count = 1};
	belay_http_reply *reply;
	int err = belay_http_begin(ctx, client, &call, sizeof body, &reply);

	if (err)
		return err;
	err = write_body(ctx, reply);
	if (err)
		belay_http_reply_end(reply);
	else
		*ret = reply;
	return err;
}

static int exchange(belay_ctx *ctx, belay_http_client *client, const struct work *work, char **data)
{
	belay_http_reply *reply;
	int err = work->send(ctx, client, work->peer->url, &reply);

	if (err)
		return err;
	err = belay_http_reply_read_all(ctx, reply, 100, data, NULL);
	belay_http_reply_end(reply);
	return err;
}

static void exchange_from_nothing(void *arg)
{
	struct work *work = arg;
	belay_http_client *client;
	char *data = NULL;
	int err = belay_http_client_new(&everything, &client);

	if (err == 0) {
		err = exchange(belay_background(), client, work, &data);
		belay_http_client_close(client);
	}
	if (err == 0)
		work->whole++, check(memcmp(data, body, 10) == 0);
	else
		work->failed++, is_failure(err);
	free(data);
	belay_shutdown();
}

static void each_failed_allocation_is_survived(struct work work)
{
	struct peer peer;
	long failed;

	work.peer = &peer;
	peer_start(&peer, answer, NULL);
	failed = check_each_allocation(exchange_from_nothing, &work);
	assert_true(failed > 50);
	assert_true(work.failed > 0);
	assert_true(work.whole > 0);
	peer_stop(&peer);
}

static void an_exchange_survives_each_failed_allocation(void **state)
{
	(void)state;
	each_failed_allocation_is_survived((struct work){.send = send_whole});
}

static void so_does_one_whose_body_is_written_as_it_is_sent(void **state)
{
	(void)state;
	each_failed_allocation_is_survived((struct work){.send = send_as_written});
}

BELAY_TEST_MAIN(cmocka_unit_test_setup_teardown(an_exchange_survives_each_failed_allocation,
						let_curl_allocate_from_us, forget_curl),
		cmocka_unit_test_setup_teardown(so_does_one_whose_body_is_written_as_it_is_sent,
						let_curl_allocate_from_us, forget_curl))
