/* SPDX-License-Identifier: MIT
 *
 * test_overflow.c - a task that runs out of stack: the program dies, and says who started it.
 *
 * What dies is a child: forked by a process that has no workers, it starts its own.
 */
#include "check.h"

#include "probed.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static belay_ctx *bg(void) { return belay_background(); }

struct death {
	int status;
	char said[1 << 16];
};

/* Runs fn in a child and waits for its end. */
static void run(void (*fn)(void), struct death *ret)
{
	const struct rlimit no_core = {0, 0};
	size_t length = 0;
	int ends[2];
	ssize_t n;
	pid_t pid;

	check_needs_memory(); /* for its child to crash where it is meant to */
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGSEGV, SIG_DFL); /* cmocka has a handler, and sanitizers */
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		fn();
		_exit(0);
	}
	close(ends[1]);
	while ((n = read(ends[0], ret->said + length, sizeof ret->said - 1 - length)) > 0)
		length += (size_t)n;
	ret->said[length] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &ret->status, 0), pid);
}

static bool died_by_sigsegv(const struct death *death)
{
	return WIFSIGNALED(death->status) && WTERMSIG(death->status) == SIGSEGV;
}

static void nothing(belay_ctx *ctx, void *arg)
{
	(void)ctx, (void)arg;
}

/* ---- Ways to die ----------------------------------------------------------------------------- */

__attribute__((noinline)) static int descend(int depth)
{
	volatile char frame[1024];

	frame[0] = (char)depth;
	return depth < 0 ? 0 : descend(depth + 1) + frame[0];
}

static void overflow(belay_ctx *ctx, void *arg)
{
	descend(0);
}

static void start_one_that_overflows(void)
{
	belay_go(bg(), overflow, NULL);
	pause();
}

/* Frames of almost the guard's size, of which each touches but the far end. */
__attribute__((noinline)) static int stride(int depth)
{
	volatile char frame[60 << 10];

	frame[0] = (char)depth;
	return depth < 0 ? 0 : stride(depth + 1) + frame[0];
}

static void overflow_by_strides(belay_ctx *ctx, void *arg)
{
	stride(0);
}

static void start_one_that_strides(void)
{
	belay_go(bg(), overflow_by_strides, NULL);
	pause();
}

static void overflow_by_a_leap(belay_ctx *ctx, void *arg)
{
	probed_leap(0);
}

static void start_one_that_leaps(void)
{
	belay_go(bg(), overflow_by_a_leap, NULL);
	pause();
}

static void start_a_large_one_that_overflows(void)
{
	const struct belay_task_options options = {.stack_size = 1000000};

	belay_go_with(bg(), overflow, NULL, &options);
	pause();
}

/* The processor is to find it, not the sanitizer. */
__attribute__((no_sanitize("undefined"))) static void write_to_null(belay_ctx *ctx, void *arg)
{
	volatile int *volatile nowhere = NULL;

	*nowhere = 1;
}

static void start_one_that_writes_to_null(void)
{
	belay_go(bg(), write_to_null, NULL);
	pause();
}

static void be_sent_the_signal(void)
{
	check_in_task(nothing, NULL);
	kill(getpid(), SIGSEGV);
	pause();
}

static void handle(int signal)
{
	static const char text[] = "the program's own handler\n";

	if (write(STDERR_FILENO, text, sizeof text - 1) > 0)
		_exit(42);
}

static void overflow_with_a_handler(void)
{
	signal(SIGSEGV, handle);
	start_one_that_overflows();
}

static void say_and_return(int signal)
{
	static const char text[] = "once\n";

	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(1);
}

/* The alarm ends what would else fault for ever. */
static void fault_with_a_handler_for_once(void)
{
	const struct sigaction once = {.sa_handler = say_and_return, .sa_flags = (int)SA_RESETHAND};

	alarm(10);
	sigaction(SIGSEGV, &once, NULL);
	start_one_that_writes_to_null();
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void a_task_that_needs_more_stack_is_named(void **state)
{
	static struct death death;
	long page = sysconf(_SC_PAGESIZE) / 1024;
	char expected[80];

	/* An odd number of pages with the guard. */
	snprintf(expected, sizeof expected, "belay: a task needs more than its %ld KiB of stack",
		 (244 / page | 1) * page - 64);
	run(start_one_that_overflows, &death);
	assert_true(died_by_sigsegv(&death));
	assert_non_null(strstr(death.said, expected));
	assert_non_null(strstr(death.said, "test_overflow.c:"));
	assert_non_null(strstr(death.said, " in start_one_that_overflows()"));
}

static void what_would_give_it_more_is_named(void **state)
{
	static struct death death;

	run(start_one_that_overflows, &death);
	assert_non_null(strstr(death.said, "belay_go_with() gives it more"));
}

/* 1000000 bytes, in whole pages: 980 KiB, or on some processors a little more. */
static void a_task_with_a_larger_stack_is_named_with_its_size(void **state)
{
	static struct death death;

	run(start_a_large_one_that_overflows, &death);
	assert_true(died_by_sigsegv(&death));
	assert_null(strstr(death.said, "more than its 1"));
	assert_true(strstr(death.said, "more than its 980 KiB of stack") ||
		    sysconf(_SC_PAGESIZE) > 4096);
	assert_non_null(strstr(death.said, " in start_a_large_one_that_overflows()"));
}

static void a_frame_of_many_pages_does_not_step_over_the_guard(void **state)
{
	static struct death death;

	run(start_one_that_strides, &death);
	assert_true(died_by_sigsegv(&death));
	assert_non_null(strstr(death.said, " in start_one_that_strides()"));
}

static void no_frame_steps_over_the_guard_where_the_compiler_probes(void **state)
{
	static struct death death;

	run(start_one_that_leaps, &death);
	assert_true(died_by_sigsegv(&death));
	assert_non_null(strstr(death.said, " in start_one_that_leaps()"));
}

static void a_fault_of_another_kind_is_left_alone(void **state)
{
	static struct death death;

	run(start_one_that_writes_to_null, &death);
	assert_true(died_by_sigsegv(&death));
	assert_null(strstr(death.said, "belay:"));
}

static void the_signal_sent_by_somebody_ends_the_program_as_ever(void **state)
{
	static struct death death;

	run(be_sent_the_signal, &death);
	assert_true(died_by_sigsegv(&death));
	assert_null(strstr(death.said, "belay:"));
}

static void the_programs_own_handler_has_the_last_word(void **state)
{
	static struct death death;

	run(overflow_with_a_handler, &death);
	assert_true(WIFEXITED(death.status));
	assert_int_equal(WEXITSTATUS(death.status), 42);
	assert_non_null(strstr(death.said, " in start_one_that_overflows()"));
	assert_non_null(strstr(death.said, "the program's own handler"));
}

static void a_handler_that_wants_to_be_called_once_is_called_once(void **state)
{
	static struct death death;
	const char *said;

	run(fault_with_a_handler_for_once, &death);
	assert_true(died_by_sigsegv(&death));
	said = strstr(death.said, "once\n");
	assert_non_null(said);
	assert_null(strstr(said + 1, "once\n"));
}

static void after_the_shutdown_the_disposition_is_what_it_was(void **state)
{
	struct sigaction before, after;

	assert_int_equal(sigaction(SIGSEGV, NULL, &before), 0);
	check_in_task(nothing, NULL);
	belay_shutdown();
	assert_int_equal(sigaction(SIGSEGV, NULL, &after), 0);
	assert_ptr_equal(after.sa_handler, before.sa_handler);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_task_that_needs_more_stack_is_named),
		cmocka_unit_test(what_would_give_it_more_is_named),
		cmocka_unit_test(a_task_with_a_larger_stack_is_named_with_its_size),
		cmocka_unit_test(a_frame_of_many_pages_does_not_step_over_the_guard),
		cmocka_unit_test(no_frame_steps_over_the_guard_where_the_compiler_probes),
		cmocka_unit_test(a_fault_of_another_kind_is_left_alone),
		cmocka_unit_test(the_signal_sent_by_somebody_ends_the_program_as_ever),
		cmocka_unit_test(the_programs_own_handler_has_the_last_word),
		cmocka_unit_test(a_handler_that_wants_to_be_called_once_is_called_once),
		cmocka_unit_test(after_the_shutdown_the_disposition_is_what_it_was))
