/* SPDX-License-Identifier: MIT
 *
 * test_command.c - what a program begins with: its descriptors, environment, folder, signals; and
 * why it can't begin.
 */
#include "check_oom.h"
#include "few_descriptors.h"
#include "process_test.h"
#include "scale.h"

#include <fcntl.h>
#include <sys/stat.h>

/* ---- Input, output and error ----------------------------------------------------------------- */

static void capture_both(belay_ctx *ctx, void *arg)
{
	struct belay_capture out = {.limit = 100}, err = {.limit = 0};
	struct shell sh;
	struct belay_command *command = shell(&sh, "echo this; echo that >&2; printf 'a\\000b'");

	command->out = belay_stdio_capture(&out);
	command->err = belay_stdio_capture(&err);
	check(belay_exec(ctx, command, NULL) == 0);
	check(out.size == 8 && !out.cut && memcmp(out.data, "this\na\0b", 9) == 0);
	check(err.size == 5 && !err.cut && strcmp(err.data, "that\n") == 0);
	free(out.data);
	free(err.data);
}

static void output_and_error_are_captured_each_in_its_own(void **state)
{
	from_both(capture_both, NULL);
}

static void capture_as_one(belay_ctx *ctx, void *arg)
{
	struct belay_capture out = {.limit = 100};
	struct shell sh;
	struct belay_command *command = shell(&sh, "echo 1; echo 2 >&2; echo 3");

	command->out = belay_stdio_capture(&out);
	command->err = belay_stdio_output();
	check(belay_exec(ctx, command, NULL) == 0);
	check(out.data && strcmp(out.data, "1\n2\n3\n") == 0);
	free(out.data);
}

static void error_can_go_where_output_goes(void **state)
{
	from_both(capture_as_one, NULL);
}

enum { MUCH = 3000000 };

static void capture_some(belay_ctx *ctx, size_t limit, bool cut)
{
	struct belay_capture out = {.limit = limit};
	struct belay_exit exit;
	struct shell sh;
	struct belay_command *command = shell(&sh, "head -c 3000000 /dev/zero; exit 3");

	command->out = belay_stdio_capture(&out);
	check(belay_exec(ctx, command, &exit) == 0);
	check(exit.code == 3 && !exit.held);
	check(out.cut == cut && out.size == (cut ? limit : MUCH));
	check(out.data && out.data[out.size] == '\0');
	free(out.data);
}

static void capture_at_bounds(belay_ctx *ctx, void *arg)
{
	capture_some(ctx, 1, true);
	capture_some(ctx, 1000, true);
	capture_some(ctx, MUCH - 1, true);
	capture_some(ctx, MUCH, false);
	capture_some(ctx, MUCH + 1, false);
	capture_some(ctx, SIZE_MAX, false);
}

static void what_is_beyond_the_bound_is_thrown_away_and_holds_nobody_up(void **state)
{
	from_both(capture_at_bounds, NULL);
}

static void feed(belay_ctx *ctx, void *arg)
{
	struct belay_capture out = {.limit = MUCH};
	struct shell sh;
	struct belay_command *command = shell(&sh, "cat");
	char *data = calloc(1, MUCH);

	if (!check(data))
		return;
	memset(data, 'x', MUCH);
	command->in = belay_stdio_data(data, MUCH);
	command->out = belay_stdio_capture(&out);
	check(belay_exec(ctx, command, NULL) == 0);
	check(out.data && out.size == MUCH && memcmp(out.data, data, MUCH) == 0);
	free(out.data);
	command = shell(&sh, "exit 0"); /* reads nothing of it */
	command->in = belay_stdio_data(data, MUCH);
	check(belay_exec(ctx, command, NULL) == 0);
	command->in = belay_stdio_data(NULL, 0);
	check(belay_exec(ctx, command, NULL) == 0);
	free(data);
}

static void input_is_fed_from_memory(void **state)
{
	from_both(feed, NULL);
}

static void talk(belay_ctx *ctx, void *arg)
{
	belay_process *process;
	char line[16] = "";
	struct shell sh;
	struct belay_command *command = shell(&sh, "while read l; do echo \"<$l>\"; done");
	int in, out;

	command->in = belay_stdio_pipe(&in);
	command->out = belay_stdio_pipe(&out);
	if (!check(belay_process_start(ctx, command, &process) == 0))
		return;
	check(fcntl(in, F_GETFD) == FD_CLOEXEC && fcntl(out, F_GETFD) == FD_CLOEXEC);
	check(belay_write(ctx, in, "one\n", 4) == 4);
	check(belay_read(ctx, out, line, sizeof line) == 6 && memcmp(line, "<one>\n", 6) == 0);
	check(belay_write(ctx, in, "two\n", 4) == 4);
	check(belay_read(ctx, out, line, sizeof line) == 6 && memcmp(line, "<two>\n", 6) == 0);
	close(in);
	check(belay_read(ctx, out, line, sizeof line) == 0);
	check(belay_process_wait(ctx, process, NULL) == 0);
	belay_process_end(process);
	close(out);
}

static void a_pipe_is_read_and_written_while_it_runs(void **state)
{
	from_both(talk, NULL);
}

static int file_with(const char *text)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void give_descriptors(belay_ctx *ctx, void *arg)
{
	int in = file_with("input"), out = file_with("");
	int extra[] = {file_with("3"), file_with("4")};
	struct belay_exit exit;
	char text[16] = "";
	struct shell sh;
	struct belay_command *command = shell(&sh, "cat; cat <&4; cat <&3");

	command->in = belay_stdio_fd(in);
	command->out = belay_stdio_fd(out);
	command->fds = extra;
	command->fd_count = 2;
	check(belay_exec(ctx, command, &exit) == 0 && exit.code == 0);
	check(pread(out, text, sizeof text, 0) == 7 && memcmp(text, "input43", 7) == 0);
	close(in);
	close(out);
	close(extra[0]);
	close(extra[1]);
}

static void descriptors_are_given_by_number(void **state)
{
	from_both(give_descriptors, NULL);
}

/* Of these the program's own are given to other numbers than they have here. */
static void swap_descriptors(belay_ctx *ctx, void *arg)
{
	int saved[] = {dup(1), dup(2)}, out = file_with(""), err = file_with("");
	struct shell sh;
	struct belay_command *command = shell(&sh, "echo out; echo err >&2");
	char text[16] = "";

	dup2(out, 1);
	dup2(err, 2);
	command->out = belay_stdio_fd(2);
	command->err = belay_stdio_fd(1);
	check(belay_exec(ctx, command, NULL) == 0);
	command->out = belay_stdio_inherit();
	command->err = belay_stdio_inherit();
	check(belay_exec(ctx, command, NULL) == 0);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	check(pread(out, text, sizeof text, 0) == 8 && memcmp(text, "err\nout\n", 8) == 0);
	check(pread(err, text, sizeof text, 0) == 8 && memcmp(text, "out\nerr\n", 8) == 0);
	close(saved[0]);
	close(saved[1]);
	close(out);
	close(err);
}

static void our_own_are_inherited_also_crosswise(void **state)
{
	from_both(swap_descriptors, NULL);
}

/* In a child of the test's, since whatever it opens gets their numbers. */
static bool run_without_own(void)
{
	struct belay_capture out = {.limit = 100}, err = {.limit = 100};
	struct shell sh;
	struct belay_command *command = shell(&sh, "cat; echo err >&2");
	bool ran;

	for (int i = 0; i < 3; i++)
		close(i);
	command->out = belay_stdio_inherit();
	if (belay_exec(belay_background(), command, NULL) != -EBADF)
		return false;
	command->in = belay_stdio_data("in", 2);
	command->out = belay_stdio_capture(&out);
	command->err = belay_stdio_capture(&err);
	ran = belay_exec(belay_background(), command, NULL) == 0 && strcmp(out.data, "in") == 0 &&
	      strcmp(err.data, "err\n") == 0;
	free(out.data);
	free(err.data);
	return ran;
}

static void a_program_without_descriptors_of_its_own_runs_others(void **state)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		bool ran = run_without_own();

		belay_shutdown();
		_exit(ran ? 0 : 1);
	}
	assert_int_equal(belay_wait_pid(belay_background(), pid, &status), 0);
	assert_int_equal(status, 0);
}

static void look_for_others(belay_ctx *ctx, void *arg)
{
	int left_open = open("/dev/null", O_RDONLY), far = fcntl(left_open, F_DUPFD, 700);

	check(far >= 700);
	check(writes(ctx, "for f in 3 4 5 6 7 8 9 10 11 12 13 14 15 16 700; do "
			  "[ ! -e /proc/$$/fd/$f ] || echo $f; done", ""));
	close(left_open);
	close(far);
}

static void nothing_else_is_open_in_it(void **state)
{
	from_both(look_for_others, NULL);
}

/* ---- Signals --------------------------------------------------------------------------------- */

static void handler(int number)
{
	(void)number;
}

/* A line of the started program's /proc/self/status, as a set of signals. The C library's own two,
 * 32 and 33, are left out: posix_spawn(3) makes a child ignore them. No shell: that clears its
 * mask. */
static unsigned long long signals_of(belay_ctx *ctx, const char *line)
{
	const char *argv[] = {"cat", "/proc/self/status", NULL}, *found;
	struct belay_capture out = {.limit = 10000};
	struct belay_command command = {.argv = argv, .out = belay_stdio_capture(&out)};
	unsigned long long set = 99;

	if (!check(belay_exec(ctx, &command, NULL) == 0))
		return set;
	found = strstr(out.data, line);
	if (check(found))
		set = strtoull(found + strlen(line), NULL, 16) & ~0x180000000ULL;
	free(out.data);
	return set;
}

static void look_at_signals(belay_ctx *ctx, void *arg)
{
	check(signals_of(ctx, "SigBlk:") == 0);
	check(signals_of(ctx, "SigIgn:") == 0);
	check(signals_of(ctx, "SigCgt:") == 0);
}

static void it_begins_with_the_default_of_every_signal_and_none_blocked(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGUSR1, handler);
	from_both(look_at_signals, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
}

static void what_the_program_blocks_itself_stays_blocked(void **state)
{
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	assert_int_equal(signals_of(belay_background(), "SigBlk:"), 1 << (SIGUSR1 - 1));
	pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
}

static void lead_group(belay_ctx *ctx, void *arg)
{
	check(writes(ctx, "[ $$ = $(cut -d' ' -f5 /proc/$$/stat) ] && echo yes", "yes\n"));
}

static void it_leads_a_group_of_its_own(void **state)
{
	from_both(lead_group, NULL);
}

/* ---- Environment and folder ------------------------------------------------------------------ */

static bool env_is(belay_ctx *ctx, const char *const *env, const char *const *add,
		   const char *expected)
{
	const char *argv[] = {"/usr/bin/env", NULL};
	struct belay_capture out = {.limit = 10000};
	struct belay_command command = {.argv = argv, .env = env, .add_env = add};
	bool same;

	command.out = belay_stdio_capture(&out);
	if (!check(belay_exec(ctx, &command, NULL) == 0))
		return false;
	same = strcmp(out.data, expected) == 0;
	if (!same)
		fprintf(stderr, "env: %s\n", out.data);
	free(out.data);
	return same;
}

static void set_environment(belay_ctx *ctx, void *arg)
{
	const char *some[] = {"A=1", "B=2", NULL}, *more[] = {"B=3", "C=", "A", "NONE", NULL};
	const char *none[] = {NULL};

	check(env_is(ctx, some, NULL, "A=1\nB=2\n"));
	check(env_is(ctx, some, more, "B=3\nC=\n"));
	check(env_is(ctx, none, NULL, ""));
	check(env_is(ctx, none, some, "A=1\nB=2\n"));
}

static void the_environment_is_replaced_and_added_to(void **state)
{
	const char *ab[] = {"TEST_AB=x", NULL};
	struct shell sh;
	struct belay_command *command = shell(&sh, "exit $TEST_A$TEST_B");
	struct belay_exit exit;

	from_both(set_environment, NULL);
	setenv("TEST_A", "1", 1);
	setenv("TEST_B", "2", 1);
	command->add_env = ab;
	assert_int_equal(belay_exec(belay_background(), command, &exit), 0);
	assert_int_equal(exit.code, 12);
	ab[0] = "TEST_A=4";
	assert_int_equal(belay_exec(belay_background(), command, &exit), 0);
	assert_int_equal(exit.code, 42);
	ab[0] = "TEST_A";
	assert_int_equal(belay_exec(belay_background(), command, &exit), 0);
	assert_int_equal(exit.code, 2);
	unsetenv("TEST_A");
	unsetenv("TEST_B");
}

static void start_elsewhere(belay_ctx *ctx, void *arg)
{
	const char *argv[] = {"./sh", "-c", "[ $0 = ./sh ] && [ $PWD = /usr/bin ]", NULL};
	struct belay_command command = {.argv = argv, .dir = "/usr/bin"};
	struct belay_exit exit;

	check(belay_exec(ctx, &command, &exit) == 0 && exit.code == 0);
	argv[0] = "some name";
	argv[2] = "[ \"$0\" = 'some name' ]";
	command.program = "sh";
	check(belay_exec(ctx, &command, &exit) == 0 && exit.code == 0);
}

static void it_starts_in_its_folder_and_may_have_another_name(void **state)
{
	from_both(start_elsewhere, NULL);
}

/* ---- Why it can't begin ---------------------------------------------------------------------- */

static int fails_with(belay_ctx *ctx, struct belay_command *command)
{
	struct belay_exit exit = {.code = 99};
	int in = -7, err = belay_exec(ctx, command, &exit);

	check(exit.code == 99);
	command->in = belay_stdio_pipe(&in);
	check(belay_exec(ctx, command, &exit) == err);
	check(exit.code == 99 && in == -7 && no_child());
	return err;
}

static int exec_fails_with(belay_ctx *ctx, const char *program, const char *dir)
{
	const char *argv[] = {program, NULL};

	return fails_with(ctx, &(struct belay_command){.argv = argv, .dir = dir});
}

static void start_what_cant_be(belay_ctx *ctx, void *arg)
{
	const char *argv[] = {"true", NULL};
	struct belay_command command = {.argv = argv};
	char script[] = "/tmp/belay-test-XXXXXX";
	int fd = mkstemp(script);

	check(fd >= 0 && write(fd, "\1\2\3", 3) == 3);
	check(exec_fails_with(ctx, "/no/such", NULL) == -ENOENT);
	check(exec_fails_with(ctx, "no-such-program", NULL) == -ENOENT);
	check(exec_fails_with(ctx, "", NULL) == -ENOENT);
	check(exec_fails_with(ctx, "/tmp", NULL) == -EACCES);
	check(exec_fails_with(ctx, script, NULL) == -EACCES);
	check(fchmod(fd, 0700) == 0);
	close(fd);
	check(exec_fails_with(ctx, script, NULL) == -ENOEXEC);
	check(exec_fails_with(ctx, "true", "/no/such") == -ENOENT);
	check(exec_fails_with(ctx, "true", script) == -ENOTDIR);
	command.out = belay_stdio_fd(-1);
	check(fails_with(ctx, &command) == -EBADF);
	command = (struct belay_command){.argv = argv, .fds = &(int){12345}, .fd_count = 1};
	check(fails_with(ctx, &command) == -EBADF);
	unlink(script);
}

static void what_execve_says_is_said(void **state)
{
	if (scale_is_serial()) /* valgrind's child shares no memory: what it says is lost */
		skip();
	from_both(start_what_cant_be, NULL);
}

static void start_wrongly(belay_ctx *ctx, void *arg)
{
	const char *argv[] = {"true", NULL}, *none[] = {NULL};
	struct belay_capture same = {.limit = 1};
	struct belay_stdio bad[] = {belay_stdio_data("", 0), belay_stdio_output(),
				    belay_stdio_pipe(NULL), {.kind = (enum belay_stdio_kind)99}};
	struct belay_command command = {.argv = argv};

	check(fails_with(ctx, &(struct belay_command){.argv = NULL}) == -EINVAL);
	check(fails_with(ctx, &(struct belay_command){.argv = none}) == -EINVAL);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		command.out = bad[i];
		check(fails_with(ctx, &command) == -EINVAL);
	}
	command.out = command.err = belay_stdio_capture(&same);
	check(fails_with(ctx, &command) == -EINVAL);
	command = (struct belay_command){.argv = argv, .in = belay_stdio_capture(&same)};
	check(belay_exec(ctx, &command, NULL) == -EINVAL);
	check(belay_exec(NULL, &(struct belay_command){.argv = argv}, NULL) == -EINVAL);
}

static void wrong_commands_are_errors_and_start_nothing(void **state)
{
	from_both(start_wrongly, NULL);
}

/* ---- What runs out --------------------------------------------------------------------------- */

/* The shell writes by itself: where it is ended nobody is left of its group, whom the system's init
 * might be slow to reap. */
static void exec_with_all(void *arg)
{
	struct belay_capture out = {.limit = 100000};
	struct belay_exit exit = {.code = 99};
	struct shell sh;
	struct belay_command *command = shell(&sh, "printf %50000s x; exit 3");
	int err;

	command->in = belay_stdio_data("x", 1);
	command->out = belay_stdio_capture(&out);
	command->grace = BELAY_S(1000);
	err = belay_exec(belay_background(), command, &exit);
	check(err == 0 || err == -ENOMEM || err == -EAGAIN);
	check((err == 0) == (exit.code == 3));
	check((err == 0) == (out.data != NULL));
	check(no_child());
	free(out.data);
}

static void exec_in_task(belay_ctx *ctx, void *arg)
{
	exec_with_all(arg);
}

static void out_of_memory_is_an_error_and_leaves_no_child(void **state)
{
	assert_true(check_each_allocation(exec_with_all, NULL) > 0);
	check_in_task(exec_in_task, NULL);
}

static void without_descriptors_nothing_is_started(void **state)
{
	struct belay_exit exit = {.code = 99};
	struct shell sh;

	assert_int_equal(belay_exec(belay_background(), shell(&sh, "exit 3"), NULL), 0);
	forbid_descriptors();
	assert_int_equal(belay_exec(belay_background(), shell(&sh, "exit 3"), &exit), -EMFILE);
	allow_descriptors();
	assert_int_equal(exit.code, 99);
	assert_true(no_child());
}

BELAY_TEST_MAIN(cmocka_unit_test(output_and_error_are_captured_each_in_its_own),
		cmocka_unit_test(error_can_go_where_output_goes),
		cmocka_unit_test(what_is_beyond_the_bound_is_thrown_away_and_holds_nobody_up),
		cmocka_unit_test(input_is_fed_from_memory),
		cmocka_unit_test(a_pipe_is_read_and_written_while_it_runs),
		cmocka_unit_test(descriptors_are_given_by_number),
		cmocka_unit_test(our_own_are_inherited_also_crosswise),
		cmocka_unit_test(a_program_without_descriptors_of_its_own_runs_others),
		cmocka_unit_test(nothing_else_is_open_in_it),
		cmocka_unit_test(it_begins_with_the_default_of_every_signal_and_none_blocked),
		cmocka_unit_test(what_the_program_blocks_itself_stays_blocked),
		cmocka_unit_test(it_leads_a_group_of_its_own),
		cmocka_unit_test(the_environment_is_replaced_and_added_to),
		cmocka_unit_test(it_starts_in_its_folder_and_may_have_another_name),
		cmocka_unit_test(what_execve_says_is_said),
		cmocka_unit_test(wrong_commands_are_errors_and_start_nothing),
		cmocka_unit_test(out_of_memory_is_an_error_and_leaves_no_child),
		cmocka_unit_test(without_descriptors_nothing_is_started))
