/* SPDX-License-Identifier: MIT
 *
 * fd_test.h - what the tests of descriptors share: descriptors of each kind that can be waited for,
 * and what is done with any of them.
 *
 * With NO_NOWAIT in the environment the kernel is made to refuse RWF_NOWAIT, as one before Linux
 * 6.4 does for pipes.
 */
#ifndef BELAY_TESTS_FD_TEST_H
#define BELAY_TESTS_FD_TEST_H

#include "net_test.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

__attribute__((constructor)) static void refuse_nowait(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_preadv2, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwritev2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

	if (getenv("NO_NOWAIT") && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
				    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0))
		abort();
}

/* ---- Kinds of descriptors -------------------------------------------------------------------- */

/* Two ends; bytes go from in to out. */
struct ends {
	int out, in;
};

static inline struct ends pipe_with(int flags)
{
	int fds[2];

	check(pipe2(fds, O_CLOEXEC | flags) == 0);
	return (struct ends){fds[0], fds[1]};
}

static inline struct ends sockets_with(int flags)
{
	int fds[2];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, fds) == 0);
	return (struct ends){fds[0], fds[1]};
}

static inline struct ends blocking_pipe(void)
{
	return pipe_with(0);
}

static inline struct ends nonblocking_pipe(void)
{
	return pipe_with(O_NONBLOCK);
}

static inline struct ends blocking_sockets(void)
{
	return sockets_with(0);
}

static inline struct ends nonblocking_sockets(void)
{
	return sockets_with(SOCK_NONBLOCK);
}

/* Raw, so that single bytes can be read; the program is the slave's side. Both are -1 where there
 * are no terminals to be had, as in containers without /dev/pts. */
static inline struct ends terminal(void)
{
	struct termios raw = {.c_cc = {[VMIN] = 1}};
	struct ends ends;

	if (openpty(&ends.in, &ends.out, NULL, &raw, NULL) != 0)
		return (struct ends){.in = -1, .out = -1};
	return ends;
}

/* Says so: the other kinds are tested all the same. */
static inline bool are_missing(struct ends ends)
{
	if (ends.in < 0)
		print_message("passed over: there are no terminals here\n");
	return ends.in < 0;
}

static struct ends (*const kinds[])(void) = {
	blocking_pipe, nonblocking_pipe, blocking_sockets, nonblocking_sockets, terminal,
};

static inline void close_ends(struct ends ends)
{
	close(ends.out);
	close(ends.in);
}

/* Calls fn with every kind, from a thread and from a task. */
static inline void with_each_kind(void (*fn)(belay_ctx *ctx, void *ends))
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		for (int in_task = 0; in_task < 2; in_task++) {
			struct ends ends = kinds[i]();

			if (are_missing(ends))
				continue;
			if (in_task)
				check_in_task(fn, &ends);
			else
				fn(belay_background(), &ends);
			close_ends(ends);
		}
	}
}

/* ---- What is done with them ------------------------------------------------------------------ */

static inline void write_when_waited_for(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;

	check(check_until(is_waited_for(ends->out, EPOLLIN)));
	check(write(ends->in, "x", 1) == 1);
}

static inline void read_before_it_comes(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	struct aside aside;
	char byte = 0;

	aside_start(&aside, ctx, write_when_waited_for, ends);
	check(belay_read(ctx, ends->out, &byte, 1) == 1);
	check(byte == 'x');
	aside_join(&aside);
}

static inline void read_cancelled(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	struct canceller canceller = {belay_with_cancel(ctx), ends->out, EPOLLIN};
	struct aside aside;
	char byte = 'y';

	aside_start(&aside, ctx, cancel_when_waited_for, &canceller);
	check(belay_read(canceller.ctx, ends->out, &byte, 1) == -ECANCELED);
	check(byte == 'y');
	check(!is_waited_for(ends->out, EPOLLIN));
	aside_join(&aside);
	belay_end(canceller.ctx);
}

#endif
