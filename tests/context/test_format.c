/* SPDX-License-Identifier: MIT
 *
 * test_format.c - belay_format(): the path from the root, with snprintf's contract.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

static int format_number(const void *value, char *buf, size_t size)
{
	return snprintf(buf, size, "%d", *(const int *)value);
}

static int format_text(const void *value, char *buf, size_t size)
{
	return snprintf(buf, size, "%s", (const char *)value);
}

static int format_failing(const void *value, char *buf, size_t size)
{
	return -1;
}

static const belay_key number = {.name = "number", .format = format_number};
static const belay_key text = {.name = "text", .format = format_text};
static const belay_key hidden = {.name = "hidden"};
static const belay_key failing = {.name = "failing", .format = format_failing};

static void assert_format(belay_ctx *ctx, const char *expected)
{
	char buf[512];

	assert_int_equal(belay_format(ctx, buf, sizeof buf), strlen(expected));
	assert_string_equal(buf, expected);
}

static void assert_starts(belay_ctx *ctx, const char *expected)
{
	char buf[512];

	assert_true(belay_format(ctx, buf, sizeof buf) >= (int)strlen(expected));
	assert_memory_equal(buf, expected, strlen(expected));
}

static void a_path_names_each_derivation_from_the_root(void **state)
{
	int answer = 42;
	belay_ctx *cancel = belay_with_cancel(belay_background());
	belay_ctx *value = belay_with_value(cancel, &number, &answer);
	belay_ctx *without = belay_without_cancel(value);

	assert_format(cancel, "background.with_cancel");
	assert_format(value, "background.with_cancel.with_value(number=42)");
	assert_format(without, "background.with_cancel.with_value(number=42).without_cancel");
	belay_end(without);
	belay_end(value);
	belay_end(cancel);
}

static void a_path_may_start_at_todo(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_todo());

	assert_format(ctx, "todo.with_cancel");
	belay_end(ctx);
}

static void deadlines_merges_and_failures_show_in_the_path(void **state)
{
	belay_ctx *timed = belay_with_timeout(belay_background(), BELAY_S(3600));
	belay_ctx *dated = belay_with_deadline(belay_background(), belay_now() + BELAY_S(3600));
	belay_ctx *merge = belay_with_merge(timed, dated);
	belay_ctx *failed = belay_with_cancel(NULL);
	char buf[64];

	assert_starts(timed, "background.with_");
	assert_starts(dated, "background.with_");
	assert_starts(merge, "background.with_");
	assert_true(belay_format(failed, buf, sizeof buf) > 0);
	belay_end(failed);
	belay_end(merge);
	belay_end(dated);
	belay_end(timed);
}

static void a_value_without_a_format_shows_its_keys_name_alone(void **state)
{
	static char secret[] = "secret";
	belay_ctx *ctx = belay_with_value(belay_background(), &hidden, secret);
	char buf[128];

	assert_true(belay_format(ctx, buf, sizeof buf) > 0);
	assert_non_null(strstr(buf, "with_value(hidden"));
	assert_null(strstr(buf, "secret"));
	belay_end(ctx);
}

static void a_format_that_fails_does_no_harm(void **state)
{
	belay_ctx *ctx = belay_with_value(belay_background(), &failing, NULL);
	belay_ctx *child = belay_with_cancel(ctx);
	char buf[128];
	int n = belay_format(child, buf, sizeof buf);

	assert_true(n > 0);
	assert_int_equal(strlen(buf), n);
	assert_non_null(strstr(buf, "failing"));
	assert_non_null(strstr(buf, ".with_cancel"));
	belay_end(child);
	belay_end(ctx);
}

static void every_size_is_cut_and_terminated_as_by_snprintf(void **state)
{
	belay_ctx *value = belay_with_value(belay_background(), &text, "a rather long value");
	belay_ctx *ctx = belay_with_cancel(value);
	char full[256], buf[256];
	int n = belay_format(ctx, full, sizeof full);

	assert_int_equal(strlen(full), n);
	for (size_t size = 1; size < (size_t)n + 3; size++) {
		size_t kept = size - 1 < (size_t)n ? size - 1 : (size_t)n;

		memset(buf, 0x5a, sizeof buf);
		assert_int_equal(belay_format(ctx, buf, size), n);
		assert_int_equal(strlen(buf), kept);
		assert_memory_equal(buf, full, kept);
		for (size_t i = size; i < sizeof buf; i++)
			assert_int_equal(buf[i], 0x5a);
	}
	belay_end(ctx);
	belay_end(value);
}

static void a_size_of_zero_only_measures(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	char untouched = 'x';

	assert_int_equal(belay_format(ctx, NULL, 0), strlen("background.with_cancel"));
	assert_int_equal(belay_format(ctx, &untouched, 0), strlen("background.with_cancel"));
	assert_int_equal(untouched, 'x');
	belay_end(ctx);
}

static void a_deep_path_is_whole(void **state)
{
	enum { DEPTH = 1000 };
	const size_t expected = strlen("background") + DEPTH * strlen(".with_cancel");
	belay_ctx *chain[DEPTH];
	char *buf = malloc(expected + 1);

	assert_non_null(buf);
	for (int i = 0; i < DEPTH; i++)
		chain[i] = belay_with_cancel(i ? chain[i - 1] : belay_background());
	assert_int_equal(belay_format(chain[DEPTH - 1], buf, expected + 1), expected);
	assert_int_equal(strlen(buf), expected);
	assert_string_equal(buf + expected - strlen(".with_cancel.with_cancel"),
			    ".with_cancel.with_cancel");
	for (int i = 0; i < DEPTH; i++)
		belay_end(chain[i]);
	free(buf);
}

static int format_much(const void *value, char *buf, size_t size)
{
	memset(buf, 'x', size); /* all of it, and no end: what a careless format might do */
	return 5000;
}

static void a_long_value_is_shown_in_part_and_harms_nothing(void **state)
{
	static const belay_key careless = {.name = "careless", .format = format_much};
	static char longer[1000];
	belay_ctx *mild, *wild;
	char buf[1024];
	int n;

	memset(longer, 'y', sizeof longer - 1);
	mild = belay_with_value(belay_background(), &text, longer);
	wild = belay_with_value(mild, &careless, NULL);
	n = belay_format(mild, buf, sizeof buf);
	assert_int_equal(n, strlen(buf));
	assert_int_equal(strspn(strchr(buf, '=') + 1, "y"), 160);
	assert_string_equal(strchr(buf, '\0') - 2, "y)");
	n = belay_format(wild, buf, sizeof buf);
	assert_int_equal(n, strlen(buf));
	assert_string_equal(strchr(buf, '\0') - 2, "x)");
	belay_end(wild);
	belay_end(mild);
}

static void a_done_context_formats_as_before(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	belay_cancel(ctx);
	assert_starts(ctx, "background.with_cancel");
	belay_end(ctx);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_path_names_each_derivation_from_the_root),
		cmocka_unit_test(a_path_may_start_at_todo),
		cmocka_unit_test(deadlines_merges_and_failures_show_in_the_path),
		cmocka_unit_test(a_value_without_a_format_shows_its_keys_name_alone),
		cmocka_unit_test(a_format_that_fails_does_no_harm),
		cmocka_unit_test(every_size_is_cut_and_terminated_as_by_snprintf),
		cmocka_unit_test(a_size_of_zero_only_measures),
		cmocka_unit_test(a_deep_path_is_whole),
		cmocka_unit_test(a_long_value_is_shown_in_part_and_harms_nothing),
		cmocka_unit_test(a_done_context_formats_as_before))
