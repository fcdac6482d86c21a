/* SPDX-License-Identifier: MIT
 *
 * test_handover.c - what a successor is given: descriptors with names, and a life of its own.
 */
#include "process_test.h"

#include <fcntl.h>

/* ---- Names ----------------------------------------------------------------------------------- */

/* What the shell says of the variables, where it is given these descriptors. */
static char *told(const char *const *names, size_t count, const char *const *add_env)
{
	static const int fds[] = {1, 2};
	static struct belay_capture out;
	struct shell sh;
	struct belay_command *command = shell(
		&sh, "printf '%s %s %s %s' \"${LISTEN_FDS-none}\" \"${LISTEN_FDNAMES-none}\" "
		     "\"${LISTEN_PID-none}\" \"${BELAY_LISTEN_PPID-none}\"");

	command->fds = fds;
	command->fd_names = names;
	command->fd_count = count;
	command->add_env = add_env;
	command->out = belay_stdio_capture(&out);
	assert_int_equal(belay_exec(belay_background(), command, NULL), 0);
	return out.data;
}

static void it_is_told_how_they_are_called(void **state)
{
	static const char *const names[] = {"http", "ready"};
	char expected[64], *text = told(names, 2, NULL);

	snprintf(expected, sizeof expected, "2 http:ready none %d", (int)getpid());
	assert_string_equal(text, expected);
	free(text);
}

/* Those that this process was given are not its child's. */
static void what_we_were_told_ourselves_is_replaced(void **state)
{
	static const char *const names[] = {"http"};
	char expected[64], *text;

	setenv("LISTEN_FDS", "7", 1);
	setenv("LISTEN_PID", "1", 1);
	text = told(names, 1, NULL);
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	snprintf(expected, sizeof expected, "1 http none %d", (int)getpid());
	assert_string_equal(text, expected);
	free(text);
}

static void without_names_nothing_is_said(void **state)
{
	char *text = told(NULL, 2, NULL);

	assert_string_equal(text, "none none none none");
	free(text);
}

static void the_command_s_own_word_goes_before(void **state)
{
	static const char *const names[] = {"http"}, *const env[] = {"LISTEN_PID=5", NULL};
	char expected[64], *text = told(names, 1, env);

	snprintf(expected, sizeof expected, "1 http 5 %d", (int)getpid());
	assert_string_equal(text, expected);
	free(text);
}

static void what_is_no_name_is_an_error(void **state)
{
	static char lengthy[257];
	static const char *const bad[] = {"", "a:b", "a\nb", "\x7f", lengthy, NULL};
	struct shell sh;
	struct belay_command *command = shell(&sh, "exit 0");

	memset(lengthy, 'a', 256);
	command->fds = &(int){1};
	command->fd_count = 1;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		command->fd_names = &bad[i];
		assert_int_equal(belay_exec(belay_background(), command, NULL), -EINVAL);
	}
	assert_true(no_child());
}

/* ---- A life of its own ----------------------------------------------------------------------- */

/* The end of its context does not reach it: it ends when its input does. */
static void who_is_let_go_outlives_its_context(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	struct shell sh;
	struct belay_command *command = shell(&sh, "read line; exit 7");
	belay_process *process;
	int in = -1, status = -1;
	pid_t pid;

	command->in = belay_stdio_pipe(&in);
	assert_int_equal(belay_process_start(ctx, command, &process), 0);
	pid = belay_process_pid(process);
	belay_process_detach(process);
	belay_cancel(ctx);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	close(in);
	assert_int_equal(belay_wait_pid(belay_background(), pid, &status), 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	belay_end(ctx);
	belay_process_detach(NULL);
}

BELAY_TEST_MAIN(cmocka_unit_test(it_is_told_how_they_are_called),
		cmocka_unit_test(what_we_were_told_ourselves_is_replaced),
		cmocka_unit_test(without_names_nothing_is_said),
		cmocka_unit_test(the_command_s_own_word_goes_before),
		cmocka_unit_test(what_is_no_name_is_an_error),
		cmocka_unit_test(who_is_let_go_outlives_its_context))
