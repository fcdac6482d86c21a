/* SPDX-License-Identifier: MIT
 *
 * test_misuse.c - parts of a router that lack what they need, or are not there at all.
 */
#include "around.h"

#include <belay/http_files.h>
#include <belay/http_middleware.h>
#include <belay/log.h>

#include <errno.h>

static char line[512];

static void keep(void *arg, enum belay_log_level level, const char *text)
{
	check(level == BELAY_LOG_ERROR);
	snprintf(line, sizeof line, "%s", text);
}

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "fine");
}

static void refuses(belay_middleware *middleware, belay_handler *handler, const char *message)
{
	belay_router *router = check_made(belay_router_new());

	belay_log_to(keep, NULL);
	if (middleware)
		check(belay_router_use(router, middleware, NULL) == 0);
	check(belay_router_add(router, "/{path...}", handler, NULL) == 0);
	check(around_status(belay_background(), router, NULL, NULL) == 500);
	check(strstr(line, message) != NULL);
	belay_log_to(NULL, NULL);
	belay_router_free(router);
}

static void a_middleware_without_its_arg_answers_500_and_is_named_in_the_log(void **state)
{
	refuses(belay_http_limit_rate, answer, "belay_http_limit_rate was given no limit");
	refuses(belay_http_limit_concurrency, answer, "belay_http_limit_concurrency");
	refuses(belay_http_shed, answer, "belay_http_shed");
	refuses(belay_http_authenticate, answer, "belay_http_authenticate");
	refuses(belay_http_cors, answer, "belay_http_cors");
	refuses(belay_http_measure, answer, "belay_http_measure");
}

static void so_does_a_handler_without_its_data(void **state)
{
	refuses(NULL, belay_files_handler, "belay_files_handler was given no folder");
	refuses(NULL, belay_metrics_handler, "belay_metrics_handler was given no metrics");
}

static void what_is_not_there_is_not_added(void **state)
{
	belay_router *router = check_made(belay_router_new());

	assert_int_equal(belay_router_add(NULL, "/", answer, NULL), -EINVAL);
	assert_int_equal(belay_router_add(router, NULL, answer, NULL), -EINVAL);
	assert_int_equal(belay_router_add(router, "/", NULL, NULL), -EINVAL);
	assert_int_equal(belay_router_use(NULL, belay_http_trace, NULL), -EINVAL);
	assert_int_equal(belay_router_use(router, NULL, NULL), -EINVAL);
	assert_int_equal(belay_router_use_for(router, NULL, belay_http_trace, NULL), -EINVAL);
	assert_int_equal(belay_router_use_for(router, "/", NULL, NULL), -EINVAL);
	belay_router_free(router);
}

static void a_server_s_times_are_not_negative(void **state)
{
	belay_router *router = check_made(belay_router_new());
	belay_server *server = NULL;

	for (int i = 0; i < 3; i++) {
		struct belay_server_options options = {
			.idle_time = -(i == 0), .header_time = -(i == 1), .body_grace = -(i == 2)};

		assert_int_equal(belay_server_new(belay_background(), router, &options, &server),
				 -EINVAL);
	}
	assert_null(server);
	belay_router_free(router);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(a_middleware_without_its_arg_answers_500_and_is_named_in_the_log),
	cmocka_unit_test(so_does_a_handler_without_its_data),
	cmocka_unit_test(what_is_not_there_is_not_added),
	cmocka_unit_test(a_server_s_times_are_not_negative))
