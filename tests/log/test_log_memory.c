/* SPDX-License-Identifier: MIT
 *
 * test_log_memory.c - a line for which there is no memory, and a trace id.
 */
#include "check_oom.h"
#include "log/line.h"

#include <errno.h>
#include <string.h>

static char last[4096];

static void keep(void *arg, enum belay_log_level level, const char *line)
{
	snprintf(last, sizeof last, "%s", line);
}

static void log_long_line(void *arg)
{
	belay_log(NULL, BELAY_LOG_INFO, "%s", (const char *)arg);
	check(strlen(last) > 500);
	check(strcmp(last + strlen(last) - 3, "...") == 0 || strchr(last, '.') != NULL);
}

static void a_line_without_memory_is_cut_and_says_so(void **state)
{
	static char text[3000];

	memset(text, 'x', sizeof text - 1);
	belay_log_to(keep, NULL);
	belay__fail_nth(1);
	belay_log(NULL, BELAY_LOG_INFO, "%s", text);
	belay__fail_nth(0);
	assert_string_equal(last + strlen(last) - 3, "...");
	assert_true(check_each_allocation(log_long_line, text) >= 2);
	belay_log_to(NULL, NULL);
}

static void trace(void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_trace_id(belay_background(), "abc");

	check(belay_err(ctx) == -ENOMEM || strcmp(belay_trace_id(ctx), "abc") == 0);
}

static void a_trace_id_without_memory_is_a_context_that_is_done(void **state)
{
	assert_true(check_each_allocation(trace, NULL) >= 2);
}

static void a_line_grows_out_of_its_place(void **state)
{
	char place[64];
	struct belay__line line;

	belay__line_init(&line, place, sizeof place);
	for (int i = 0; i < 100; i++)
		belay__line_append(&line, "0123456789", 10);
	assert_int_equal(line.size, 1000);
	assert_int_equal(strlen(line.text), 1000);
	assert_false(line.cut);
	belay__line_fini(&line);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_line_without_memory_is_cut_and_says_so),
		cmocka_unit_test(a_trace_id_without_memory_is_a_context_that_is_done),
		cmocka_unit_test(a_line_grows_out_of_its_place))
