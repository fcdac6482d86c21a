/* SPDX-License-Identifier: MIT
 *
 * test_h2_requests.c - requests and answers over HTTP/2: RFC 9113, section 8.
 */
#include "h2_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct h2_peer peer;

static void begin(const char *pattern, belay_handler *handler,
		  const struct belay_server_options *options)
{
	check(belay_router_add(site.router, pattern, handler, NULL) == 0);
	site_start(&site, belay_background(), options);
	h2_dial(&site, &peer);
}

static int hello(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_response_header(res, "X-Greeting", "  hi\t");
	return belay_response_printf(ctx, res, "hello %s", belay_request_param(req, "name"));
}

static void a_request_is_routed_and_answered(void **state)
{
	struct h2_reply *reply;

	begin("GET /hello/{name}", hello, NULL);
	reply = h2_get(&peer, "/hello/w%20x?y");
	assert_int_equal(reply->status, 200);
	assert_string_equal(reply->body, "hello w x");
	assert_true(h2_has(reply, "content-length", "9"));
	assert_true(h2_has(reply, "x-greeting", "hi"));
	assert_non_null(strstr(reply->head, "date: "));
	assert_int_equal(reply->code, NGHTTP2_NO_ERROR);
	h2_close(&peer);
}

enum { LARGE_FIELDS = 10, LARGE_FIELD = 10000 };

static int put_large_fields(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char value[LARGE_FIELD + 1] = "";

	memset(value, 'x', LARGE_FIELD);
	for (int i = 0; i < LARGE_FIELDS; i++)
		check(belay_response_add_header(res, "X-Large", value) == 0);
	return belay_response_puts(ctx, res, "behind them");
}

/* More of them than nghttp2 sends by itself. */
static void an_answer_may_have_large_headers(void **state)
{
	struct h2_reply *reply;

	begin("GET /large", put_large_fields, NULL);
	reply = h2_get(&peer, "/large");
	assert_int_equal(reply->status, 200);
	assert_string_equal(reply->body, "behind them");
	h2_close(&peer);
}

static void errors_are_answered_as_in_http1(void **state)
{
	begin("GET /hello/{name}", hello, NULL);
	assert_int_equal(h2_get(&peer, "/nowhere")->status, 404);
	assert_int_equal(h2_get(&peer, "/a/../b")->status, 400);
	assert_int_equal(h2_await(&peer, h2_ask(&peer, "PUT", "/hello/x", NULL, NULL))->status,
			 405);
	assert_int_equal(h2_await(&peer, h2_ask(&peer, "FROB", "/hello/x", NULL, NULL))->status,
			 405);
	assert_int_equal(h2_get(&peer, "/hello/x")->status, 200);
	h2_close(&peer);
}

static int tell(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *x = belay_request_header(req, "X-Some");

	check(strcmp(belay_request_remote(req), "127.0.0.1:") > 0);
	check(strcmp(belay_request_protocol(req), "HTTP/2") == 0);
	check(!belay_request_is_secure(req));
	return belay_response_printf(ctx, res, "%s %s host=%s cookie=%s x=%s",
				     belay_request_method(req), belay_request_target(req),
				     belay_request_header(req, "Host"),
				     belay_request_header(req, "Cookie"), x ? x : "-");
}

static void a_request_has_the_parts_of_one_of_http1(void **state)
{
	static const char *const extra[] = {"cookie", "a=1", "x-some", "thing", "cookie", "b=2",
					    "host",   "test", NULL};
	struct h2_reply *reply;

	begin("/{rest...}", tell, NULL);
	reply = h2_await(&peer, h2_ask(&peer, "OPTIONS", "/a?b=c", extra, NULL));
	assert_string_equal(reply->body, "OPTIONS /a?b=c host=test cookie=a=1; b=2 x=thing");
	h2_close(&peer);
}

static int refused(const char *const *extra)
{
	return h2_await(&peer, h2_ask(&peer, "GET", "/", extra, NULL))->status;
}

static void what_http1_refuses_is_refused(void **state)
{
	static const struct belay_server_options options = {.headers = 20, .header_size = 2000};
	static const char *const other_host[] = {"host", "other", NULL};
	static const char *const expects[] = {"expect", "wonders", NULL};
	const char *many[21 * 2 + 1] = {NULL}, *large[3] = {"x", NULL, NULL};
	char value[2001] = {0};

	memset(value, 'v', sizeof value - 1);
	large[1] = value;
	for (size_t i = 0; i < 21 * 2; i++)
		many[i] = i % 2 ? "v" : "x";
	begin("/{rest...}", tell, &options);
	assert_int_equal(refused(other_host), 400);
	assert_int_equal(refused(expects), 417);
	assert_int_equal(refused(many), 431);
	assert_int_equal(refused(large), 431);
	assert_int_equal(refused(NULL), 200);
	h2_close(&peer);
}

/* RFC 9113, section 8.2.3: a browser sends each of its cookies as one. */
static void crumbs_of_cookies_count_as_one_field(void **state)
{
	static const struct belay_server_options options = {.headers = 20};
	const char *many[30 * 2 + 1] = {NULL};
	struct h2_reply *reply;

	for (size_t i = 0; i < 30 * 2; i++)
		many[i] = i % 2 ? "a=1" : "cookie";
	begin("/{rest...}", tell, &options);
	reply = h2_await(&peer, h2_ask(&peer, "GET", "/", many, NULL));
	assert_int_equal(reply->status, 200);
	assert_non_null(strstr(reply->body, "cookie=a=1; a=1; a=1; "));
	h2_close(&peer);
}

static int no_body(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_response_header(res, "Content-Length", "5");
	return belay_response_status(res, atoi(belay_request_param(req, "status")));
}

static void answers_without_a_body_have_none(void **state)
{
	struct h2_reply *reply;

	begin("GET /{status}", no_body, NULL);
	reply = h2_get(&peer, "/204");
	assert_int_equal(reply->status, 204);
	assert_null(strstr(reply->head, "content-length"));
	assert_int_equal(h2_get(&peer, "/304")->status, 304);
	reply = h2_await(&peer, h2_ask(&peer, "HEAD", "/200", NULL, NULL));
	assert_int_equal(reply->status, 200);
	assert_true(h2_has(reply, "content-length", "5"));
	assert_true(reply->ended);
	assert_int_equal(reply->size, 0);
	h2_close(&peer);
}

/* What a Content-Length promises and the handler does not keep can't be told by closing. */
static void an_answer_shorter_than_promised_resets_its_stream(void **state)
{
	struct h2_reply *reply;

	begin("GET /{status}", no_body, NULL);
	reply = h2_get(&peer, "/200");
	assert_int_equal(reply->status, 500); /* nothing had been sent */
	h2_close(&peer);
}

static int fails_late(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_response_puts(ctx, res, "so far");
	belay_response_flush(ctx, res);
	return -EIO;
}

static void a_handler_that_fails_late_resets_its_stream_alone(void **state)
{
	struct h2_reply *reply;

	begin("GET /", fails_late, NULL);
	reply = h2_get(&peer, "/");
	assert_int_equal(reply->status, 200);
	assert_false(reply->ended);
	assert_int_equal(reply->code, NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(h2_get(&peer, "/x")->status, 404);
	h2_close(&peer);
}

static int of_a_connection(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_response_header(res, "Connection", "close") == 0);
	check(belay_response_header(res, "Keep-Alive", "timeout=1") == 0);
	check(belay_response_header(res, "Date", "today") == 0);
	return belay_response_puts(ctx, res, "ok");
}

static void fields_of_a_connection_are_left_out(void **state)
{
	struct h2_reply *reply;

	begin("GET /", of_a_connection, NULL);
	reply = h2_get(&peer, "/");
	assert_string_equal(reply->body, "ok");
	assert_null(strstr(reply->head, "connection"));
	assert_null(strstr(reply->head, "keep-alive"));
	assert_true(h2_has(reply, "date", "today"));
	h2_close(&peer);
}

static int meet(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_wg *wg = belay_request_data(req);
	int r;

	belay_wg_done(wg);
	r = belay_wg_wait(ctx, wg);
	return r == 0 ? belay_response_puts(ctx, res, "met") : r;
}

static void requests_on_one_connection_run_at_once(void **state)
{
	enum { MANY = 50 };
	belay_wg wg = BELAY_WG_INIT;

	belay_wg_add(&wg, MANY);
	check(belay_router_add(site.router, "GET /meet", meet, &wg) == 0);
	begin("GET /hello/{name}", hello, NULL);
	for (int i = 0; i < MANY; i++)
		h2_ask(&peer, "GET", "/meet", NULL, NULL);
	for (int i = 0; i < MANY; i++)
		assert_string_equal(h2_await(&peer, 2 * i + 1)->body, "met");
	h2_close(&peer);
}

static int take_body(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body;
	size_t size;
	int r = belay_request_body(ctx, req, &body, &size);

	return r == 0 ? belay_response_write(ctx, res, body, size) : r;
}

static void a_body_is_read_and_its_limit_kept(void **state)
{
	static const struct belay_server_options options = {.body_size = 8};
	static const char *const said[] = {"content-length", "9", NULL};
	struct h2_body fits = {"12345678", 8}, large = {"123456789", 9}, again = large;

	begin("POST /", take_body, &options);
	assert_string_equal(h2_await(&peer, h2_ask(&peer, "POST", "/", NULL, &fits))->body,
			    "12345678");
	assert_int_equal(h2_await(&peer, h2_ask(&peer, "POST", "/", NULL, &large))->status, 413);
	assert_int_equal(h2_await(&peer, h2_ask(&peer, "POST", "/", said, &again))->status, 413);
	h2_close(&peer);
}

static void a_client_that_waits_is_told_to_go_on(void **state)
{
	static const char *const expects[] = {"expect", "100-continue", NULL};
	struct h2_body body = {.open = true};
	int32_t id;

	begin("POST /", take_body, NULL);
	id = h2_ask(&peer, "POST", "/", expects, &body);
	while (h2_reply_of(&peer, id)->interim == 0)
		assert_true(h2_pump(&peer));
	assert_int_equal(h2_reply_of(&peer, id)->status, 100);
	body = (struct h2_body){"late", 4};
	h2_more(&peer, id);
	assert_string_equal(h2_await(&peer, id)->body, "late");
	assert_int_equal(h2_reply_of(&peer, id)->status, 200);
	h2_close(&peer);
}

static void trailers_are_thrown_away(void **state)
{
	struct h2_frame frame;
	int fd;

	check(belay_router_add(site.router, "GET /", take_body, NULL) == 0);
	site_start(&site, belay_background(), NULL);
	fd = h2_raw_dial(&site);
	h2_raw_get(fd, 1, "/", 0);
	h2_raw_send(fd, NGHTTP2_DATA, 0, 1, "ab", 2);
	h2_raw_send(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
		    "\x00\x01x\x01y", 5);
	assert_true(h2_raw_await(fd, NGHTTP2_DATA, &frame));
	assert_int_equal(frame.size, 2);
	assert_memory_equal(frame.payload, "ab", 2);
	close(fd);
}

static void the_same_port_speaks_http1(void **state)
{
	struct reply reply;

	begin("GET /hello/{name}", hello, NULL);
	assert_string_equal(h2_get(&peer, "/hello/two")->body, "hello two");
	site_ask(&site, "GET /hello/one HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_string_equal(reply.body, "hello one");
	site_ask(&site, "PRI * HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_int_equal(reply.status, 400);
	h2_close(&peer);
}

static void http2_can_be_switched_off(void **state)
{
	static const struct belay_server_options options = {.no_http2 = true};
	int fd;

	check(belay_router_add(site.router, "GET /hello/{name}", hello, NULL) == 0);
	site_start(&site, belay_background(), &options);
	fd = h2_raw_dial(&site);
	raw_expect(fd, "HTTP/1.1 ");
	close(fd);
}

BELAY_TEST_MAIN(H2_TEST(a_request_is_routed_and_answered),
		H2_TEST(an_answer_may_have_large_headers),
		H2_TEST(errors_are_answered_as_in_http1),
		H2_TEST(a_request_has_the_parts_of_one_of_http1),
		H2_TEST(what_http1_refuses_is_refused),
		H2_TEST(crumbs_of_cookies_count_as_one_field),
		H2_TEST(answers_without_a_body_have_none),
		H2_TEST(an_answer_shorter_than_promised_resets_its_stream),
		H2_TEST(a_handler_that_fails_late_resets_its_stream_alone),
		H2_TEST(fields_of_a_connection_are_left_out),
		H2_TEST(requests_on_one_connection_run_at_once),
		H2_TEST(a_body_is_read_and_its_limit_kept),
		H2_TEST(a_client_that_waits_is_told_to_go_on),
		H2_TEST(trailers_are_thrown_away),
		H2_TEST(the_same_port_speaks_http1),
		H2_TEST(http2_can_be_switched_off))
