/* SPDX-License-Identifier: MIT
 *
 * test_left_behind.c - those whom a program leaves behind, and what they hold of its output.
 */
#include "process_test.h"

/* Ends those whose numbers stand in text, a line each. */
static void kill_all(const char *text)
{
	for (char *end; *text; text = *end ? end + 1 : end) {
		long pid = strtol(text, &end, 10);

		if (!check(pid > 1))
			return;
		kill((pid_t)pid, SIGKILL);
	}
}

static void leave_holder(belay_ctx *ctx, void *arg)
{
	struct belay_capture out = {.limit = 100}, err = {.limit = 100};
	struct belay_exit exit;
	struct shell sh;
	struct belay_command *command = shell(&sh, arg);
	int64_t since = belay_now();

	command->out = belay_stdio_capture(&out);
	command->err = belay_stdio_capture(&err);
	command->grace = SHORT;
	check(belay_exec(ctx, command, &exit) == 0);
	check(belay_now() - since >= SHORT);
	check(exit.err == 0 && exit.code == 4 && exit.held);
	if (check(out.data))
		kill_all(out.data);
	check(no_child());
	free(out.data);
	free(err.data);
}

/* semantics 6.3 */
static void pipes_held_by_a_grandchild_dont_hold_the_call_beyond_the_grace_period(void **state)
{
	from_both(leave_holder, (void *)"sleep 1000 & echo $!; exit 4");
}

/* semantics 6.3 */
static void a_crowd_of_grandchildren_that_left_the_group_doesnt_either(void **state)
{
	from_both(leave_holder, (void *)"for i in 1 2 3 4 5 6 7 8 9; do "
					"setsid sleep 1000 & echo $!; done; exit 4");
}

/* Cancels a program of script's once it is ready; err is what it says on its standard error. */
static void cancel_when_ready(belay_ctx *parent, const char *script, struct ready *ready,
			      struct belay_capture *err, struct belay_exit *ret)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(parent);
	struct shell sh;
	struct belay_command *command = shell(&sh, script);

	command->err = belay_stdio_capture(err);
	command->grace = SHORT;
	if (!start_ready(ctx, command, ready))
		return;
	belay_cancel(ctx);
	check(belay_process_wait(parent, ready->process, ret) == 0);
	check(ret->err == -ECANCELED);
	belay_process_end(ready->process);
	close(ready->out);
	free(err->data);
}

static void cancel_with_escaped(belay_ctx *parent, void *arg)
{
	struct belay_capture err = {.limit = 100};
	struct belay_exit exit = {.held = false};
	struct ready ready = {.out = -1};

	cancel_when_ready(parent, "setsid sh -c 'echo $$; exec sleep 1000' & sleep 1000 & wait",
			  &ready, &err, &exit);
	check(exit.held);
	check(exit.signal == SIGTERM || exit.signal == SIGKILL); /* where that was too slow */
	kill_all(ready.line);
}

/* semantics 6.3 */
static void who_left_the_group_with_a_pipe_holds_a_cancelled_call_no_longer_either(void **state)
{
	from_both(cancel_with_escaped, NULL);
}

/* Its members write as fast as they can: the pipe is full when they die. */
static void kill_crowd(belay_ctx *parent, void *arg)
{
	struct belay_capture err = {.limit = 100};
	struct belay_exit exit = {.held = true};
	struct ready ready;

	cancel_when_ready(parent,
			  "trap '' TERM; for i in 1 2 3 4 5 6 7 8; do yes >&2 & done; "
			  "echo ready; while :; do sleep 0.01; done",
			  &ready, &err, &exit);
	check(exit.signal == SIGKILL && !exit.held);
	check(err.cut);
}

/* semantics 6.3 */
static void whoever_was_killed_with_the_group_holds_no_pipe(void **state)
{
	from_both(kill_crowd, NULL);
}

/* We are the first process of a container, say: the dead of the group stay in it until we reap
 * them, which nobody does meanwhile. */
static void a_zombie_of_the_group_doesnt_hold_the_call_for_ever(void **state)
{
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	cancel_with_escaped(belay_background(), NULL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* While the pipe is waited for, its holder is told to stop; the program had ended by itself. */
static void cancel_while_held(belay_ctx *parent, void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(parent, BELAY_MS(500));
	struct belay_capture out = {.limit = 100};
	struct belay_exit exit;
	struct shell sh;
	struct belay_command *command = shell(&sh, "sleep 1000 & exit 4");

	command->out = belay_stdio_capture(&out);
	command->grace = LONG;
	check(belay_exec(ctx, command, &exit) == 0);
	check(exit.err == 0 && exit.code == 4 && !exit.held);
	free(out.data);
}

static void the_end_of_the_context_reaches_those_who_hold_the_pipes(void **state)
{
	from_both(cancel_while_held, NULL);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(pipes_held_by_a_grandchild_dont_hold_the_call_beyond_the_grace_period),
	cmocka_unit_test(a_crowd_of_grandchildren_that_left_the_group_doesnt_either),
	cmocka_unit_test(who_left_the_group_with_a_pipe_holds_a_cancelled_call_no_longer_either),
	cmocka_unit_test(whoever_was_killed_with_the_group_holds_no_pipe),
	cmocka_unit_test(a_zombie_of_the_group_doesnt_hold_the_call_for_ever),
	cmocka_unit_test(the_end_of_the_context_reaches_those_who_hold_the_pipes))
