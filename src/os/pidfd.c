/* SPDX-License-Identifier: MIT
 *
 * pidfd.c - a child by its descriptor, and by its number where the kernel has none.
 *
 * The system calls are made directly: the C library has had functions for them only since 2.36.
 */
#include "os/pidfd.h"

#include <belay/net.h>
#include <belay/process.h>

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BY_PIDFD = 3, TO_GROUP = 1 << 2 }; /* P_PIDFD, PIDFD_SIGNAL_PROCESS_GROUP */

/* Close-on-exec, as all of them are; negative: there is none. */
static int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

void belay__child_open(struct belay__child *child, pid_t pid)
{
	child->pid = pid;
	child->fd = open_pidfd(pid);
}

static int wait_for(const struct belay__child *child, siginfo_t *info, int options)
{
	int r;

	do
		r = child->fd >= 0 ? waitid((idtype_t)BY_PIDFD, (id_t)child->fd, info, options)
				   : waitid(P_PID, (id_t)child->pid, info, options);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* In waitpid(2)'s form, that has macros for all questions. */
static int status_of(const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return W_EXITCODE(info->si_status & 0xff, 0);
	return W_EXITCODE(0, info->si_status) | (info->si_code == CLD_DUMPED ? WCOREFLAG : 0);
}

int belay__child_look(const struct belay__child *child, int *ret)
{
	siginfo_t info = {.si_pid = 0};
	int err = wait_for(child, &info, WEXITED | WNOHANG | WNOWAIT);

	if (err < 0)
		return err;
	if (info.si_pid == 0)
		return -EAGAIN;
	*ret = status_of(&info);
	return 0;
}

void belay__child_reap(const struct belay__child *child)
{
	siginfo_t info;

	wait_for(child, &info, WEXITED | WNOHANG);
}

static int result_of(long r)
{
	return r < 0 ? -errno : 0;
}

int belay__child_signal(const struct belay__child *child, int number)
{
	unsigned flags = child->group ? TO_GROUP : 0;
	int err = -ENOSYS;

	if (child->fd >= 0)
		err = result_of(syscall(SYS_pidfd_send_signal, child->fd, number, NULL, flags));
	/* -EINVAL: flags are unknown; or the number is wrong, which the other call says again. */
	if (err == -ENOSYS || (err == -EINVAL && flags))
		err = result_of(kill(child->group ? -child->pid : child->pid, number));
	return err;
}

/* ---- belay_wait_pid() ------------------------------------------------------------------------ */

/* Returns where the child may have ended, or an error of ctx's or of lack of memory. */
static int wait_a_while(belay_ctx *ctx, int fd, int64_t *pause)
{
	int err;

	if (fd >= 0) {
		err = belay_wait_fd(ctx, fd, BELAY_READABLE);
		return err < 0 ? err : 0;
	}
	err = belay_sleep(ctx, *pause);
	if (*pause < BELAY__LOOK_LAST)
		*pause *= 2;
	return err;
}

static int wait_until_reaped(belay_ctx *ctx, pid_t pid, int fd, int *ret)
{
	int64_t pause = BELAY__LOOK_FIRST;
	int status, err = belay_err(ctx);
	pid_t r;

	while (err == 0) {
		r = waitpid(pid, &status, WNOHANG);
		if (r == 0)
			err = wait_a_while(ctx, fd, &pause);
		else if (r > 0)
			break;
		else if (errno != EINTR)
			err = -errno;
	}
	if (err == 0 && ret)
		*ret = status;
	return err;
}

int belay_wait_pid(belay_ctx *ctx, pid_t pid, int *ret)
{
	int fd, err = belay_err(ctx);

	if (err < 0)
		return err;
	if (pid <= 0)
		return -EINVAL;
	fd = open_pidfd(pid);
	err = wait_until_reaped(ctx, pid, fd, ret);
	if (fd >= 0)
		close(fd);
	return err;
}
