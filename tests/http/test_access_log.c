/* SPDX-License-Identifier: MIT
 *
 * test_access_log.c - one line a request.
 */
#include "check.h"

#include <belay/http.h>

#include <errno.h>
#include <regex.h>
#include <string.h>

static char lines[4096];
static unsigned count;
static belay_ctx *outer; /* above the request's, to be ended by its handler */

static void keep(void *arg, enum belay_log_level level, const char *line)
{
	check(level == BELAY_LOG_INFO);
	snprintf(lines, sizeof lines, "%s", line);
	count++;
}

static int set_up(void **state)
{
	count = 0;
	belay_log_to(keep, NULL);
	return 0;
}

static int tear_down(void **state)
{
	belay_log_to(NULL, NULL);
	return 0;
}

/* Serves one request with trace, log and handler, and matches its line. */
static void line_is(const char *method, const char *target, belay_handler *handler, void *data,
		    const char *pattern)
{
	belay_router *router = check_made(belay_router_new());
	belay_recorder *rec = check_made(belay_recorder_new(method, target));
	regex_t regex;

	check(belay_router_use(router, belay_http_trace, NULL) == 0);
	check(belay_router_use(router, belay_http_access_log, NULL) == 0);
	check(belay_router_add(router, "/{rest...}", handler, data) == 0);
	check(belay_recorder_header(rec, "X-Trace-Id", "t1") == 0);
	outer = check_live(belay_with_cancel(belay_background()));
	belay_recorder_serve(outer, rec, router);
	belay_end(outer);
	assert_int_equal(count, 1);
	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&regex, lines, 0, NULL, 0) != 0)
		fail_msg("\"%s\" is not \"%s\"", lines, pattern);
	regfree(&regex);
	belay_recorder_free(rec);
	belay_router_free(router);
}

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_response_status(res, 201);
	return belay_response_puts(ctx, res, "x");
}

static void a_line_has_method_path_status_and_milliseconds(void **state)
{
	line_is("POST", "/a%0Ab/c?secret=1", answer, NULL,
		"\\[t1\\] POST /a%0Ab/c 201 [0-9]+\\.[0-9]ms$");
}

static int fail_with(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return -EIO;
}

static void a_failed_handler_is_logged_with_its_page_s_status_and_the_error(void **state)
{
	line_is("GET", "/", fail_with, NULL, "GET / 500 [0-9.]+ms error=\"Input/output error\"$");
}

static int fail_in_the_middle(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_response_puts(ctx, res, "half") == 0);
	check(belay_response_flush(ctx, res) == 0);
	return -EIO;
}

static void an_answer_that_its_handler_cuts_off_is_logged_with_the_error(void **state)
{
	line_is("GET", "/", fail_in_the_middle, NULL,
		"GET / 200 [0-9.]+ms error=\"Input/output error\"$");
}

static int end_with_cause(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const belay_cause *cause = belay_request_data(req);

	belay_cancel_cause(outer, cause->code, "%s", cause->message);
	return belay_err(ctx);
}

static void a_client_that_has_gone_is_logged_with_the_cause(void **state)
{
	belay_cause cause = {.code = -ECONNRESET, .message = "client disconnected"};

	line_is("GET", "/", end_with_cause, &cause,
		"GET / 499 [0-9.]+ms cause=\"client disconnected\"$");
}

static void a_request_that_is_ended_is_logged_with_the_cause(void **state)
{
	belay_cause cause = {.code = -ESHUTDOWN, .message = "server shutting down"};

	line_is("GET", "/", end_with_cause, &cause,
		"GET / 503 [0-9.]+ms cause=\"server shutting down\"$");
}

static int answer_too_late(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	BELAY_SCOPED belay_ctx *own = check_live(belay_with_timeout(ctx, 0));

	return belay_response_error(own, req, res, 503, NULL);
}

static void a_handler_s_own_deadline_is_logged_with_the_cause(void **state)
{
	line_is("GET", "/", answer_too_late, NULL,
		"GET / 503 [0-9.]+ms cause=\"context deadline exceeded\"$");
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(LOG_TEST(a_line_has_method_path_status_and_milliseconds),
		LOG_TEST(a_failed_handler_is_logged_with_its_page_s_status_and_the_error),
		LOG_TEST(an_answer_that_its_handler_cuts_off_is_logged_with_the_error),
		LOG_TEST(a_client_that_has_gone_is_logged_with_the_cause),
		LOG_TEST(a_request_that_is_ended_is_logged_with_the_cause),
		LOG_TEST(a_handler_s_own_deadline_is_logged_with_the_cause))
