/* SPDX-License-Identifier: MIT
 *
 * test_format.c - belay_format(): the path from the root, with snprintf's contract.
 */
#include "check.h"

#include <signal.h>
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

static void assert_seconds(const char **at, double least, double most)
{
	char *end;
	double seconds = strtod(*at, &end);

	assert_true(seconds >= least && seconds <= most);
	assert_ptr_equal(end, strchr(*at, '.') + 4); /* three digits */
	*at = end;
}

static void a_deadline_says_how_long_from_now(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_S(3600));
	char buf[64];
	const char *at = buf + strlen("background.with_deadline(in ");

	assert_starts(ctx, "background.with_deadline(in ");
	belay_format(ctx, buf, sizeof buf);
	assert_seconds(&at, 3000, 3600);
	assert_string_equal(at, "s)");
	belay_end(ctx);
}

static void a_deadline_that_has_passed_says_how_long_ago(void **state)
{
	belay_ctx *ctx = belay_with_deadline(belay_background(), belay_now() - BELAY_S(100));
	char buf[64];
	const char *at = buf + strlen("background.with_deadline(");

	assert_starts(ctx, "background.with_deadline(");
	belay_format(ctx, buf, sizeof buf);
	assert_seconds(&at, 100, 600);
	assert_string_equal(at, "s ago)");
	belay_end(ctx);
}

static void the_oldest_deadline_there_is_is_in_the_past(void **state)
{
	belay_ctx *all[] = {
		belay_with_deadline(belay_background(), INT64_MIN),
		belay_with_timeout(belay_background(), INT64_MIN),
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char buf[64];

		belay_format(all[i], buf, sizeof buf);
		assert_string_equal(buf, "background.with_deadline(9223372036.855s ago)");
		belay_end(all[i]);
	}
}

static void a_deadline_not_before_the_parents_is_a_plain_child(void **state)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), BELAY_S(3600));
	belay_ctx *child = belay_with_timeout(parent, BELAY_S(7200));
	char buf[128];

	belay_format(child, buf, sizeof buf);
	assert_string_equal(strrchr(buf, ')'), ").with_cancel");
	belay_end(child);
	belay_end(parent);
}

static void a_failed_derivation_says_why(void **state)
{
	belay_ctx *failed = belay_with_cancel(NULL);
	belay_ctx *child = belay_with_value(failed, &hidden, NULL);

	assert_format(failed, "failed(Invalid argument)");
	assert_format(child, "failed(Invalid argument).with_value(hidden)");
	belay_end(child);
	belay_end(failed);
}

static void a_null_context_is_null(void **state)
{
	assert_format(NULL, "null");
}

static void a_merge_shows_its_second_path_inside(void **state)
{
	int answer = 42;
	belay_ctx *first = belay_with_cancel(belay_background());
	belay_ctx *second = belay_with_value(belay_todo(), &number, &answer);
	belay_ctx *merge = belay_with_merge(first, second);
	belay_ctx *child = belay_without_cancel(merge);

	assert_format(child, "background.with_cancel.with_merge(todo.with_value(number=42))"
			     ".without_cancel");
	belay_end(child);
	belay_end(merge);
	belay_end(second);
	belay_end(first);
}

static void a_merge_within_a_second_path_is_left_out(void **state)
{
	belay_ctx *inner = belay_with_merge(belay_todo(), belay_background());
	belay_ctx *outer = belay_with_merge(belay_background(), inner);

	assert_format(outer, "background.with_merge(todo.with_merge(...))");
	belay_end(outer);
	belay_end(inner);
}

static void of_a_long_second_path_the_last_steps_show(void **state)
{
	enum { DEPTH = 40, SHOWN = 13 }; /* 3 + 13 * 12 bytes, of 160 */
	belay_ctx *chain[DEPTH], *merge;
	char expected[512] = "background.with_merge(...";

	for (int i = 0; i < DEPTH; i++)
		chain[i] = belay_with_cancel(i ? chain[i - 1] : belay_todo());
	merge = belay_with_merge(belay_background(), chain[DEPTH - 1]);
	for (int i = 0; i < SHOWN; i++)
		strcat(expected, ".with_cancel");
	assert_format(merge, strcat(expected, ")"));
	belay_end(merge);
	for (int i = 0; i < DEPTH; i++)
		belay_end(chain[i]);
}

static void a_signals_and_a_groups_context_are_plain_children(void **state)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGUSR1, 0);
	belay_group *group = belay_group_new(ctx);

	assert_format(belay_group_ctx(group), "background.with_cancel.with_cancel");
	assert_int_equal(belay_group_wait(group), 0);
	belay_end(ctx);
}

static void a_trace_id_is_a_value(void **state)
{
	belay_ctx *ctx = belay_with_trace_id(belay_background(), "4bf92f");

	assert_format(ctx, "background.with_value(trace_id=4bf92f)");
	belay_end(ctx);
}

static void odd_bytes_in_a_value_are_escaped(void **state)
{
	static const struct {
		const char *value, *shown;
	} cases[] = {
		{"a.b(c)\\d=e", "a.b(c\\)\\\\d=e"},
		{"line\n\ttab\x7f", "line\\x0a\\x09tab\\x7f"},
		{"gr\xc3\xb6\xc3\x9f" "er", "gr\xc3\xb6\xc3\x9f" "er"},
		{"\xc2\x9b" "31m", "\\xc2\\x9b31m"},
		{"\xff\xc3", "\\xff\\xc3"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
		{"", NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		belay_ctx *ctx = belay_with_value(belay_background(), &text,
						  (void *)(uintptr_t)cases[i].value);
		char expected[128];

		snprintf(expected, sizeof expected, "background.with_value(text%s%s)",
			 cases[i].shown ? "=" : "", cases[i].shown ? cases[i].shown : "");
		assert_format(ctx, expected);
		belay_end(ctx);
	}
}

static void odd_bytes_in_a_keys_name_are_escaped(void **state)
{
	static const belay_key odd = {.name = "a=b)\n"};
	belay_ctx *ctx = belay_with_value(belay_background(), &odd, NULL);

	assert_format(ctx, "background.with_value(a\\=b\\)\\x0a)");
	belay_end(ctx);
}

static void a_key_without_a_name_has_an_empty_one(void **state)
{
	static const belay_key nameless = {.format = format_number};
	int answer = 42;
	belay_ctx *ctx = belay_with_value(belay_background(), &nameless, &answer);

	assert_format(ctx, "background.with_value(=42)");
	belay_end(ctx);
}

static void a_long_name_is_shown_in_part(void **state)
{
	static const belay_key longer = {
		.name = "0123456789012345678901234567890123456789012345678901234567890123456789"};
	belay_ctx *ctx = belay_with_value(belay_background(), &longer, NULL);

	assert_format(ctx, "background.with_value("
			   "0123456789012345678901234567890123456789012345678901234567890123)");
	belay_end(ctx);
}

static void what_is_cut_is_cut_between_characters(void **state)
{
	char value[256], expected[300];
	belay_ctx *ctx;

	memset(value, 'x', 159);
	strcpy(value + 159, "\xc3\xb6 and more");
	ctx = belay_with_value(belay_background(), &text, value);
	snprintf(expected, sizeof expected, "background.with_value(text=%.159s)", value);
	assert_format(ctx, expected);
	strcpy(value + 159, "\n and more");
	assert_format(ctx, expected);
	belay_end(ctx);
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
	mild = check_live(belay_with_value(belay_background(), &text, longer));
	wild = check_live(belay_with_value(mild, &careless, NULL));
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
		cmocka_unit_test(a_deadline_says_how_long_from_now),
		cmocka_unit_test(a_deadline_that_has_passed_says_how_long_ago),
		cmocka_unit_test(the_oldest_deadline_there_is_is_in_the_past),
		cmocka_unit_test(a_deadline_not_before_the_parents_is_a_plain_child),
		cmocka_unit_test(a_failed_derivation_says_why),
		cmocka_unit_test(a_null_context_is_null),
		cmocka_unit_test(a_merge_shows_its_second_path_inside),
		cmocka_unit_test(a_merge_within_a_second_path_is_left_out),
		cmocka_unit_test(of_a_long_second_path_the_last_steps_show),
		cmocka_unit_test(a_signals_and_a_groups_context_are_plain_children),
		cmocka_unit_test(a_trace_id_is_a_value),
		cmocka_unit_test(odd_bytes_in_a_value_are_escaped),
		cmocka_unit_test(odd_bytes_in_a_keys_name_are_escaped),
		cmocka_unit_test(a_key_without_a_name_has_an_empty_one),
		cmocka_unit_test(a_long_name_is_shown_in_part),
		cmocka_unit_test(what_is_cut_is_cut_between_characters),
		cmocka_unit_test(a_value_without_a_format_shows_its_keys_name_alone),
		cmocka_unit_test(a_format_that_fails_does_no_harm),
		cmocka_unit_test(every_size_is_cut_and_terminated_as_by_snprintf),
		cmocka_unit_test(a_size_of_zero_only_measures),
		cmocka_unit_test(a_deep_path_is_whole),
		cmocka_unit_test(a_long_value_is_shown_in_part_and_harms_nothing),
		cmocka_unit_test(a_done_context_formats_as_before))
