/* SPDX-License-Identifier: MIT
 *
 * test_log.c - lines with the trace id: what they look like, where they go, which are dropped.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- A sink that keeps what it is given ------------------------------------------------------ */

struct kept {
	pthread_mutex_t lock;
	char lines[64][4096];
	enum belay_log_level levels[64];
	unsigned count;
};

static void keep(void *arg, enum belay_log_level level, const char *line)
{
	struct kept *kept = arg;

	pthread_mutex_lock(&kept->lock);
	if (check(kept->count < 64)) {
		snprintf(kept->lines[kept->count], sizeof kept->lines[0], "%s", line);
		kept->levels[kept->count++] = level;
	}
	pthread_mutex_unlock(&kept->lock);
}

static struct kept kept;

static int begin(void **state)
{
	memset(&kept, 0, sizeof kept);
	pthread_mutex_init(&kept.lock, NULL);
	belay_log_level(BELAY_LOG_INFO);
	belay_log_to(keep, &kept);
	return 0;
}

static int end(void **state)
{
	belay_log_to(NULL, NULL);
	belay_log_level(BELAY_LOG_INFO);
	pthread_mutex_destroy(&kept.lock);
	return 0;
}

static bool matches(const char *text, const char *pattern)
{
	regex_t regex;
	bool matched;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	matched = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return matched;
}

/* ---- Trace ids ------------------------------------------------------------------------------- */

static void a_context_carries_a_copy_of_its_trace_id(void **state)
{
	char id[] = "abc";
	belay_ctx *ctx = check_live(belay_with_trace_id(belay_background(), id));
	belay_ctx *child = check_live(belay_with_cancel(ctx));

	id[0] = 'X';
	assert_string_equal(belay_trace_id(child), "abc");
	assert_null(belay_trace_id(belay_background()));
	belay_end(child);
	belay_end(ctx);
}

static void the_nearest_trace_id_wins(void **state)
{
	BELAY_SCOPED belay_ctx *outer =
		check_live(belay_with_trace_id(belay_background(), "outer"));
	BELAY_SCOPED belay_ctx *inner = check_live(belay_with_trace_id(outer, "inner"));

	assert_string_equal(belay_trace_id(inner), "inner");
	assert_string_equal(belay_trace_id(outer), "outer");
}

static void a_trace_id_is_shown_in_the_context_s_text(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = (belay_with_trace_id)(belay_background(), "abc");
	char text[128];

	belay_format(ctx, text, sizeof text);
	assert_non_null(strstr(text, "trace_id=abc"));
}

static void no_trace_id_is_an_invalid_one(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_trace_id(belay_background(), NULL);

	assert_int_equal(belay_err(ctx), -EINVAL);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static void a_line_has_time_level_trace_id_and_text(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_trace_id(belay_background(), "t-1");

	belay_log(ctx, BELAY_LOG_INFO, "%s is %d", "answer", 42);
	belay_log(ctx, BELAY_LOG_WARNING, "w");
	belay_log(ctx, BELAY_LOG_ERROR, "e");
	assert_int_equal(kept.count, 3);
	assert_true(matches(kept.lines[0],
			    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
			    "INFO  \\[t-1\\] answer is 42$"));
	assert_true(matches(kept.lines[1], " WARN  \\[t-1\\] w$"));
	assert_true(matches(kept.lines[2], " ERROR \\[t-1\\] e$"));
	assert_int_equal(kept.levels[1], BELAY_LOG_WARNING);
}

static void a_line_without_a_trace_id_has_a_dash(void **state)
{
	belay_log(belay_background(), BELAY_LOG_INFO, "one");
	belay_log(NULL, BELAY_LOG_INFO, "two");
	assert_true(matches(kept.lines[0], "\\[-\\] one$"));
	assert_true(matches(kept.lines[1], "\\[-\\] two$"));
}

static void a_done_context_logs_all_the_same(void **state)
{
	belay_ctx *root = belay_with_cancel(belay_background());
	belay_ctx *ctx = belay_with_trace_id(root, "gone");

	belay_cancel(root);
	belay_log(ctx, BELAY_LOG_INFO, "late");
	assert_true(matches(kept.lines[0], "\\[gone\\] late$"));
	belay_end(ctx);
	belay_end(root);
}

static void control_characters_are_escaped(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_trace_id(belay_background(), "a\nb");

	belay_log(ctx, BELAY_LOG_INFO, "x\r\n\ty\x1b[31m\x7f z\xc2\x9bw \xc3\xa9");
	assert_non_null(strstr(kept.lines[0],
			       "[a\\nb] x\\r\\n\\ty\\x1b[31m\\x7f z\\u009bw \xc3\xa9"));
}

static void a_long_line_is_whole(void **state)
{
	char text[3000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	belay_log(NULL, BELAY_LOG_INFO, "%s.", text);
	assert_true(strlen(kept.lines[0]) > sizeof text);
	assert_int_equal(kept.lines[0][strlen(kept.lines[0]) - 1], '.');
}

static void errno_is_printed_and_left_alone(void **state)
{
	errno = ENOENT;
	belay_log(NULL, BELAY_LOG_INFO, "%m");
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(kept.lines[0], "No such file or directory"));
}

/* ---- Levels ---------------------------------------------------------------------------------- */

static void lines_below_the_level_are_dropped(void **state)
{
	belay_log(NULL, BELAY_LOG_DEBUG, "no");
	assert_int_equal(kept.count, 0);
	belay_log_level(BELAY_LOG_DEBUG);
	belay_log(NULL, BELAY_LOG_DEBUG, "yes");
	assert_int_equal(kept.count, 1);
	belay_log_level(BELAY_LOG_ERROR);
	belay_log(NULL, BELAY_LOG_WARNING, "no");
	assert_int_equal(kept.count, 1);
}

/* ---- Where lines go -------------------------------------------------------------------------- */

/* Runs log_some() with standard error sent to a pipe, and reads what came out. */
static void capture(void (*log_some)(void), char *text, size_t size)
{
	int saved = dup(STDERR_FILENO), pipe_fds[2];
	ssize_t n;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	dup2(pipe_fds[1], STDERR_FILENO);
	close(pipe_fds[1]);
	log_some();
	dup2(saved, STDERR_FILENO);
	close(saved);
	for (size_t got = 0; (n = read(pipe_fds[0], text + got, size - 1 - got)) > 0;)
		text[got += (size_t)n] = '\0';
	close(pipe_fds[0]);
}

static void log_two(void)
{
	belay_log_to(NULL, NULL);
	belay_log(NULL, BELAY_LOG_INFO, "one");
	belay_log(NULL, BELAY_LOG_INFO, "two");
}

static void without_a_sink_lines_go_to_standard_error(void **state)
{
	char text[1024] = "";

	capture(log_two, text, sizeof text);
	assert_true(matches(text, "one\n.*two\n$"));
}

static void *log_many(void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_trace_id(belay_background(), arg);

	for (int i = 0; i < 50; i++)
		belay_log(ctx, BELAY_LOG_INFO, "%s %s %s", (char *)arg, (char *)arg, (char *)arg);
	return NULL;
}

static void log_from_threads(void)
{
	static char names[4][8] = {"aaaa", "bbbb", "cccc", "dddd"};
	pthread_t threads[4];

	belay_log_to(NULL, NULL);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, log_many, names[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void lines_of_several_threads_never_mix(void **state)
{
	static char text[65536];
	unsigned lines = 0;

	capture(log_from_threads, text, sizeof text);
	for (char *line = text, *next; *line; line = next) {
		char *bracket = strchr(line, '['), want[64];

		next = strchr(line, '\n') + 1;
		next[-1] = '\0';
		assert_non_null(bracket);
		snprintf(want, sizeof want, "[%.4s] %.4s %.4s %.4s", bracket + 1, bracket + 1,
			 bracket + 1, bracket + 1);
		assert_string_equal(bracket, want);
		lines++;
	}
	assert_int_equal(lines, 200);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

BELAY_TEST_MAIN(cmocka_unit_test(a_context_carries_a_copy_of_its_trace_id),
		cmocka_unit_test(the_nearest_trace_id_wins),
		cmocka_unit_test(a_trace_id_is_shown_in_the_context_s_text),
		cmocka_unit_test(no_trace_id_is_an_invalid_one),
		LOG_TEST(a_line_has_time_level_trace_id_and_text),
		LOG_TEST(a_line_without_a_trace_id_has_a_dash),
		LOG_TEST(a_done_context_logs_all_the_same),
		LOG_TEST(control_characters_are_escaped),
		LOG_TEST(a_long_line_is_whole),
		LOG_TEST(errno_is_printed_and_left_alone),
		LOG_TEST(lines_below_the_level_are_dropped),
		LOG_TEST(without_a_sink_lines_go_to_standard_error),
		LOG_TEST(lines_of_several_threads_never_mix))
