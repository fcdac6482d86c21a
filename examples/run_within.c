/* SPDX-License-Identifier: MIT
 *
 * run_within.c - a command that may take so long and no longer.
 *
 *     run_within MS COMMAND [ARGUMENT...]     exits as the command does; 124 where time was up
 *
 * The context has three ends: the limit, Ctrl-C, and the deadline of whoever runs this program,
 * which came with the environment; so one run_within inside of another never takes longer than the
 * outer one. Whichever is first, the command and all that it has started get SIGTERM, and two
 * seconds later SIGKILL. (At a terminal the command alone: there it has to stay in this program's
 * group.)
 */
#include <belay.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIME_IS_UP = 124, CANT_RUN = 127, BY_SIGNAL = 128 };

static int run(belay_ctx *ctx, char **argv, struct belay_exit *ret)
{
	struct belay_command command = {
		.argv = (const char *const *)argv,
		.in = belay_stdio_inherit(),
		.out = belay_stdio_inherit(),
		.err = belay_stdio_inherit(),
		.grace = BELAY_S(2),
		.same_group = isatty(STDIN_FILENO), /* who reads from a terminal is of ours */
	};

	return belay_exec(ctx, &command, ret);
}

static void explain(belay_ctx *ctx, const struct belay_exit *exit)
{
	belay_cause cause;

	if (belay_cause_of(ctx, &cause) < 0)
		return;
	fprintf(stderr, "run_within: %s; ", cause.message);
	if (exit->signal)
		fprintf(stderr, "ended by signal %d\n", exit->signal);
	else if (exit->code >= 0)
		fprintf(stderr, "exit status %d\n", exit->code);
	else
		fprintf(stderr, "not started\n");
}

/* As a shell tells of a command. */
static int status_of(int err, const char *program, const struct belay_exit *exit)
{
	if (exit->err)
		return exit->err == -ETIME ? TIME_IS_UP : BY_SIGNAL + SIGINT;
	if (err < 0) {
		fprintf(stderr, "run_within: %s: %s\n", program, belay_strerror(err));
		return CANT_RUN;
	}
	return exit->signal ? BY_SIGNAL + exit->signal : exit->code;
}

static int run_within(int64_t limit, char **argv)
{
	BELAY_SCOPED belay_ctx *callers = belay_from_environment(belay_background());
	BELAY_SCOPED belay_ctx *stop = belay_with_signal(callers, SIGINT, SIGTERM, 0);
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(stop, limit);
	struct belay_exit exit = {0};
	int err = run(ctx, argv, &exit);

	if (exit.err)
		explain(ctx, &exit);
	return status_of(err, argv[0], &exit);
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 3) {
		fprintf(stderr, "usage: run_within MS COMMAND [ARGUMENT...]\n");
		return EXIT_FAILURE;
	}
	status = run_within(BELAY_MS(strtod(argv[1], NULL)), argv + 2);
	belay_shutdown();
	return status;
}
