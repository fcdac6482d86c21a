/* SPDX-License-Identifier: MIT
 *
 * test_server_wire.c - HTTP/1.1 as it goes over the wire: framing, keep-alive, pipelining, 100
 * Continue.
 */
#include "site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct site site;

static int echo(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char buf[1000];
	ssize_t n;

	while ((n = belay_request_read(ctx, req, buf, sizeof buf)) > 0) {
		int r = belay_response_write(ctx, res, buf, (size_t)n);

		if (r < 0)
			return r;
	}
	return (int)n;
}

static int hello(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "hello");
}

static int name_protocol(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, belay_request_protocol(req));
}

static int stream(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_response_puts(ctx, res, "data: 1\n\n");

	if (r == 0)
		r = belay_response_flush(ctx, res);
	return r == 0 ? belay_response_puts(ctx, res, "data: 2\n\n") : r;
}

static int empty(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_status(res, atoi(belay_request_param(req, "status")));
}

static int declared(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_response_header(res, "Content-Length", "10");

	if (r == 0)
		r = belay_response_puts(ctx, res, "01234");
	if (r == 0)
		r = belay_response_flush(ctx, res);
	if (r == 0 && !belay_request_query(req, "short"))
		r = belay_response_puts(ctx, res, "56789");
	return r;
}

static int hang_up_after(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_response_header(res, "Connection", "close");
	return belay_response_puts(ctx, res, "bye");
}

static int set_up(void **state)
{
	site_init(&site);
	check(belay_router_add(site.router, "POST /echo", echo, NULL) == 0);
	check(belay_router_add(site.router, "/hello", hello, NULL) == 0);
	check(belay_router_add(site.router, "GET /protocol", name_protocol, NULL) == 0);
	check(belay_router_add(site.router, "GET /stream", stream, NULL) == 0);
	check(belay_router_add(site.router, "GET /empty/{status}", empty, NULL) == 0);
	check(belay_router_add(site.router, "GET /declared", declared, NULL) == 0);
	check(belay_router_add(site.router, "GET /bye", hang_up_after, NULL) == 0);
	site_start(&site, belay_background(), NULL);
	return 0;
}

static int tear_down(void **state)
{
	site_stop(&site);
	return 0;
}

/* One connection for a test, closed by ask_last(). */
static void ask(int fd, const char *text, struct reply *reply)
{
	raw_send(fd, text);
	raw_read_reply(fd, reply, strncmp(text, "HEAD", 4) == 0);
}

/* ---- Keep-alive ------------------------------------------------------------------------------ */

static void a_connection_serves_one_request_after_the_other(void **state)
{
	struct reply reply;
	int fd = site_dial(&site);

	for (int i = 0; i < 5; i++) {
		ask(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
		assert_int_equal(reply.status, 200);
		assert_string_equal(reply.body, "hello");
		assert_false(reply.closes);
	}
	close(fd);
}

static void a_client_that_asks_for_it_has_its_connection_closed(void **state)
{
	struct reply reply;

	assert_true(site_ask(&site, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			     &reply));
	assert_string_equal(reply.body, "hello");
}

static void a_handler_may_have_the_connection_closed(void **state)
{
	struct reply reply;

	assert_true(site_ask(&site, "GET /bye HTTP/1.1\r\nHost: x\r\n\r\n", &reply));
	assert_string_equal(reply.body, "bye");
}

static void an_old_client_has_its_connection_closed_unless_it_asks(void **state)
{
	struct reply reply;
	char value[32];
	int fd = site_dial(&site);

	assert_true(site_ask(&site, "GET /hello HTTP/1.0\r\n\r\n", &reply));
	ask(fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &reply);
	assert_true(reply_header(&reply, "connection", value, sizeof value));
	assert_string_equal(value, "keep-alive");
	ask(fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &reply);
	assert_string_equal(reply.body, "hello");
	close(fd);
}

static void each_request_says_which_version_it_is_of(void **state)
{
	struct reply reply;
	int fd = site_dial(&site);

	ask(fd, "GET /protocol HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_string_equal(reply.body, "HTTP/1.1");
	ask(fd, "GET /protocol HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &reply);
	assert_string_equal(reply.body, "HTTP/1.0");
	ask(fd, "GET /protocol HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_string_equal(reply.body, "HTTP/1.1");
	close(fd);
}

static void empty_lines_ahead_of_a_request_are_passed_over(void **state)
{
	struct reply reply;
	int fd = site_dial(&site);

	ask(fd, "\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_int_equal(reply.status, 200);
	for (const char *c = "\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n"; *c; c++)
		raw_send_bytes(fd, c, 1);
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 200);
	close(fd);
}

static void requests_may_come_byte_by_byte(void **state)
{
	static const char text[] = "POST /echo HTTP/1.1\r\nHost: x\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n"
				   "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
	struct reply reply;
	int fd = site_dial(&site);

	for (size_t i = 0; i < sizeof text - 1; i++)
		raw_send_bytes(fd, text + i, 1);
	raw_read_reply(fd, &reply, false);
	assert_string_equal(reply.body, "abcde");
	close(fd);
}

/* ---- Pipelining ------------------------------------------------------------------------------ */

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct reply reply;
	int fd = site_dial(&site);

	raw_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
		     "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "3\r\ntwo\r\n0\r\n\r\n"
		     "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_read_reply(fd, &reply, false);
	assert_string_equal(reply.body, "one");
	raw_read_reply(fd, &reply, false);
	assert_string_equal(reply.body, "two");
	raw_read_reply(fd, &reply, false);
	assert_string_equal(reply.body, "hello");
	close(fd);
}

static void an_unread_body_is_not_taken_for_a_request(void **state)
{
	struct reply reply;
	int fd = site_dial(&site);

	raw_send(fd, "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\n"
		     "GET /bye HTTP/1.1\r\nHost: evil\r\n\r\n"
		     "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_read_reply(fd, &reply, false);
	assert_string_equal(reply.body, "hello");
	raw_read_reply(fd, &reply, false);
	assert_string_equal(reply.body, "hello");
	close(fd);
}

/* ---- Bodies in ------------------------------------------------------------------------------- */

static void a_large_body_comes_in_whole(void **state)
{
	static char text[60001];
	char head[128];
	struct reply reply;
	int fd = site_dial(&site);

	for (size_t i = 0; i < sizeof text - 1; i++)
		text[i] = (char)('a' + i % 26);
	snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
		 sizeof text - 1);
	raw_send(fd, head);
	raw_send(fd, text);
	raw_read_reply(fd, &reply, false);
	assert_true(reply.chunked);
	assert_int_equal(reply.size, sizeof text - 1);
	assert_string_equal(reply.body, text);
	close(fd);
}

static void a_client_that_waits_is_told_to_continue(void **state)
{
	struct reply reply;
	int fd = site_dial(&site);

	ask(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		"Content-Length: 5\r\n\r\n", &reply);
	assert_int_equal(reply.status, 100);
	ask(fd, "hello", &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, "hello");
	ask(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_int_equal(reply.status, 200);
	close(fd);
}

/* Nobody can know whether the body comes behind it, so the connection closes. */
static void a_client_whose_body_nobody_wants_is_not_told_to_continue(void **state)
{
	struct reply reply;

	assert_true(site_ask(&site,
			     "POST /hello HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
			     "Content-Length: 5\r\n\r\n",
			     &reply));
	assert_int_equal(reply.status, 200);
}

/* ---- Bodies out ------------------------------------------------------------------------------ */

static void a_whole_answer_has_its_length(void **state)
{
	struct reply reply;
	char value[64];

	site_ask(&site, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_true(reply_header(&reply, "content-length", value, sizeof value));
	assert_string_equal(value, "5");
	assert_false(reply.chunked);
	assert_true(reply_header(&reply, "date", value, sizeof value));
	assert_int_equal(strlen(value), 29);
	assert_string_equal(value + 26, "GMT");
}

static void a_stream_has_chunks(void **state)
{
	struct reply reply;
	char value[64];

	site_ask(&site, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_true(reply.chunked);
	assert_false(reply_header(&reply, "content-length", value, sizeof value));
	assert_string_equal(reply.body, "data: 1\n\ndata: 2\n\n");
}

static void an_old_client_s_stream_ends_with_the_connection(void **state)
{
	struct reply reply;
	int fd = site_dial(&site);
	char *rest;

	raw_send(fd, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	raw_read_reply(fd, &reply, false);
	assert_true(reply.closes);
	assert_false(reply.chunked);
	rest = raw_read_all(fd);
	assert_string_equal(rest, "data: 1\n\ndata: 2\n\n");
	free(rest);
	close(fd);
}

static void an_answer_to_head_has_the_headers_alone(void **state)
{
	struct reply reply;
	char value[64];
	int fd = site_dial(&site);

	ask(fd, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_true(reply_header(&reply, "content-length", value, sizeof value));
	assert_string_equal(value, "5");
	ask(fd, "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_int_equal(reply.status, 200);
	ask(fd, "HEAD /declared?short HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_true(reply_header(&reply, "content-length", value, sizeof value));
	assert_string_equal(value, "10");
	ask(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_string_equal(reply.body, "hello");
	close(fd);
}

static void answers_of_204_and_304_have_no_body(void **state)
{
	struct reply reply;
	char value[64];
	int fd = site_dial(&site);

	ask(fd, "GET /empty/204 HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_int_equal(reply.status, 204);
	assert_false(reply_header(&reply, "content-length", value, sizeof value));
	ask(fd, "GET /empty/304 HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_int_equal(reply.status, 304);
	assert_false(reply_header(&reply, "transfer-encoding", value, sizeof value));
	ask(fd, "GET /empty/200 HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_int_equal(reply.status, 200);
	assert_true(reply_header(&reply, "content-length", value, sizeof value));
	assert_string_equal(value, "0");
	close(fd);
}

/* For a sanitizer to see: until then there is no buffer. */
static void the_first_answer_may_be_an_empty_one(void **state)
{
	struct reply reply;

	assert_true(site_ask(&site,
			     "GET /empty/200 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			     &reply));
	assert_int_equal(reply.status, 200);
	assert_int_equal(reply.size, 0);
}

static void a_length_that_the_handler_set_is_sent_and_kept(void **state)
{
	struct reply reply;
	int fd = site_dial(&site);

	ask(fd, "GET /declared HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_false(reply.chunked);
	assert_string_equal(reply.body, "0123456789");
	ask(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_string_equal(reply.body, "hello");
	close(fd);
}

/* The client must be able to see that something is missing. */
static void an_answer_that_is_too_short_ends_the_connection(void **state)
{
	int fd = site_dial(&site);
	char *text;

	raw_send(fd, "GET /declared?short HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_expect(fd, "HTTP/1.1 200 ");
	text = raw_read_all(fd);
	assert_non_null(strstr(text, "Content-Length: 10"));
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n01234");
	free(text);
	close(fd);
}

/* ---- Values with a limit --------------------------------------------------------------------- */

static void an_absolute_target_is_answered_like_its_path(void **state)
{
	struct reply reply;

	site_ask(&site, "GET http://x/hello HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_string_equal(reply.body, "hello");
}

#define SITE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(SITE_TEST(a_connection_serves_one_request_after_the_other),
		SITE_TEST(a_client_that_asks_for_it_has_its_connection_closed),
		SITE_TEST(a_handler_may_have_the_connection_closed),
		SITE_TEST(an_old_client_has_its_connection_closed_unless_it_asks),
		SITE_TEST(each_request_says_which_version_it_is_of),
		SITE_TEST(empty_lines_ahead_of_a_request_are_passed_over),
		SITE_TEST(requests_may_come_byte_by_byte),
		SITE_TEST(pipelined_requests_are_answered_in_order),
		SITE_TEST(an_unread_body_is_not_taken_for_a_request),
		SITE_TEST(a_large_body_comes_in_whole),
		SITE_TEST(a_client_that_waits_is_told_to_continue),
		SITE_TEST(a_client_whose_body_nobody_wants_is_not_told_to_continue),
		SITE_TEST(a_whole_answer_has_its_length), SITE_TEST(a_stream_has_chunks),
		SITE_TEST(an_old_client_s_stream_ends_with_the_connection),
		SITE_TEST(an_answer_to_head_has_the_headers_alone),
		SITE_TEST(answers_of_204_and_304_have_no_body),
		SITE_TEST(the_first_answer_may_be_an_empty_one),
		SITE_TEST(a_length_that_the_handler_set_is_sent_and_kept),
		SITE_TEST(an_answer_that_is_too_short_ends_the_connection),
		SITE_TEST(an_absolute_target_is_answered_like_its_path))
