/* SPDX-License-Identifier: MIT
 *
 * test_router.c - which handler a request comes to, and through which middlewares.
 */
#include "check.h"

#include <belay/http.h>

#include <errno.h>
#include <string.h>

static belay_router *router;

static int set_up(void **state)
{
	router = check_made(belay_router_new());
	return router ? 0 : -1;
}

static int tear_down(void **state)
{
	belay_router_free(router);
	return 0;
}

/* Answers with the route's data and its parameters a, b and rest, where they are there. */
static int tell(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static const char *const names[] = {"a", "b", "rest"};
	int r = belay_response_puts(ctx, res, belay_request_data(req));

	for (size_t i = 0; i < 3 && r == 0; i++)
		if (belay_request_param(req, names[i]))
			r = belay_response_printf(ctx, res, " %s=%s", names[i],
						  belay_request_param(req, names[i]));
	return r;
}

static void add(const char *pattern)
{
	assert_int_equal(belay_router_add(router, pattern, tell, (void *)(uintptr_t)pattern), 0);
}

/* "status body" of a request, without the line's end of an error page. */
static const char *ask(const char *method, const char *target)
{
	static char text[1024];
	belay_recorder *rec = check_made(belay_recorder_new(method, target));

	assert_non_null(rec);
	assert_int_equal(belay_recorder_serve(belay_background(), rec, router), 0);
	snprintf(text, sizeof text, "%d %s", belay_recorder_status(rec),
		 belay_recorder_get_body(rec, NULL));
	text[strcspn(text, "\n")] = '\0';
	belay_recorder_free(rec);
	return text;
}

static const char *allowed(const char *method, const char *target)
{
	static char text[256];
	belay_recorder *rec = check_made(belay_recorder_new(method, target));

	assert_int_equal(belay_recorder_serve(belay_background(), rec, router), 0);
	assert_int_equal(belay_recorder_status(rec), 405);
	snprintf(text, sizeof text, "%s", belay_recorder_get_header(rec, "allow"));
	belay_recorder_free(rec);
	return text;
}

/* ---- Paths ----------------------------------------------------------------------------------- */

static void a_path_comes_to_its_handler(void **state)
{
	add("GET /");
	add("GET /packages");
	add("GET /packages/new");
	assert_string_equal(ask("GET", "/"), "200 GET /");
	assert_string_equal(ask("GET", "/packages"), "200 GET /packages");
	assert_string_equal(ask("GET", "/packages/new?x=y"), "200 GET /packages/new");
	assert_string_equal(ask("GET", "/packages/"), "404 Not Found: no such path");
	assert_string_equal(ask("GET", "/package"), "404 Not Found: no such path");
	assert_string_equal(ask("GET", "/packages/new/x"), "404 Not Found: no such path");
}

static void a_parameter_stands_for_one_segment(void **state)
{
	add("GET /packages/{a}");
	add("GET /packages/{a}/closure");
	add("GET /x/{a}/y/{b}");
	assert_string_equal(ask("GET", "/packages/0ad"), "200 GET /packages/{a} a=0ad");
	assert_string_equal(ask("GET", "/packages/0ad/closure"),
			    "200 GET /packages/{a}/closure a=0ad");
	assert_string_equal(ask("GET", "/x/1/y/2"), "200 GET /x/{a}/y/{b} a=1 b=2");
	assert_string_equal(ask("GET", "/packages/a%2Fb%20c"), "200 GET /packages/{a} a=a/b c");
	assert_string_equal(ask("GET", "/packages/"), "404 Not Found: no such path");
}

static void a_tail_stands_for_all_that_is_left(void **state)
{
	add("GET /files/{rest...}");
	assert_string_equal(ask("GET", "/files/a"), "200 GET /files/{rest...} rest=a");
	assert_string_equal(ask("GET", "/files/a/b%20c/"), "200 GET /files/{rest...} rest=a/b c/");
	assert_string_equal(ask("GET", "/files/"), "200 GET /files/{rest...} rest=");
	assert_string_equal(ask("GET", "/files"), "404 Not Found: no such path");
}

static void text_wins_over_a_parameter_and_that_over_a_tail(void **state)
{
	add("GET /{rest...}");
	add("GET /{a}/x");
	add("GET /new/x");
	add("GET /new/{b}");
	assert_string_equal(ask("GET", "/new/x"), "200 GET /new/x");
	assert_string_equal(ask("GET", "/new/y"), "200 GET /new/{b} b=y");
	assert_string_equal(ask("GET", "/old/x"), "200 GET /{a}/x a=old");
	assert_string_equal(ask("GET", "/old/y"), "200 GET /{rest...} rest=old/y");
	assert_string_equal(ask("GET", "/new/x/z"), "200 GET /{rest...} rest=new/x/z");
}

static void a_path_that_leads_nowhere_is_gone_back_on(void **state)
{
	add("GET /a/b/c");
	add("GET /{a}/b/d");
	add("POST /a/b/d");
	assert_string_equal(ask("GET", "/a/b/d"), "200 GET /{a}/b/d a=a");
	assert_string_equal(ask("POST", "/a/b/d"), "200 POST /a/b/d");
}

static void an_asterisk_is_no_path(void **state)
{
	add("/{a}");
	add("/{rest...}");
	assert_string_equal(ask("OPTIONS", "*"), "404 Not Found: no such path");
}

/* ---- Methods --------------------------------------------------------------------------------- */

static void a_method_wins_over_none(void **state)
{
	add("/p");
	add("PUT /p");
	assert_string_equal(ask("PUT", "/p"), "200 PUT /p");
	assert_string_equal(ask("DELETE", "/p"), "200 /p");
}

static void head_is_answered_by_get_without_its_body(void **state)
{
	belay_recorder *rec;

	add("GET /p");
	assert_string_equal(ask("HEAD", "/p"), "200 ");
	add("HEAD /p");
	rec = check_made(belay_recorder_new("HEAD", "/p"));
	assert_int_equal(belay_recorder_serve(belay_background(), rec, router), 0);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "");
	belay_recorder_free(rec);
}

static void another_method_is_told_which_are_allowed(void **state)
{
	add("GET /p");
	add("POST /p");
	add("PUT /{a}");
	assert_string_equal(ask("DELETE", "/p"), "405 Method Not Allowed");
	assert_string_equal(allowed("DELETE", "/p"), "POST, GET, HEAD, PUT");
	assert_string_equal(allowed("DELETE", "/q"), "PUT");
}

/* ---- Building -------------------------------------------------------------------------------- */

static void what_is_no_pattern_is_refused(void **state)
{
	static const char *const bad[] = {"", "GET", "GET p", "GET  /p", " /p", "G(T /p", "GET/p",
					  "GET /{", "GET /{}", "GET /{a", "GET /a}", "GET /a{b}",
					  "GET /{a}b", "GET /{a...}/b", "GET /{...}",
					  "GET /{a}/{a}",
					  "GET /{a b}", "GET /{a.b}", "get /", "Post /a",
					  "GET /.", "GET /a/../b", "/a/./"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (belay_router_add(router, bad[i], tell, NULL) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
}

static void two_patterns_for_the_same_requests_are_refused(void **state)
{
	add("GET /a/{a}");
	assert_int_equal(belay_router_add(router, "GET /a/{b}", tell, NULL), -EEXIST);
	assert_int_equal(belay_router_add(router, "GET /a/{a}", tell, NULL), -EEXIST);
	assert_int_equal(belay_router_add(router, "POST /a/{b}", tell, NULL), 0);
	assert_int_equal(belay_router_add(router, "/a/{b}", tell, NULL), 0);
	assert_int_equal(belay_router_add(router, "/a/{c}", tell, NULL), -EEXIST);
}

static void many_parameters_are_refused(void **state)
{
	char pattern[256] = "GET ";

	for (int i = 0; i < 16; i++)
		snprintf(pattern + strlen(pattern), 8, "/{p%d}", i);
	assert_int_equal(belay_router_add(router, pattern, tell, NULL), 0);
	strcat(pattern, "/{q}");
	assert_int_equal(belay_router_add(router, pattern, tell, NULL), -EINVAL);
}

/* ---- Middlewares ----------------------------------------------------------------------------- */

static int note(belay_ctx *ctx, belay_request *req, belay_response *res, const belay_chain *next,
		void *arg)
{
	int r = belay_response_add_header(res, "Passed", arg);

	return r == 0 ? belay_next(ctx, req, res, next) : r;
}

static int refuse_all(belay_ctx *ctx, belay_request *req, belay_response *res,
		      const belay_chain *next, void *arg)
{
	return belay_response_error(ctx, req, res, 401, "who are you");
}

/* The values of the header Passed in order. */
static int count_passed(belay_ctx *ctx, belay_request *req, belay_response *res,
			const belay_chain *next, void *arg)
{
	strcat(arg, "1");
	return belay_next(ctx, req, res, next);
}

static int count_passed_twice(belay_ctx *ctx, belay_request *req, belay_response *res,
			      const belay_chain *next, void *arg)
{
	int r;

	strcat(arg, "2");
	r = belay_next(ctx, req, res, next);
	strcat(arg, "3");
	return r;
}

static void the_first_middleware_is_the_outermost(void **state)
{
	char trace[32] = "";

	add("GET /p");
	check(belay_router_use(router, count_passed_twice, trace) == 0);
	check(belay_router_use(router, count_passed, trace) == 0);
	assert_string_equal(ask("GET", "/p"), "200 GET /p");
	assert_string_equal(trace, "213");
	assert_string_equal(ask("GET", "/none"), "404 Not Found: no such path");
	assert_string_equal(trace, "213213");
}

static void a_route_s_middleware_stands_around_it_alone(void **state)
{
	char trace[32] = "";

	add("GET /p");
	add("GET /q");
	check(belay_router_use(router, count_passed, trace) == 0);
	assert_int_equal(belay_router_use_for(router, "GET /p", count_passed_twice, trace), 0);
	assert_int_equal(belay_router_use_for(router, "GET /none", count_passed, trace), -ENOENT);
	ask("GET", "/q");
	assert_string_equal(trace, "1");
	ask("GET", "/p");
	assert_string_equal(trace, "1123");
}

static void a_middleware_may_answer_itself(void **state)
{
	add("GET /p");
	check(belay_router_use(router, refuse_all, NULL) == 0);
	assert_string_equal(ask("GET", "/p"), "401 Unauthorized: who are you");
}

static void a_middleware_may_add_to_the_answer(void **state)
{
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/p"));

	add("GET /p");
	check(belay_router_use(router, note, "yes") == 0);
	assert_int_equal(belay_recorder_serve(belay_background(), rec, router), 0);
	assert_string_equal(belay_recorder_get_header(rec, "passed"), "yes");
	belay_recorder_free(rec);
}

/* ---- Error pages ----------------------------------------------------------------------------- */

static int json_page(belay_ctx *ctx, const belay_request *req, belay_response *res,
		     const struct belay_http_error *error, void *arg)
{
	belay_response_header(res, "Content-Type", "application/json");
	return belay_response_printf(ctx, res, "{\"error\":\"%s\",\"path\":\"%s\",\"arg\":\"%s\"}",
				     error->message, belay_request_path(req), (const char *)arg);
}

static void errors_are_told_by_the_application_s_page(void **state)
{
	add("POST /p");
	belay_router_error_page(router, json_page, "x");
	assert_string_equal(ask("GET", "/none"),
			    "404 {\"error\":\"no such path\",\"path\":\"/none\",\"arg\":\"x\"}");
	assert_string_equal(ask("GET", "/p"),
			    "405 {\"error\":\"Method Not Allowed\",\"path\":\"/p\",\"arg\":\"x\"}");
}

static int broken_page(belay_ctx *ctx, const belay_request *req, belay_response *res,
		       const struct belay_http_error *error, void *arg)
{
	belay_response_puts(ctx, res, "half");
	return -EIO;
}

static void a_page_that_fails_leaves_an_empty_body(void **state)
{
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/none"));

	belay_router_error_page(router, broken_page, NULL);
	assert_int_equal(belay_recorder_serve(belay_background(), rec, router), 0);
	assert_int_equal(belay_recorder_status(rec), 404);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "");
	belay_recorder_free(rec);
}

#define ROUTER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(ROUTER_TEST(a_path_comes_to_its_handler),
		ROUTER_TEST(a_parameter_stands_for_one_segment),
		ROUTER_TEST(a_tail_stands_for_all_that_is_left),
		ROUTER_TEST(text_wins_over_a_parameter_and_that_over_a_tail),
		ROUTER_TEST(a_path_that_leads_nowhere_is_gone_back_on),
		ROUTER_TEST(an_asterisk_is_no_path), ROUTER_TEST(a_method_wins_over_none),
		ROUTER_TEST(head_is_answered_by_get_without_its_body),
		ROUTER_TEST(another_method_is_told_which_are_allowed),
		ROUTER_TEST(what_is_no_pattern_is_refused),
		ROUTER_TEST(two_patterns_for_the_same_requests_are_refused),
		ROUTER_TEST(many_parameters_are_refused),
		ROUTER_TEST(the_first_middleware_is_the_outermost),
		ROUTER_TEST(a_route_s_middleware_stands_around_it_alone),
		ROUTER_TEST(a_middleware_may_answer_itself),
		ROUTER_TEST(a_middleware_may_add_to_the_answer),
		ROUTER_TEST(errors_are_told_by_the_application_s_page),
		ROUTER_TEST(a_page_that_fails_leaves_an_empty_body))
