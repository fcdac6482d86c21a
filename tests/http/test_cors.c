/* SPDX-License-Identifier: MIT
 *
 * test_cors.c - which pages of other origins may read the answers.
 */
#include "around.h"

#include <belay/http_middleware.h>

static const struct belay_cors_options some = {
	.origins = (const char *const[]){"https://a.example", "https://b.example:8443", NULL},
	.methods = "PUT, DELETE",
	.headers = "Content-Type, X-Token",
	.exposed = "X-Trace-Id",
	.credentials = true,
	.max_age = BELAY_S(600),
};
static const struct belay_cors_options all = {
	.origins = (const char *const[]){"*", NULL},
	.credentials = true,
};

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "handled");
}

static int fail_with(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return -EIO;
}

static belay_recorder *get(const struct belay_cors_options *cors, belay_handler *handler,
			   const char *origin)
{
	belay_router *router = around_new(belay_http_cors, cors, handler, NULL);
	belay_recorder *rec = around_ask(belay_background(), router, "GET", "/",
					 origin ? "Origin" : NULL, origin);

	belay_router_free(router);
	return rec;
}

static belay_recorder *preflight(const struct belay_cors_options *cors, const char *origin,
				 const char *method)
{
	belay_router *router = around_new(belay_http_cors, cors, answer, NULL);
	belay_recorder *rec = check_made(belay_recorder_new("OPTIONS", "/"));

	if (origin)
		check(belay_recorder_header(rec, "Origin", origin) == 0);
	if (method)
		check(belay_recorder_header(rec, "Access-Control-Request-Method", method) == 0);
	belay_recorder_serve(belay_background(), rec, router);
	belay_router_free(router);
	return rec;
}

static void a_listed_origin_may_read_the_answer(void **state)
{
	belay_recorder *rec = get(&some, answer, "https://b.example:8443");

	assert_string_equal(belay_recorder_get_body(rec, NULL), "handled");
	assert_true(around_header_is(rec, "Access-Control-Allow-Origin",
				     "https://b.example:8443"));
	assert_true(around_header_is(rec, "Access-Control-Allow-Credentials", "true"));
	assert_true(around_header_is(rec, "Access-Control-Expose-Headers", "X-Trace-Id"));
	assert_true(around_header_is(rec, "Vary", "Origin"));
	belay_recorder_free(rec);
}

static void another_origin_is_answered_without_leave_to_read(void **state)
{
	static const char *const others[] = {"https://c.example", "http://a.example", "null",
					     "https://a.example.evil", "https://A.example", "*",
					     "https://a.example:443", NULL};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		belay_recorder *rec = get(&some, answer, others[i]);

		assert_string_equal(belay_recorder_get_body(rec, NULL), "handled");
		assert_true(around_header_is(rec, "Access-Control-Allow-Origin", NULL));
		assert_true(around_header_is(rec, "Access-Control-Allow-Credentials", NULL));
		assert_true(around_header_is(rec, "Vary", "Origin"));
		belay_recorder_free(rec);
	}
}

static void a_star_is_for_all_and_never_with_credentials(void **state)
{
	belay_recorder *rec = get(&all, answer, "https://any.example");

	assert_true(around_header_is(rec, "Access-Control-Allow-Origin", "*"));
	assert_true(around_header_is(rec, "Access-Control-Allow-Credentials", NULL));
	assert_true(around_header_is(rec, "Vary", NULL));
	belay_recorder_free(rec);
}

static void an_error_page_may_be_read_too(void **state)
{
	belay_recorder *rec = get(&some, fail_with, "https://a.example");

	assert_int_equal(belay_recorder_status(rec), 500);
	assert_true(around_header_is(rec, "Access-Control-Allow-Origin", "https://a.example"));
	belay_recorder_free(rec);
}

static void a_preflight_is_answered_without_the_handler(void **state)
{
	belay_recorder *rec = preflight(&some, "https://a.example", "PUT");

	assert_int_equal(belay_recorder_status(rec), 204);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "");
	assert_true(around_header_is(rec, "Access-Control-Allow-Origin", "https://a.example"));
	assert_true(around_header_is(rec, "Access-Control-Allow-Methods", "PUT, DELETE"));
	assert_true(around_header_is(rec, "Access-Control-Allow-Headers",
				     "Content-Type, X-Token"));
	assert_true(around_header_is(rec, "Access-Control-Max-Age", "600"));
	belay_recorder_free(rec);
}

static void a_preflight_of_another_origin_is_told_nothing(void **state)
{
	belay_recorder *rec = preflight(&some, "https://c.example", "PUT");

	assert_int_equal(belay_recorder_status(rec), 204);
	assert_true(around_header_is(rec, "Access-Control-Allow-Origin", NULL));
	assert_true(around_header_is(rec, "Access-Control-Allow-Methods", NULL));
	belay_recorder_free(rec);
}

static void options_that_are_no_preflight_go_to_the_handler(void **state)
{
	belay_recorder *rec = preflight(&some, "https://a.example", NULL);

	assert_string_equal(belay_recorder_get_body(rec, NULL), "handled");
	belay_recorder_free(rec);
	rec = preflight(&some, NULL, "PUT");
	assert_string_equal(belay_recorder_get_body(rec, NULL), "handled");
	belay_recorder_free(rec);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_listed_origin_may_read_the_answer),
		cmocka_unit_test(another_origin_is_answered_without_leave_to_read),
		cmocka_unit_test(a_star_is_for_all_and_never_with_credentials),
		cmocka_unit_test(an_error_page_may_be_read_too),
		cmocka_unit_test(a_preflight_is_answered_without_the_handler),
		cmocka_unit_test(a_preflight_of_another_origin_is_told_nothing),
		cmocka_unit_test(options_that_are_no_preflight_go_to_the_handler))
