/* SPDX-License-Identifier: MIT
 *
 * test_access_log_json.c - one JSON object a request.
 */
#include "around.h"

#include <belay/http_middleware.h>

#include <stdlib.h>

static char line[8192];

static void keep(void *arg, const char *text, size_t size)
{
	assert_true(size < sizeof line);
	memcpy(line, text, size);
	line[size] = '\0';
}

static const struct belay_json_log to_here = {.write = keep};

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "twelve bytes");
}

static void assert_has(const char *part)
{
	if (!strstr(line, part))
		fail_msg("no %s in %s", part, line);
}

static void log_one(const char *target, const char *agent)
{
	belay_router *router = around_new(belay_http_access_log_json, &to_here, answer, NULL);

	belay_recorder_free(around_ask(belay_background(), router, "GET", target,
				       agent ? "User-Agent" : NULL, agent));
	belay_router_free(router);
}

static void a_line_has_what_is_known(void **state)
{
	log_one("/a/b?secret=1", "curl/8.5");
	assert_int_equal(strncmp(line, "{\"time\":\"20", 11), 0);
	assert_has("Z\",\"remote\":\"recorder\",\"method\":\"GET\",\"path\":\"/a/b\","
		   "\"route\":\"/{rest...}\",\"agent\":\"curl/8.5\",\"status\":200,\"ms\":");
	assert_has(",\"bytes\":12}\n");
}

static void what_is_not_known_is_left_out(void **state)
{
	log_one("/", NULL);
	assert_null(strstr(line, "agent"));
	assert_null(strstr(line, "cause"));
	assert_null(strstr(line, "trace_id"));
}

static void texts_are_escaped_and_made_utf_8(void **state)
{
	log_one("/\"\\", "a\"b\\c\td\xc3\xa4\xff\x80");
	assert_has("\"path\":\"/\\\"\\\\\"");
	assert_has("\"agent\":\"a\\\"b\\\\c\\u0009d\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void long_texts_are_cut_and_the_line_stays_whole(void **state)
{
	char target[5000], agent[4001];

	memset(target, '"', sizeof target);
	target[0] = '/';
	target[sizeof target - 1] = '\0';
	memset(agent, '\t', sizeof agent);
	agent[0] = 'x';
	agent[sizeof agent - 1] = '\0';
	log_one(target, agent);
	assert_true(strlen(line) < 2000);
	assert_int_equal(strcmp(line + strlen(line) - 2, "}\n"), 0);
	assert_has("\\\"\",\"route\"");
	assert_has("\\u0009\",\"status\":200");
}

static void a_request_that_is_ended_has_its_cause(void **state)
{
	belay_router *router = around_new(belay_http_access_log_json, &to_here, answer, NULL);
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));

	belay_cancel_cause(ctx, -ECONNRESET, "client disconnected");
	belay_recorder_free(around_ask(ctx, router, "GET", "/", NULL, NULL));
	assert_has("\"status\":499,");
	assert_has(",\"cause\":\"client disconnected\"}");
	belay_end(ctx);
	belay_router_free(router);
}

static int fail_with(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return -EIO;
}

static void a_handler_that_failed_leaves_its_error(void **state)
{
	belay_router *router = around_new(belay_http_access_log_json, &to_here, fail_with, NULL);

	belay_recorder_free(around_ask(belay_background(), router, "GET", "/", NULL, NULL));
	assert_has("\"status\":500,");
	assert_has(",\"error\":\"Input/output error\"}");
	belay_router_free(router);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_line_has_what_is_known),
		cmocka_unit_test(what_is_not_known_is_left_out),
		cmocka_unit_test(texts_are_escaped_and_made_utf_8),
		cmocka_unit_test(long_texts_are_cut_and_the_line_stays_whole),
		cmocka_unit_test(a_request_that_is_ended_has_its_cause),
		cmocka_unit_test(a_handler_that_failed_leaves_its_error))
