/* SPDX-License-Identifier: MIT
 *
 * test_debug.c - handlers for a look inside.
 */
#include "check.h"

#include <belay/http.h>

#include <stdlib.h>
#include <string.h>

/* The answer to a GET of target. */
static belay_recorder *get(const char *target, const char *accept, belay_handler *handler)
{
	belay_recorder *rec = check_made(belay_recorder_new("GET", target));

	if (accept)
		assert_int_equal(belay_recorder_header(rec, "Accept", accept), 0);
	assert_int_equal(belay_recorder_run(belay_background(), rec, handler, NULL), 0);
	return rec;
}

static void assert_answer(belay_recorder *rec, unsigned status, const char *type, const char *part)
{
	assert_int_equal(belay_recorder_status(rec), status);
	assert_string_equal(belay_recorder_get_header(rec, "Content-Type"), type);
	if (!strstr(belay_recorder_get_body(rec, NULL), part))
		fail_msg("no %s in %s", part, belay_recorder_get_body(rec, NULL));
	belay_recorder_free(rec);
}

static void stats_are_served_as_text(void **state)
{
	assert_answer(get("/stats", NULL, belay_stats_handler), 200, "text/plain; charset=utf-8",
		      "# TYPE belay_contexts gauge\nbelay_contexts ");
	assert_answer(get("/stats?format=text", "application/json", belay_stats_handler), 200,
		      "text/plain; charset=utf-8", "belay_switches_total ");
}

static void stats_are_served_as_json(void **state)
{
	assert_answer(get("/stats?format=json", NULL, belay_stats_handler), 200, "application/json",
		      "\"contexts\":");
	assert_answer(get("/stats", "application/json", belay_stats_handler), 200,
		      "application/json", "\"parked_chan\":0,");
}

static void the_tree_is_served_in_both_forms(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));

	assert_answer(get("/tree", NULL, belay_tree_handler), 200, "text/plain; charset=utf-8",
		      "with_cancel");
	assert_answer(get("/tree?format=json", NULL, belay_tree_handler), 200, "application/json",
		      "\"kind\":\"with_cancel\"");
	belay_end(ctx);
}

static void another_format_is_refused(void **state)
{
	belay_recorder *rec = get("/stats?format=xml", NULL, belay_stats_handler);

	assert_int_equal(belay_recorder_status(rec), 400);
	assert_non_null(strstr(belay_recorder_get_body(rec, NULL), "format"));
	belay_recorder_free(rec);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(stats_are_served_as_text),
	cmocka_unit_test(stats_are_served_as_json),
	cmocka_unit_test(the_tree_is_served_in_both_forms),
	cmocka_unit_test(another_format_is_refused))
