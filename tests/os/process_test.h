/* SPDX-License-Identifier: MIT
 *
 * process_test.h - what the tests of processes share.
 *
 * With OLD_KERNEL=pidfd in the environment the kernel is made to know no pidfd_open(2), as one
 * before Linux 5.3 or a strict container; with OLD_KERNEL=group no group of a pidfd, as one before
 * 6.9.
 */
#ifndef BELAY_TESTS_OS_PROCESS_TEST_H
#define BELAY_TESTS_OS_PROCESS_TEST_H

#include "check.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG BELAY_S(1000)
#define SHORT BELAY_MS(50)

static inline bool kernel_lacks(const char *what)
{
	const char *old = getenv("OLD_KERNEL");

	return old && strcmp(old, what) == 0;
}

static inline void install_filter(struct sock_filter *filter, size_t count)
{
	struct sock_fprog program = {(unsigned short)count, filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		abort();
}

/* Little endian: the flags' lower half. */
__attribute__((constructor)) static void age_kernel(void)
{
	struct sock_filter pidfd[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_filter group[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	if (kernel_lacks("pidfd"))
		install_filter(pidfd, sizeof pidfd / sizeof *pidfd);
	if (kernel_lacks("group"))
		install_filter(group, sizeof group / sizeof *group);
}

/* Runs fn(ctx, arg) on this thread, then in a task. fn uses check(). */
static inline void from_both(void (*fn)(belay_ctx *ctx, void *arg), void *arg)
{
	fn(belay_background(), arg);
	check_in_task(fn, arg);
}

/* A command of the shell's, whose text lives as long as command does. */
struct shell {
	const char *argv[4];
	struct belay_command command;
};

static inline struct belay_command *shell(struct shell *shell, const char *script)
{
	*shell = (struct shell){.argv = {"/bin/sh", "-c", script, NULL}};
	shell->command.argv = shell->argv;
	return &shell->command;
}

/* Runs script with its output captured: what it has written, for free(3). */
static inline char *output_of(belay_ctx *ctx, const char *script)
{
	struct belay_capture capture = {.limit = 65536};
	struct shell sh;
	struct belay_command *command = shell(&sh, script);
	struct belay_exit exit;

	command->out = belay_stdio_capture(&capture);
	check(belay_exec(ctx, command, &exit) == 0);
	return capture.data;
}

/* True where script has written just that. */
static inline bool writes(belay_ctx *ctx, const char *script, const char *expected)
{
	char *output = output_of(ctx, script);
	bool same = output && strcmp(output, expected) == 0;

	if (!same)
		fprintf(stderr, "%s wrote: %s\n", script, output ? output : "(nothing)");
	free(output);
	return same;
}

/* No child is left, be it alive or a zombie. */
static inline bool no_child(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
}

/* A process that has written a line to the pipe that is its output. */
struct ready {
	belay_process *process;
	int out;
	char line[32];
};

/* script is to write a line once it is ready. */
static inline bool start_ready(belay_ctx *ctx, struct belay_command *command, struct ready *ret)
{
	ssize_t count;

	command->out = belay_stdio_pipe(&ret->out);
	if (!check(belay_process_start(ctx, command, &ret->process) == 0))
		return false;
	count = belay_read(belay_background(), ret->out, ret->line, sizeof ret->line - 1);
	ret->line[count > 0 ? count : 0] = '\0';
	return check(count > 0);
}

/* Nobody holds the other end any more: true once all are gone that had it. */
static inline bool reaches_end(int fd)
{
	char rest[256];
	ssize_t count;

	do
		count = belay_read(belay_background(), fd, rest, sizeof rest);
	while (count > 0);
	return count == 0;
}

#endif
