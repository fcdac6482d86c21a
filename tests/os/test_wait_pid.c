/* SPDX-License-Identifier: MIT
 *
 * test_wait_pid.c - waiting for a child that the program has forked itself.
 */
#include "process_test.h"

/* Exits with code, or waits until it is killed (negative). */
static pid_t child_that_exits(int code)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	while (code < 0)
		pause();
	_exit(code);
}

static void wait_for_exit(belay_ctx *ctx, void *arg)
{
	pid_t pid = child_that_exits(7);
	int status = 0;

	check(belay_wait_pid(ctx, pid, &status) == 0);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	check(belay_wait_pid(ctx, pid, &status) == -ECHILD);
	pid = child_that_exits(-1);
	kill(pid, SIGKILL);
	check(belay_wait_pid(ctx, pid, &status) == 0);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	check(belay_wait_pid(ctx, child_that_exits(0), NULL) == 0);
	check(no_child());
}

static void a_child_is_waited_for_and_reaped(void **state)
{
	from_both(wait_for_exit, NULL);
}

static void wait_in_vain(belay_ctx *ctx, void *arg)
{
	BELAY_SCOPED belay_ctx *brief = belay_with_timeout(ctx, BELAY_MS(5));
	pid_t pid = child_that_exits(-1);
	int status = 99;

	check(belay_wait_pid(brief, pid, &status) == -ETIME);
	check(belay_wait_pid(brief, pid, &status) == -ETIME);
	check(status == 99);
	kill(pid, SIGKILL);
	check(belay_wait_pid(ctx, pid, &status) == 0);
	check(no_child());
}

static void a_wait_that_gives_up_reaps_nothing(void **state)
{
	from_both(wait_in_vain, NULL);
}

static void wait_wrongly(belay_ctx *ctx, void *arg)
{
	check(belay_wait_pid(ctx, 0, NULL) == -EINVAL);
	check(belay_wait_pid(ctx, -1, NULL) == -EINVAL);
	check(belay_wait_pid(ctx, 1, NULL) == -ECHILD);
	check(belay_wait_pid(NULL, 1, NULL) == -EINVAL);
}

static void who_is_no_child_is_an_error(void **state)
{
	from_both(wait_wrongly, NULL);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_child_is_waited_for_and_reaped),
		cmocka_unit_test(a_wait_that_gives_up_reaps_nothing),
		cmocka_unit_test(who_is_no_child_is_an_error))
