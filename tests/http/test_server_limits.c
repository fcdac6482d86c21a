/* SPDX-License-Identifier: MIT
 *
 * test_server_limits.c - what a server does not take: too much, too slow, too many, and what is no
 * HTTP.
 */
#include "site.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct site site;

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "fine");
}

static int read_body(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body;
	size_t size;
	int r = belay_request_body(ctx, req, &body, &size);

	return r < 0 ? r : belay_response_printf(ctx, res, "%zu", size);
}

static int set_up(void **state)
{
	site_init(&site);
	check(belay_router_add(site.router, "GET /", answer, NULL) == 0);
	check(belay_router_add(site.router, "POST /read", read_body, NULL) == 0);
	check(belay_router_add(site.router, "POST /ignore", answer, NULL) == 0);
	return 0;
}

static int tear_down(void **state)
{
	site_stop(&site);
	return 0;
}

static void start(struct belay_server_options options)
{
	site_start(&site, belay_background(), &options);
}

/* Refused with status, and closed. */
static void is_refused(const char *text, int status)
{
	struct reply reply;
	bool closed = site_ask(&site, text, &reply);

	if (reply.status != status || !closed)
		fail_msg("%d, %s: %s", reply.status, closed ? "closed" : "open", text);
}

/* ---- What is no HTTP ------------------------------------------------------------------------- */

static void bad_requests_are_answered_400_and_closed(void **state)
{
	static const char *const bad[] = {
		"nonsense\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\nHost: x\n\n",
		"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
		"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /?a=%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
		"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
		"\x16\x03\x01\x02",
	};

	start((struct belay_server_options){0});
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		is_refused(bad[i], 400);
	is_refused("GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505);
	is_refused("GET / HTTP/1.1\r\nHost: x\r\nExpect: the-worst\r\n\r\n", 417);
}

/* What was left of a refused request must not be taken for another one. */
static void smuggled_requests_are_not_answered(void **state)
{
	static const char *const bad[] = {
		"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n"
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 0\r\n\r\n"
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /ignore HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n"
		"0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tContent-Length: 50\r\n\r\n"
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nA: b\rContent-Length: 50\r\n\r\n"
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	};

	start((struct belay_server_options){0});
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int fd = site_dial(&site);
		char *text;

		raw_send(fd, bad[i]);
		text = raw_read_all(fd);
		assert_int_equal(strncmp(text, "HTTP/1.1 400 ", 13), 0);
		assert_null(strstr(text + 13, "HTTP/1.1"));
		free(text);
		close(fd);
	}
}

static void a_chunked_body_that_breaks_is_answered_400_and_closed(void **state)
{
	start((struct belay_server_options){0});
	is_refused("POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		   400);
	is_refused("POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		   "5\r\nhelloGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400);
}

/* ---- Too much -------------------------------------------------------------------------------- */

static void a_head_that_is_too_large_is_answered_431(void **state)
{
	static char text[70000];
	size_t size = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
	struct reply reply;

	start((struct belay_server_options){0});
	memset(text + size, 'x', 65536 - size - 4);
	strcpy(text + 65536 - 4, "\r\n\r\n");
	site_ask(&site, text, &reply);
	assert_int_equal(reply.status, 200);
	strcpy(text + 65536 - 4, "x\r\n\r\n");
	is_refused(text, 431);
	memset(text + size, 'x', sizeof text - size - 1);
	is_refused(text, 431);
}

static void too_many_headers_are_answered_431(void **state)
{
	start((struct belay_server_options){.headers = 3});
	is_refused("GET / HTTP/1.1\r\nHost: x\r\na: b\r\nc: d\r\ne: f\r\n\r\n", 431);
}

static void a_body_that_says_it_is_too_large_is_answered_413(void **state)
{
	start((struct belay_server_options){.body_size = 10});
	is_refused("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n01234567890", 413);
	is_refused("POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n", 413);
}

static void a_body_that_turns_out_too_large_is_answered_413(void **state)
{
	struct reply reply;

	start((struct belay_server_options){.body_size = 10});
	is_refused("POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		   "6\r\n012345\r\n5\r\n67890\r\n0\r\n\r\n", 413);
	site_ask(&site, "POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
			"6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n", &reply);
	assert_string_equal(reply.body, "10");
}

/* It is told that nothing more will be read, and not reset before it could read the answer. */
static void a_client_that_keeps_sending_still_gets_its_answer(void **state)
{
	static char block[65536];
	struct reply reply;
	int fd;

	start((struct belay_server_options){.body_size = 10});
	fd = site_dial(&site);
	raw_send(fd, "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 131072\r\n\r\n");
	raw_send_bytes(fd, block, sizeof block);
	raw_send_bytes(fd, block, sizeof block);
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 413);
	assert_true(raw_is_closed(fd));
	close(fd);
}

static void an_unread_body_that_is_too_long_to_drain_closes_the_connection(void **state)
{
	struct reply reply;

	start((struct belay_server_options){.drain_size = 10});
	assert_true(site_ask(&site,
			     "POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n01234",
			     &reply));
	assert_int_equal(reply.status, 200);
}

static void an_unread_chunked_body_that_is_too_long_to_drain_closes_the_connection(void **state)
{
	struct reply reply;
	int fd;

	start((struct belay_server_options){.drain_size = 10});
	fd = site_dial(&site);
	raw_send(fd, "POST /ignore HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "14\r\n01234567890123456789\r\n");
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 200);
	assert_true(raw_is_closed(fd));
	close(fd);
}

/* ---- Too slow -------------------------------------------------------------------------------- */

static void a_head_that_does_not_end_in_time_is_answered_408(void **state)
{
	start((struct belay_server_options){.header_time = BELAY_MS(50)});
	is_refused("GET / HTTP/1.1\r\nHost: x\r\n", 408);
}

static void a_client_that_says_nothing_is_closed_without_a_word(void **state)
{
	char *text;
	int fd;

	start((struct belay_server_options){.header_time = BELAY_MS(50)});
	fd = site_dial(&site);
	text = raw_read_all(fd);
	assert_string_equal(text, "");
	free(text);
	close(fd);
}

/* The loop ends when the server has closed the connection. */
static void empty_lines_alone_do_not_keep_a_connection_open(void **state)
{
	int fd;

	start((struct belay_server_options){.header_time = BELAY_FOREVER});
	fd = site_dial(&site);
	while (send(fd, "\r\n", 2, MSG_NOSIGNAL) == 2)
		;
	assert_true(errno == EPIPE || errno == ECONNRESET);
	close(fd);
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
	struct reply reply;
	char *text;
	int fd;

	start((struct belay_server_options){.idle_time = BELAY_MS(50)});
	fd = site_dial(&site);
	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_read_reply(fd, &reply, false);
	text = raw_read_all(fd);
	assert_string_equal(text, "");
	free(text);
	close(fd);
}

static void a_body_that_does_not_come_is_answered_408(void **state)
{
	start((struct belay_server_options){.idle_time = BELAY_MS(50)});
	is_refused("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234", 408);
}

/* Nothing of it may be waited for: what came with the head is all there is. */
static void a_body_that_is_too_slow_is_answered_408(void **state)
{
	start((struct belay_server_options){.body_rate = UINT64_MAX, .body_grace = 1});
	is_refused("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234", 408);
}

/* A thousand of them come with the head, and make time for the last one: a thousand seconds. */
static void bytes_that_have_come_make_time_for_more(void **state)
{
	struct reply reply;
	char text[1200];
	int fd;

	start((struct belay_server_options){.body_rate = 1, .body_grace = 1});
	fd = site_dial(&site);
	snprintf(text, sizeof text,
		 "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n%01000d", 0);
	raw_send(fd, text);
	raw_send(fd, "x");
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 200);
	close(fd);
}

static int write_without_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static const char block[65536];
	atomic_int *result = belay_request_data(req);
	int r = 0;

	while (r == 0)
		r = belay_response_write(ctx, res, block, sizeof block);
	atomic_store(result, r);
	return r;
}

static void a_client_that_does_not_read_is_given_up(void **state)
{
	atomic_int result = 0;
	int fd;

	check_needs_memory(); /* for the peer to be asked at all */
	check(belay_router_add(site.router, "GET /endless", write_without_end, &result) == 0);
	start((struct belay_server_options){.idle_time = BELAY_MS(50)});
	fd = site_dial(&site);
	raw_send(fd, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(check_until(atomic_load(&result) != 0));
	assert_int_equal(atomic_load(&result), -ETIMEDOUT);
	close(fd);
}

/* ---- Too many -------------------------------------------------------------------------------- */

static void more_connections_than_the_limit_wait_their_turn(void **state)
{
	struct reply reply;
	int first, second, third;

	start((struct belay_server_options){.connections = 2});
	first = site_dial(&site);
	second = site_dial(&site);
	raw_send(first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_read_reply(first, &reply, false);
	raw_send(second, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_read_reply(second, &reply, false);
	third = site_dial(&site);
	raw_send(third, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(belay_server_connections(site.server), 2);
	assert_int_equal(recv(third, &reply, 1, MSG_DONTWAIT), -1);
	close(first);
	raw_read_reply(third, &reply, false);
	assert_int_equal(reply.status, 200);
	close(second);
	close(third);
	assert_true(check_until(belay_server_connections(site.server) == 0));
}

/* ---- Error pages ----------------------------------------------------------------------------- */

static int json_page(belay_ctx *ctx, const belay_request *req, belay_response *res,
		     const struct belay_http_error *error, void *arg)
{
	belay_response_header(res, "Content-Type", "application/json");
	return belay_response_printf(ctx, res, "{\"error\":\"%s\",\"parsed\":%s}", error->message,
				     req ? "true" : "false");
}

static void refused_requests_are_told_by_the_application_s_page(void **state)
{
	struct reply reply;

	belay_router_error_page(site.router, json_page, NULL);
	start((struct belay_server_options){.body_size = 10});
	site_ask(&site, "nonsense\r\n\r\n", &reply);
	assert_string_equal(reply.body, "{\"error\":\"Bad Request\",\"parsed\":false}");
	site_ask(&site, "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", &reply);
	assert_string_equal(reply.body, "{\"error\":\"Content Too Large\",\"parsed\":true}");
}

#define SITE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(SITE_TEST(bad_requests_are_answered_400_and_closed),
		SITE_TEST(smuggled_requests_are_not_answered),
		SITE_TEST(a_chunked_body_that_breaks_is_answered_400_and_closed),
		SITE_TEST(a_head_that_is_too_large_is_answered_431),
		SITE_TEST(too_many_headers_are_answered_431),
		SITE_TEST(a_body_that_says_it_is_too_large_is_answered_413),
		SITE_TEST(a_body_that_turns_out_too_large_is_answered_413),
		SITE_TEST(a_client_that_keeps_sending_still_gets_its_answer),
		SITE_TEST(an_unread_body_that_is_too_long_to_drain_closes_the_connection),
		SITE_TEST(an_unread_chunked_body_that_is_too_long_to_drain_closes_the_connection),
		SITE_TEST(a_head_that_does_not_end_in_time_is_answered_408),
		SITE_TEST(a_client_that_says_nothing_is_closed_without_a_word),
		SITE_TEST(empty_lines_alone_do_not_keep_a_connection_open),
		SITE_TEST(an_idle_connection_is_closed_without_a_word),
		SITE_TEST(a_body_that_does_not_come_is_answered_408),
		SITE_TEST(a_body_that_is_too_slow_is_answered_408),
		SITE_TEST(bytes_that_have_come_make_time_for_more),
		SITE_TEST(a_client_that_does_not_read_is_given_up),
		SITE_TEST(more_connections_than_the_limit_wait_their_turn),
		SITE_TEST(refused_requests_are_told_by_the_application_s_page))
