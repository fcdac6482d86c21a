/* SPDX-License-Identifier: MIT
 *
 * test_deadline.c - a handler's deadline: the server's, the caller's, and what is answered when it
 * passes. With the recorder; test_server_deadline.c has the same over a socket.
 */
#include "check.h"

#include <belay/http.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* A deadline that is waited for, and before which a handler has surely begun. */
#define ENOUGH BELAY_MS(500)

static belay_router *router;
static belay_recorder *rec;

static int set_up(void **state)
{
	router = check_made(belay_router_new());
	rec = check_made(belay_recorder_new("GET", "/"));
	return router && rec ? 0 : -1;
}

static int tear_down(void **state)
{
	belay_recorder_free(rec);
	belay_router_free(router);
	return 0;
}

/* Serves rec by handler under a deadline of most nanoseconds, and the caller's timeout where not
 * NULL. */
static int serve(belay_handler *handler, void *data, int64_t most, const char *timeout)
{
	struct belay_http_limit limit = {.most = most};

	check(belay_router_use(router, belay_http_deadline, &limit) == 0);
	check(belay_router_add(router, "GET /", handler, data) == 0);
	if (timeout)
		check(belay_recorder_header(rec, "Request-Timeout", timeout) == 0);
	return belay_recorder_serve(belay_background(), rec, router);
}

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_response_status(res, 201);

	if (r == 0)
		r = belay_response_header(res, "X-A", "1");
	if (r == 0)
		r = belay_response_add_header(res, "X-B", "2");
	return r == 0 ? belay_response_puts(ctx, res, "in time") : r;
}

static void an_answer_in_time_is_handed_on(void **state)
{
	assert_int_equal(serve(answer, NULL, BELAY_S(30), NULL), 0);
	assert_int_equal(belay_recorder_status(rec), 201);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "in time");
	assert_string_equal(belay_recorder_get_header(rec, "x-a"), "1");
	assert_string_equal(belay_recorder_get_header(rec, "x-b"), "2");
}

static int stream(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static char block[40000];
	int r = belay_response_puts(ctx, res, "a");

	memset(block, 'b', sizeof block);
	if (r == 0)
		r = belay_response_flush(ctx, res);
	if (r == 0)
		r = belay_response_write(ctx, res, block, sizeof block);
	return r == 0 ? belay_response_puts(ctx, res, "c") : r;
}

static void a_stream_in_time_is_handed_on(void **state)
{
	const char *body;
	size_t size;

	assert_int_equal(serve(stream, NULL, BELAY_S(30), NULL), 0);
	body = belay_recorder_get_body(rec, &size);
	assert_int_equal(size, 40002);
	assert_true(body[0] == 'a' && body[1] == 'b' && body[40000] == 'b' && body[40001] == 'c');
	assert_int_equal(belay_recorder_flushes(rec), 1);
}

static int wait_for_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_wait(ctx) == -ETIME);
	return belay_err(ctx);
}

/* semantics 4.7 */
static void a_handler_that_stops_at_its_deadline_is_answered_with_503(void **state)
{
	assert_int_equal(serve(wait_for_end, NULL, BELAY_MS(20), NULL), 0);
	assert_int_equal(belay_recorder_status(rec), 503);
	assert_non_null(strstr(belay_recorder_get_body(rec, NULL), "context deadline exceeded"));
}

static int write_after_deadline(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	BELAY_SCOPED belay_ctx *free_ctx = check_live(belay_without_cancel(ctx));
	bool *unrelated = belay_request_data(req);

	check(belay_response_puts(ctx, res, "early") == 0);
	check(belay_wait(ctx) == -ETIME);
	check(belay_response_puts(ctx, res, "late") == -ETIME);
	check(belay_response_flush(ctx, res) == -ETIME);
	/* Refused by the response itself from the moment that somebody else has answered. */
	if (*unrelated) {
		check(check_until(belay_response_puts(free_ctx, res, "x") == -ETIME));
		check(belay_response_header(res, "a", "b") == -ETIME);
		check(belay_response_status(res, 201) == -ETIME);
		check(belay_response_error(ctx, req, res, 500, NULL) == -ETIME);
	}
	return 0;
}

/* semantics 4.7 */
static void writes_after_the_deadline_fail_with_the_context_s_error(void **state)
{
	bool unrelated = true;

	assert_int_equal(serve(write_after_deadline, &unrelated, ENOUGH, NULL), 0);
	assert_int_equal(belay_recorder_status(rec), 503);
	assert_null(strstr(belay_recorder_get_body(rec, NULL), "early"));
	assert_null(strstr(belay_recorder_get_body(rec, NULL), "late"));
}

static int stream_past_deadline(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_response_puts(ctx, res, "begun") == 0);
	check(belay_response_flush(ctx, res) == 0);
	check(belay_wait(ctx) == -ETIME);
	check(belay_response_puts(ctx, res, "late") == -ETIME);
	return 0;
}

/* semantics 4.7 */
static void what_was_sent_before_the_deadline_stays_and_is_not_completed(void **state)
{
	assert_int_equal(serve(stream_past_deadline, NULL, ENOUGH, NULL), -ETIME);
	assert_int_equal(belay_recorder_status(rec), 200);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "begun");
}

/* Sees 503 recorded while it runs, and then returns. */
static int outlive_deadline(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	atomic_bool *answered = belay_request_data(req);

	check(belay_wait(ctx) == -ETIME);
	check(check_until(atomic_load(answered)));
	return 0;
}

static int note_page(belay_ctx *ctx, const belay_request *req, belay_response *res,
		     const struct belay_http_error *error, void *arg)
{
	check(error->status == 503);
	check(error->cause && strcmp(error->cause, "context deadline exceeded") == 0);
	check(belay_err(ctx) == 0);
	atomic_store((atomic_bool *)arg, true);
	return belay_response_puts(ctx, res, "page");
}

/* semantics 4.7 */
static void the_answer_does_not_wait_for_the_handler(void **state)
{
	atomic_bool answered = false;

	belay_router_error_page(router, note_page, &answered);
	assert_int_equal(serve(outlive_deadline, &answered, BELAY_MS(20), NULL), 0);
	assert_int_equal(belay_recorder_status(rec), 503);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "page");
	assert_string_equal(belay_recorder_get_header(rec, "connection"), "close");
}

/* ---- How long -------------------------------------------------------------------------------- */

/* Answers with what is left, in seconds, rounded up; "none". */
static int tell_left(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int64_t when;

	if (!belay_deadline(ctx, &when))
		return belay_response_puts(ctx, res, "none");
	return belay_response_printf(ctx, res, "%lld",
				     (long long)((when - belay_now()) / BELAY_S(1) + 1));
}

/* semantics 4.8 */
static void a_caller_s_shorter_time_is_its_request_s(void **state)
{
	assert_int_equal(serve(tell_left, NULL, BELAY_S(100), "40s"), 0);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "40");
}

/* semantics 4.8 */
static void a_caller_s_time_is_never_longer_than_the_server_s(void **state)
{
	assert_int_equal(serve(tell_left, NULL, BELAY_S(100), "5m"), 0);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "100");
}

static void the_query_asks_like_the_header(void **state)
{
	belay_recorder_free(rec);
	rec = check_made(belay_recorder_new("GET", "/?timeout=30s"));
	assert_int_equal(serve(tell_left, NULL, BELAY_S(100), "40s"), 0);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "30");
}

static void without_either_there_is_no_deadline(void **state)
{
	assert_int_equal(serve(tell_left, NULL, 0, NULL), 0);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "none");
}

static void a_caller_with_no_time_at_all_is_answered_at_once(void **state)
{
	assert_int_equal(serve(answer, NULL, 0, "0s"), 0);
	assert_int_equal(belay_recorder_status(rec), 503);
}

static void a_typed_time_of_nonsense_is_a_bad_request(void **state)
{
	belay_recorder_free(rec);
	rec = check_made(belay_recorder_new("GET", "/?timeout=banana"));
	assert_int_equal(serve(answer, NULL, 0, NULL), 0);
	assert_int_equal(belay_recorder_status(rec), 400);
	assert_non_null(strstr(belay_recorder_get_body(rec, NULL), "timeout"));
}

static void a_header_of_nonsense_is_as_good_as_none(void **state)
{
	check(belay_recorder_header(rec, "grpc-timeout", "123456789S") == 0);
	assert_int_equal(serve(tell_left, NULL, BELAY_S(100), "banana"), 0);
	assert_int_equal(belay_recorder_status(rec), 200);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "100");
}

/* semantics 4.8 */
static void grpc_s_header_asks_too(void **state)
{
	check(belay_recorder_header(rec, "grpc-timeout", "30S") == 0);
	assert_int_equal(serve(tell_left, NULL, BELAY_S(100), NULL), 0);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "30");
}

static void the_shorter_of_both_headers_counts(void **state)
{
	check(belay_recorder_header(rec, "grpc-timeout", "1M") == 0);
	assert_int_equal(serve(tell_left, NULL, BELAY_S(100), "40s"), 0);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "40");
}

/* ---- Ends from above ------------------------------------------------------------------------- */

static int end_parent(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_cancel(belay_request_data(req));
	check(belay_wait(ctx) == -ECANCELED);
	return belay_err(ctx);
}

static void an_end_from_above_is_not_the_deadline_s_to_answer(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	struct belay_http_limit limit = {.most = BELAY_S(30)};

	check(belay_router_use(router, belay_http_deadline, &limit) == 0);
	check(belay_router_add(router, "GET /", end_parent, ctx) == 0);
	assert_int_equal(belay_recorder_serve(ctx, rec, router), -ECANCELED);
	assert_int_equal(belay_recorder_status(rec), 0);
}

static int break_down(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return -EIO;
}

static void an_error_in_time_is_answered_with_its_page(void **state)
{
	assert_int_equal(serve(break_down, NULL, BELAY_S(30), NULL), 0);
	assert_int_equal(belay_recorder_status(rec), 500);
}

/* Deadline and answer at the same moment, often: one of the two, whole. */
static int race(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int64_t when;

	if (!check(belay_deadline(ctx, &when)))
		return -EINVAL;
	while (belay_now() < when - 2000)
		;
	return belay_response_puts(ctx, res, "answer");
}

static void at_the_very_deadline_it_is_one_answer_or_the_other(void **state)
{
	struct belay_http_limit limit = {.most = BELAY_US(200)};
	unsigned answers = 0, rounds = 300;

	check(belay_router_use(router, belay_http_deadline, &limit) == 0);
	check(belay_router_add(router, "GET /", race, NULL) == 0);
	for (unsigned i = 0; i < rounds; i++) {
		belay_recorder *one = check_made(belay_recorder_new("GET", "/"));
		const char *body;

		assert_int_equal(belay_recorder_serve(belay_background(), one, router), 0);
		body = belay_recorder_get_body(one, NULL);
		if (belay_recorder_status(one) == 200)
			assert_string_equal(body, "answer");
		else
			assert_non_null(strstr(body, "context deadline exceeded"));
		answers += belay_recorder_status(one) == 200;
		belay_recorder_free(one);
	}
	print_message("%u of %u in time\n", answers, rounds);
}

#define DEADLINE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(DEADLINE_TEST(an_answer_in_time_is_handed_on),
		DEADLINE_TEST(a_stream_in_time_is_handed_on),
		DEADLINE_TEST(a_handler_that_stops_at_its_deadline_is_answered_with_503),
		DEADLINE_TEST(writes_after_the_deadline_fail_with_the_context_s_error),
		DEADLINE_TEST(what_was_sent_before_the_deadline_stays_and_is_not_completed),
		DEADLINE_TEST(the_answer_does_not_wait_for_the_handler),
		DEADLINE_TEST(a_caller_s_shorter_time_is_its_request_s),
		DEADLINE_TEST(a_caller_s_time_is_never_longer_than_the_server_s),
		DEADLINE_TEST(the_query_asks_like_the_header),
		DEADLINE_TEST(without_either_there_is_no_deadline),
		DEADLINE_TEST(a_caller_with_no_time_at_all_is_answered_at_once),
		DEADLINE_TEST(a_typed_time_of_nonsense_is_a_bad_request),
		DEADLINE_TEST(a_header_of_nonsense_is_as_good_as_none),
		DEADLINE_TEST(grpc_s_header_asks_too),
		DEADLINE_TEST(the_shorter_of_both_headers_counts),
		DEADLINE_TEST(an_end_from_above_is_not_the_deadline_s_to_answer),
		DEADLINE_TEST(an_error_in_time_is_answered_with_its_page),
		DEADLINE_TEST(at_the_very_deadline_it_is_one_answer_or_the_other))
