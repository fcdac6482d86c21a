/* SPDX-License-Identifier: MIT
 *
 * test_client_propagate.c - what an HTTP request takes along from its context.
 */
#include "client_peer.h"

#include <belay/http.h>

#include <stdlib.h>
#include <string.h>

static const char trace[] = "0af7651916cd43dd8448eb211c80319c";

/* Answers with the headers that it was sent, a line each. */
static void tell_headers(struct peer *peer, int fd)
{
	static const char *const names[] = {"traceparent", "tracestate",	"X-Trace-Id",
					    "baggage",	   "Request-Timeout", "grpc-timeout"};
	struct peer_request request;

	while (peer_read(peer, fd, &request)) {
		char text[2048] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", value[256];

		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			if (peer_header(&request, names[i], value, sizeof value))
				snprintf(text + strlen(text), sizeof text - strlen(text),
					 "%s: %s\r\n", names[i], value);
		strcat(text, "\r\n");
		peer_send(fd, text);
	}
}

static belay_http_reply *ask(belay_ctx *ctx, const struct belay_http_header *headers, size_t count)
{
	belay_http_client *client = peer_client(NULL);
	struct belay_http_call call = {.headers = headers, .header_count = count};
	belay_http_reply *reply = NULL;
	struct peer peer;

	peer_start(&peer, tell_headers, NULL);
	call.url = peer.url;
	assert_int_equal(belay_http_send(ctx, client, &call, &reply), 0);
	belay_http_client_close(client);
	peer_stop(&peer);
	return reply;
}

/* semantics 5.5 */
static void a_request_carries_trace_baggage_and_time_left(void **state)
{
	belay_ctx *a = check_live(belay_with_timeout(belay_background(), BELAY_S(60)));
	belay_ctx *b = check_live(belay_with_trace_id(a, trace));
	belay_ctx *c = check_live(belay_with_baggage(b, "user=42,plan=free"));
	belay_http_reply *reply = ask(c, NULL, 0);
	const char *parent = belay_http_reply_header(reply, "traceparent");
	char *unit = NULL;
	long long left;

	assert_string_equal(belay_http_reply_header(reply, "X-Trace-Id"), trace);
	assert_int_equal(strlen(parent), 55);
	assert_memory_equal(parent, "00-0af7651916cd43dd8448eb211c80319c-", 36);
	assert_memory_equal(parent + 52, "-01", 3);
	assert_string_equal(belay_http_reply_header(reply, "baggage"), "user=42,plan=free");
	left = strtoll(belay_http_reply_header(reply, "Request-Timeout"), &unit, 10);
	assert_string_equal(unit, "us");
	assert_true(left > 0 && left <= 60 * 1000000LL);
	left = strtoll(belay_http_reply_header(reply, "grpc-timeout"), &unit, 10);
	assert_string_equal(unit, "u");
	assert_true(left > 0 && left <= 60 * 1000000LL);
	belay_http_reply_end(reply);
	belay_end(c);
	belay_end(b);
	belay_end(a);
}

/* semantics 5.5 */
static void a_trace_id_of_another_form_goes_as_it_is(void **state)
{
	belay_ctx *ctx = check_live(belay_with_trace_id(belay_background(), "job-7"));
	belay_http_reply *reply = ask(ctx, NULL, 0);

	assert_string_equal(belay_http_reply_header(reply, "X-Trace-Id"), "job-7");
	assert_null(belay_http_reply_header(reply, "traceparent"));
	assert_null(belay_http_reply_header(reply, "Request-Timeout"));
	belay_http_reply_end(reply);
	belay_end(ctx);
}

/* semantics 5.5 */
static void a_context_that_carries_nothing_adds_nothing(void **state)
{
	belay_http_reply *reply = ask(belay_background(), NULL, 0);

	assert_null(belay_http_reply_header(reply, "X-Trace-Id"));
	assert_null(belay_http_reply_header(reply, "traceparent"));
	assert_null(belay_http_reply_header(reply, "baggage"));
	assert_null(belay_http_reply_header(reply, "Request-Timeout"));
	belay_http_reply_end(reply);
}

/* semantics 5.5 */
static void headers_that_the_caller_sets_win(void **state)
{
	static const struct belay_http_header headers[] = {{"x-trace-id", "mine"},
							   {"Request-Timeout", "1s"}};
	belay_ctx *a = check_live(belay_with_timeout(belay_background(), BELAY_S(60)));
	belay_ctx *b = check_live(belay_with_trace_id(a, "theirs"));
	belay_http_reply *reply = ask(b, headers, 2);

	assert_string_equal(belay_http_reply_header(reply, "X-Trace-Id"), "mine");
	assert_string_equal(belay_http_reply_header(reply, "Request-Timeout"), "1s");
	belay_http_reply_end(reply);
	belay_end(b);
	belay_end(a);
}

/* semantics 5.5: no header can be smuggled in. */
static void a_trace_id_that_is_no_header_value_is_left_out(void **state)
{
	belay_ctx *ctx = check_live(belay_with_trace_id(belay_background(), "a\r\nX-Evil: 1"));
	belay_http_reply *reply = ask(ctx, NULL, 0);

	assert_null(belay_http_reply_header(reply, "X-Trace-Id"));
	belay_http_reply_end(reply);
	belay_end(ctx);
}

/* semantics 5.5 */
static void a_tracestate_goes_with_its_trace(void **state)
{
	belay_ctx *a = check_live(belay_with_trace_id(belay_background(), trace));
	belay_ctx *b = check_live(belay_with_tracestate(a, "vendor=1,other=a b"));
	belay_ctx *c = check_live(belay_with_trace_id(b, "4bf92f3577b34da6a3ce929d0e0e4736"));
	belay_http_reply *reply = ask(b, NULL, 0);

	assert_string_equal(belay_http_reply_header(reply, "tracestate"), "vendor=1,other=a b");
	belay_http_reply_end(reply);
	reply = ask(c, NULL, 0);
	assert_non_null(belay_http_reply_header(reply, "traceparent"));
	assert_null(belay_http_reply_header(reply, "tracestate"));
	belay_http_reply_end(reply);
	belay_end(c);
	belay_end(b);
	belay_end(a);
}

static void beside_a_traceparent_of_the_caller_s_own_no_tracestate_goes(void **state)
{
	static const struct belay_http_header header = {"traceparent", "mine"};
	belay_ctx *a = check_live(belay_with_trace_id(belay_background(), trace));
	belay_ctx *b = check_live(belay_with_tracestate(a, "vendor=1"));
	belay_http_reply *reply = ask(b, &header, 1);

	assert_string_equal(belay_http_reply_header(reply, "traceparent"), "mine");
	assert_null(belay_http_reply_header(reply, "tracestate"));
	belay_http_reply_end(reply);
	belay_end(b);
	belay_end(a);
}

/* ---- From one request to the next ------------------------------------------------------------ */

struct hop {
	belay_http_client *client;
	const char *url;
};

/* Answers with the traceparent of the request that it makes. */
static int ask_further(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct hop *hop = belay_request_data(req);
	belay_http_reply *reply;
	int r = belay_http_get(ctx, hop->client, hop->url, &reply);

	if (r < 0)
		return r;
	r = belay_response_puts(ctx, res, belay_http_reply_header(reply, "traceparent"));
	belay_http_reply_end(reply);
	return r;
}

/* The flags that a request goes on with where the one before it came with that traceparent. */
static void assert_flags_go_on_as(const char *traceparent, const char *expected)
{
	belay_router *router = check_made(belay_router_new());
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));
	struct hop hop = {.client = peer_client(NULL)};
	struct peer peer;
	const char *body;

	peer_start(&peer, tell_headers, NULL);
	hop.url = peer.url;
	check(belay_router_use(router, belay_http_trace, NULL) == 0);
	check(belay_router_add(router, "GET /", ask_further, &hop) == 0);
	check(belay_recorder_header(rec, "traceparent", traceparent) == 0);
	assert_int_equal(belay_recorder_serve(belay_background(), rec, router), 0);
	body = belay_recorder_get_body(rec, NULL);
	assert_int_equal(strlen(body), 55);
	assert_memory_equal(body, traceparent, 36);
	assert_memory_not_equal(body + 36, traceparent + 36, 16);
	assert_string_equal(body + 53, expected);
	belay_http_client_close(hop.client);
	peer_stop(&peer);
	belay_recorder_free(rec);
	belay_router_free(router);
}

/* Trace Context, section 3.2.2.5 */
static void whether_a_trace_is_sampled_is_handed_on(void **state)
{
	assert_flags_go_on_as("00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01", "01");
	assert_flags_go_on_as("00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00", "00");
	assert_flags_go_on_as("00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-ff", "03");
	assert_flags_go_on_as("00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-fc", "00");
}

static void malformed_baggage_is_left_out(void **state)
{
	belay_ctx *ctx = check_live(belay_with_baggage(belay_background(), "no member"));
	belay_http_reply *reply = ask(ctx, NULL, 0);

	assert_null(belay_http_reply_header(reply, "baggage"));
	belay_http_reply_end(reply);
	belay_end(ctx);
}

static void the_nearest_baggage_wins(void **state)
{
	belay_ctx *outer = check_live(belay_with_baggage(belay_background(), "a=1"));
	belay_ctx *inner = check_live(belay_with_baggage(outer, "b=2"));

	assert_null(belay_baggage(belay_background()));
	assert_non_null(belay_baggage(outer));
	assert_string_equal(belay_baggage(outer), "a=1");
	assert_string_equal(belay_baggage(inner), "b=2");
	belay_end(inner);
	belay_end(outer);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_request_carries_trace_baggage_and_time_left),
		cmocka_unit_test(a_trace_id_of_another_form_goes_as_it_is),
		cmocka_unit_test(a_context_that_carries_nothing_adds_nothing),
		cmocka_unit_test(headers_that_the_caller_sets_win),
		cmocka_unit_test(a_trace_id_that_is_no_header_value_is_left_out),
		cmocka_unit_test(a_tracestate_goes_with_its_trace),
		cmocka_unit_test(beside_a_traceparent_of_the_caller_s_own_no_tracestate_goes),
		cmocka_unit_test(whether_a_trace_is_sampled_is_handed_on),
		cmocka_unit_test(malformed_baggage_is_left_out),
		cmocka_unit_test(the_nearest_baggage_wins))
