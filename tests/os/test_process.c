/* SPDX-License-Identifier: MIT
 *
 * test_process.c - how programs end: by themselves, and with their context.
 */
#include "process_test.h"

#include <stdatomic.h>
#include <time.h>

/* Exits with 3 at that signal. */
#define POLITE(signal) "trap 'exit 3' " signal "; echo ready; while :; do sleep 0.01; done"

/* ---- By themselves --------------------------------------------------------------------------- */

static void exit_with_7(belay_ctx *ctx, void *arg)
{
	struct belay_exit exit = {.err = 1, .signal = 1, .held = true};
	struct shell sh;

	check(belay_exec(ctx, shell(&sh, "exit 7"), &exit) == 0);
	check(exit.err == 0 && exit.code == 7 && exit.signal == 0 && !exit.held);
	check(belay_exec(ctx, shell(&sh, "exit 7"), NULL) == 0);
	check(no_child());
}

/* semantics 6.2 */
static void a_program_that_ends_gives_its_exit_status(void **state)
{
	from_both(exit_with_7, NULL);
}

static void kill_itself(belay_ctx *ctx, void *arg)
{
	struct belay_exit exit;
	struct shell sh;

	check(belay_exec(ctx, shell(&sh, "kill -9 $$"), &exit) == 0);
	check(exit.err == 0 && exit.code == -1 && exit.signal == SIGKILL);
	check(no_child());
}

static void a_program_that_a_signal_ends_says_which(void **state)
{
	from_both(kill_itself, NULL);
}

static int run_in_crowd(belay_ctx *ctx, void *arg)
{
	char script[64], expected[16];

	snprintf(expected, sizeof expected, "%d\n", (int)(intptr_t)arg);
	snprintf(script, sizeof script, "echo %d", (int)(intptr_t)arg);
	check(writes(ctx, script, expected));
	return 0;
}

static void many_run_at_once_and_each_has_its_own_output(void **state)
{
	belay_group *group = check_made(belay_group_new(belay_background()));

	if (!group)
		return;
	for (intptr_t i = 0; i < 60; i++)
		check(belay_group_go(group, run_in_crowd, (void *)i) == 0);
	check(belay_group_wait(group) == 0);
	check(no_child());
}

/* ---- With their context ---------------------------------------------------------------------- */

static void end_group(belay_ctx *parent, void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(parent);
	struct belay_exit exit;
	struct ready ready;
	struct shell sh;
	struct belay_command *command =
		shell(&sh, "sleep 1000 & (sleep 1000; true) & echo ready; wait");

	command->grace = LONG;
	if (!start_ready(ctx, command, &ready))
		return;
	belay_cancel(ctx);
	check(belay_process_wait(parent, ready.process, &exit) == 0);
	check(exit.err == -ECANCELED && exit.code == -1 && exit.signal == SIGTERM && !exit.held);
	check(reaches_end(ready.out));
	check(no_child());
	belay_process_end(ready.process);
	close(ready.out);
}

/* semantics 6.2 */
static void the_end_of_the_context_sends_sigterm_to_the_whole_group(void **state)
{
	from_both(end_group, NULL);
}

/* Its own exit is of no account then: it was told to stop. */
static void end_politely(belay_ctx *parent, void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(parent);
	struct belay_exit exit;
	struct ready ready;
	struct shell sh;

	if (!start_ready(ctx, shell(&sh, POLITE("TERM")), &ready))
		return;
	belay_cancel(ctx);
	check(belay_process_wait(parent, ready.process, &exit) == 0);
	check(exit.err == -ECANCELED && exit.code == 3 && exit.signal == 0);
	belay_process_end(ready.process);
	close(ready.out);
}

/* semantics 6.2 */
static void what_was_told_to_stop_has_the_contexts_error_whatever_it_exits_with(void **state)
{
	from_both(end_politely, NULL);
}

static void exec_until_deadline(belay_ctx *parent, void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout_cause(parent, SHORT, 42, "too slow");
	struct belay_capture capture = {.limit = 100};
	struct belay_exit exit;
	belay_cause cause;
	struct shell sh;
	struct belay_command *command = shell(&sh, "echo so far; sleep 1000");

	command->out = belay_stdio_capture(&capture);
	check(belay_exec(ctx, command, &exit) == -ETIME);
	check(exit.err == -ETIME);
	check(belay_cause_of(ctx, &cause) == 0 && cause.code == 42);
	check(capture.data != NULL);
	check(no_child());
	free(capture.data);
}

/* semantics 6.2 */
static void a_deadline_ends_it_with_the_contexts_error_and_cause(void **state)
{
	from_both(exec_until_deadline, NULL);
}

#define DEAF "trap '' TERM; echo ready; while :; do sleep 0.01; done"

static void kill_the_deaf(belay_ctx *parent, void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(parent);
	struct belay_exit exit;
	struct ready ready;
	struct shell sh;
	struct belay_command *command = shell(&sh, DEAF);
	int64_t since;

	command->grace = SHORT;
	if (!start_ready(ctx, command, &ready))
		return;
	since = belay_now();
	belay_cancel(ctx);
	check(belay_process_wait(parent, ready.process, &exit) == 0);
	check(belay_now() - since >= SHORT);
	check(exit.err == -ECANCELED && exit.code == -1 && exit.signal == SIGKILL);
	check(no_child());
	check(reaches_end(ready.out));
	belay_process_end(ready.process);
	close(ready.out);
}

/* semantics 6.2 */
static void who_ignores_sigterm_gets_sigkill_after_the_grace_period(void **state)
{
	from_both(kill_the_deaf, NULL);
}

/* Its leader has ended, and been reaped, long before. */
static void kill_the_deaf_left_behind(belay_ctx *parent, void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(parent);
	struct belay_exit exit;
	struct ready ready;
	struct shell sh;
	struct belay_command *command = shell(&sh, "(" DEAF ") & wait");
	int64_t since;

	command->grace = SHORT;
	if (!start_ready(ctx, command, &ready))
		return;
	since = belay_now();
	belay_cancel(ctx);
	check(belay_process_wait(parent, ready.process, &exit) == 0);
	check(belay_now() - since >= SHORT);
	check(exit.err == -ECANCELED && exit.signal == SIGTERM);
	check(reaches_end(ready.out));
	belay_process_end(ready.process);
	close(ready.out);
}

/* semantics 6.2 */
static void what_a_program_leaves_behind_in_its_group_gets_sigkill_too(void **state)
{
	from_both(kill_the_deaf_left_behind, NULL);
}

static void kill_the_deaf_unwaited_for(belay_ctx *parent, void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(parent, SHORT);
	belay_process *process;
	struct shell sh;
	struct belay_command *command = shell(&sh, DEAF);
	int out;

	command->grace = SHORT;
	command->out = belay_stdio_pipe(&out);
	if (!check(belay_process_start(ctx, command, &process) == 0))
		return;
	check(reaches_end(out)); /* deaf by then or not */
	belay_process_end(process);
	check(no_child());
	close(out);
}

static void nobody_has_to_wait_for_a_program_to_be_ended_by_its_deadline(void **state)
{
	from_both(kill_the_deaf_unwaited_for, NULL);
}

static void kill_at_once(belay_ctx *parent, void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(parent);
	struct belay_exit exit;
	struct ready ready;
	struct shell sh;
	struct belay_command *command = shell(&sh, POLITE("TERM"));

	command->grace = -1;
	if (!start_ready(ctx, command, &ready))
		return;
	belay_cancel(ctx);
	check(belay_process_wait(parent, ready.process, &exit) == 0);
	check(exit.err == -ECANCELED && exit.signal == SIGKILL);
	belay_process_end(ready.process);
	close(ready.out);
}

static void a_negative_grace_period_is_sigkill_at_once(void **state)
{
	from_both(kill_at_once, NULL);
}

static void end_stopped(belay_ctx *parent, void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(parent);
	struct belay_exit exit;
	struct ready ready;
	siginfo_t info;
	struct shell sh;
	struct belay_command *command = shell(&sh, "echo ready; kill -STOP $$; sleep 1000");

	command->grace = LONG;
	if (!start_ready(ctx, command, &ready))
		return;
	check(waitid(P_PID, (id_t)belay_process_pid(ready.process), &info,
		     WSTOPPED | WNOWAIT) == 0);
	belay_cancel(ctx);
	check(belay_process_wait(parent, ready.process, &exit) == 0);
	check(exit.err == -ECANCELED && exit.signal == SIGTERM);
	belay_process_end(ready.process);
	close(ready.out);
}

static void a_program_that_has_stopped_itself_is_ended_within_the_grace_period(void **state)
{
	from_both(end_stopped, NULL);
}

static void start_too_late(belay_ctx *parent, void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(parent, 0);
	struct belay_capture capture = {.data = (char *)"old"};
	struct belay_exit exit = {.code = 5};
	struct shell sh;
	struct belay_command *command = shell(&sh, "echo here");

	command->out = belay_stdio_capture(&capture);
	check(belay_exec(ctx, command, &exit) == -ETIME);
	check(exit.err == -ETIME && exit.code == -1 && exit.signal == 0);
	check(capture.data == NULL && no_child());
}

static void with_a_context_that_is_done_nothing_is_started(void **state)
{
	from_both(start_too_late, NULL);
}

static void stay_in_group(belay_ctx *parent, void *arg)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(parent);
	struct belay_exit exit;
	struct ready ready;
	struct shell sh;
	struct belay_command *command = shell(&sh, "echo ready; exec sleep 1000");

	command->same_group = true;
	command->grace = LONG;
	if (!start_ready(ctx, command, &ready))
		return;
	check(getpgid(belay_process_pid(ready.process)) == getpgrp());
	belay_cancel(ctx);
	check(belay_process_wait(parent, ready.process, &exit) == 0);
	check(exit.err == -ECANCELED && exit.signal == SIGTERM);
	belay_process_end(ready.process);
	close(ready.out);
}

static void one_that_stays_in_our_group_is_ended_alone(void **state)
{
	from_both(stay_in_group, NULL);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void give_up_waiting(belay_ctx *ctx, void *arg)
{
	BELAY_SCOPED belay_ctx *brief = belay_with_timeout(ctx, BELAY_MS(5));
	struct belay_exit exit = {.code = 99};
	struct ready ready;
	struct shell sh;
	struct belay_command *command = shell(&sh, "echo ready; read code; exit $code");
	int in;

	command->in = belay_stdio_pipe(&in);
	if (!start_ready(ctx, command, &ready))
		return;
	check(belay_process_wait(brief, ready.process, &exit) == -ETIME);
	check(exit.code == 99);
	check(belay_process_signal(ready.process, 0) == 0);
	check(belay_write(ctx, in, "6\n", 2) == 2);
	check(belay_process_wait(ctx, ready.process, &exit) == 0);
	check(exit.err == 0 && exit.code == 6);
	belay_process_end(ready.process);
	check(no_child());
	close(ready.out);
	close(in);
}

static void a_wait_that_gives_up_leaves_the_program_running(void **state)
{
	from_both(give_up_waiting, NULL);
}

static void end_unasked(belay_ctx *ctx, void *arg)
{
	struct ready ready;
	struct shell sh;

	if (!start_ready(ctx, shell(&sh, "echo ready; exec sleep 1000"), &ready))
		return;
	belay_process_end(ready.process);
	check(no_child());
	check(reaches_end(ready.out));
	close(ready.out);
}

static void the_end_of_a_process_that_runs_is_that_of_its_context(void **state)
{
	from_both(end_unasked, NULL);
}

static void wait_again(belay_ctx *ctx, void *arg)
{
	struct belay_capture out = {.limit = 10};
	struct belay_exit exit, again;
	belay_process *process;
	struct shell sh;
	struct belay_command *command = shell(&sh, "echo x; exit 2");

	command->out = belay_stdio_capture(&out);
	if (!check(belay_process_start(ctx, command, &process) == 0))
		return;
	check(belay_process_wait(ctx, process, &exit) == 0);
	free(out.data);
	out.data = NULL;
	check(belay_process_wait(ctx, process, &again) == 0);
	check(exit.code == 2 && again.code == 2 && out.data == NULL);
	check(belay_process_signal(process, SIGTERM) == -ESRCH);
	belay_process_end(process);
}

static void a_second_wait_says_the_same(void **state)
{
	from_both(wait_again, NULL);
}

static void signal_it(belay_ctx *ctx, void *arg)
{
	struct belay_exit exit;
	struct ready ready;
	struct shell sh;

	if (!start_ready(ctx, shell(&sh, POLITE("USR1")), &ready))
		return;
	check(belay_process_signal(ready.process, 12345) == -EINVAL);
	check(belay_process_signal(ready.process, SIGUSR1) == 0);
	check(belay_process_wait(ctx, ready.process, &exit) == 0);
	check(exit.err == 0 && exit.code == 3);
	belay_process_end(ready.process);
	belay_process_end(NULL);
	close(ready.out);
}

static void a_signal_reaches_the_group(void **state)
{
	from_both(signal_it, NULL);
}

static int compute(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add((_Atomic int *)arg, 1);
	while (belay_err(ctx) == 0)
		;
	return 0;
}

/* The hook and the alarm need no worker, nor does a thread that waits. */
static void a_deadline_is_kept_while_every_worker_computes(void **state)
{
	belay_group *group;
	_Atomic int running = 0;

	check_needs_memory();
	group = belay_group_new(belay_background());
	setenv("BELAY_WORKERS", "1", 1);
	assert_int_equal(belay_group_go(group, compute, &running), 0);
	unsetenv("BELAY_WORKERS");
	assert_true(check_until(running == 1));
	kill_the_deaf(belay_background(), NULL);
	exec_until_deadline(belay_background(), NULL);
	belay_cancel(belay_group_ctx(group));
	assert_int_equal(belay_group_wait(group), 0);
}

/* ---- Programs that wait by themselves -------------------------------------------------------- */

static void a_program_that_ignores_sigchld_is_told_so(void **state)
{
	struct shell sh;
	struct belay_exit exit = {.code = 9};
	struct sigaction no_wait = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT}, before;

	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(belay_exec(belay_background(), shell(&sh, "exit 0"), &exit), -ECHILD);
	sigaction(SIGCHLD, &no_wait, &before);
	assert_int_equal(belay_exec(belay_background(), shell(&sh, "exit 0"), &exit), -ECHILD);
	signal(SIGCHLD, SIG_DFL);
	assert_int_equal(exit.code, 9);
	assert_true(no_child());
}

static void lose(belay_ctx *ctx, void *arg)
{
	struct belay_exit exit = {.code = 9};
	belay_process *process;
	struct shell sh;
	int status;

	if (!check(belay_process_start(ctx, shell(&sh, "exit 3"), &process) == 0))
		return;
	check(waitpid(-1, &status, 0) == belay_process_pid(process));
	check(belay_process_wait(ctx, process, &exit) == -ECHILD);
	check(belay_process_wait(ctx, process, &exit) == -ECHILD);
	check(exit.code == 9);
	check(belay_process_signal(process, SIGTERM) == -ESRCH);
	belay_process_end(process);
}

static void a_child_that_the_program_has_waited_for_is_an_error(void **state)
{
	from_both(lose, NULL);
}

static void own_handler(int number)
{
	(void)number;
}

static void no_handler_for_sigchld_is_needed_or_touched(void **state)
{
	struct sigaction now;

	signal(SIGCHLD, own_handler);
	from_both(exit_with_7, NULL);
	assert_int_equal(sigaction(SIGCHLD, NULL, &now), 0);
	assert_true(now.sa_handler == own_handler);
	signal(SIGCHLD, SIG_DFL);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(a_program_that_ends_gives_its_exit_status),
	cmocka_unit_test(a_program_that_a_signal_ends_says_which),
	cmocka_unit_test(many_run_at_once_and_each_has_its_own_output),
	cmocka_unit_test(the_end_of_the_context_sends_sigterm_to_the_whole_group),
	cmocka_unit_test(what_was_told_to_stop_has_the_contexts_error_whatever_it_exits_with),
	cmocka_unit_test(a_deadline_ends_it_with_the_contexts_error_and_cause),
	cmocka_unit_test(who_ignores_sigterm_gets_sigkill_after_the_grace_period),
	cmocka_unit_test(what_a_program_leaves_behind_in_its_group_gets_sigkill_too),
	cmocka_unit_test(nobody_has_to_wait_for_a_program_to_be_ended_by_its_deadline),
	cmocka_unit_test(a_negative_grace_period_is_sigkill_at_once),
	cmocka_unit_test(a_program_that_has_stopped_itself_is_ended_within_the_grace_period),
	cmocka_unit_test(with_a_context_that_is_done_nothing_is_started),
	cmocka_unit_test(one_that_stays_in_our_group_is_ended_alone),
	cmocka_unit_test(a_wait_that_gives_up_leaves_the_program_running),
	cmocka_unit_test(the_end_of_a_process_that_runs_is_that_of_its_context),
	cmocka_unit_test(a_second_wait_says_the_same),
	cmocka_unit_test(a_signal_reaches_the_group),
	cmocka_unit_test(a_deadline_is_kept_while_every_worker_computes),
	cmocka_unit_test(a_program_that_ignores_sigchld_is_told_so),
	cmocka_unit_test(a_child_that_the_program_has_waited_for_is_an_error),
	cmocka_unit_test(no_handler_for_sigchld_is_needed_or_touched))
