/* SPDX-License-Identifier: MIT
 *
 * test_trace.c - the trace id of a request: taken from its headers where they can be trusted, made
 * otherwise.
 */
#include "check.h"

#include <belay/http.h>

#include <errno.h>
#include <string.h>

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define ID     "4bf92f3577b34da6a3ce929d0e0e4736"

static int tell_id(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_trace_id(ctx) != NULL);
	return belay_response_puts(ctx, res, belay_trace_id(ctx));
}

/* The id of a request with these two headers, NULL: without. The answer's header must be the
 * same. */
static const char *id_for(const char *traceparent, const char *x_trace_id)
{
	static char id[128];
	belay_router *router = check_made(belay_router_new());
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));

	check(belay_router_use(router, belay_http_trace, NULL) == 0);
	check(belay_router_add(router, "GET /", tell_id, NULL) == 0);
	if (traceparent)
		assert_int_equal(belay_recorder_header(rec, "traceparent", traceparent), 0);
	if (x_trace_id)
		assert_int_equal(belay_recorder_header(rec, "X-Trace-Id", x_trace_id), 0);
	assert_int_equal(belay_recorder_serve(belay_background(), rec, router), 0);
	snprintf(id, sizeof id, "%s", belay_recorder_get_body(rec, NULL));
	assert_string_equal(belay_recorder_get_header(rec, "x-trace-id"), id);
	belay_recorder_free(rec);
	belay_router_free(router);
	return id;
}

static void a_traceparent_s_id_is_taken(void **state)
{
	assert_string_equal(id_for(PARENT, NULL), ID);
	assert_string_equal(id_for(PARENT, "other"), ID);
}

static void an_x_trace_id_is_taken(void **state)
{
	assert_string_equal(id_for(NULL, "abc-123_X.y"), "abc-123_X.y");
	assert_string_equal(id_for("nonsense", "abc"), "abc");
}

static bool is_made(const char *id)
{
	return strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32;
}

static void without_one_a_random_id_is_made(void **state)
{
	char first[64];

	snprintf(first, sizeof first, "%s", id_for(NULL, NULL));
	assert_true(is_made(first));
	assert_true(is_made(id_for(NULL, NULL)));
	assert_string_not_equal(id_for(NULL, NULL), first);
}

static void a_malformed_id_is_as_good_as_none(void **state)
{
	char lengthy[66];

	memset(lengthy, 'a', 65);
	lengthy[65] = '\0';
	assert_true(is_made(id_for(NULL, "")));
	assert_true(is_made(id_for(NULL, "a b")));
	assert_true(is_made(id_for(NULL, "<script>")));
	assert_true(is_made(id_for(NULL, lengthy)));
	assert_string_equal(id_for(NULL, lengthy + 1), lengthy + 1);
}

/* Trace Context, section 3.2 */
static void a_traceparent_is_well_formed_or_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"00",
		"00-" ID "-00f067aa0ba902b7",
		"00-" ID "-00f067aa0ba902b7-0",
		"00-" ID "-00f067aa0ba902b7-01-more",
		"00-" ID "-00f067aa0ba902b7-01x",
		"ff-" ID "-00f067aa0ba902b7-01",
		"0x-" ID "-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-" ID "-0000000000000000-01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00_" ID "-00f067aa0ba902b7-01",
		"00-" ID "_00f067aa0ba902b7-01",
		"00-" ID "-00f067aa0ba902b7_01",
		"00-" ID "-00f067aa0ba902b7-zz",
		"00-" ID "g-0f067aa0ba902b7-01",
		"cc-" ID "-00f067aa0ba902b7-01more",
	};
	char id[33];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (belay_traceparent_parse(bad[i], id) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(belay_traceparent_parse(PARENT, id), 0);
	assert_string_equal(id, ID);
	assert_int_equal(belay_traceparent_parse("cc-" ID "-00f067aa0ba902b7-01-more", id), 0);
	assert_int_equal(belay_traceparent_parse("01-" ID "-00f067aa0ba902b7-01", id), 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_traceparent_s_id_is_taken),
		cmocka_unit_test(an_x_trace_id_is_taken),
		cmocka_unit_test(without_one_a_random_id_is_made),
		cmocka_unit_test(a_malformed_id_is_as_good_as_none),
		cmocka_unit_test(a_traceparent_is_well_formed_or_refused))
