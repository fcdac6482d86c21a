/* SPDX-License-Identifier: MIT
 *
 * process.c - starting a child that ends with its context, and the public face of it.
 *
 * What it is stands in process.h.
 */
#include "os/process.h"

#include "base/alloc.h"
#include "context/context.h"
#include "net/io.h"
#include "os/spawn.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* What there is of it. Nothing runs any more that knows it. */
static void release(struct belay_process *process)
{
	belay__watch_remove(&process->watch);
	for (int i = 0; i < BELAY__OUTPUTS; i++)
		belay__intake_fini(&process->output[i]);
	close_if_open(process->child.fd);
	close_if_open(process->alarm);
	close_if_open(process->epoll);
	belay_end(process->ctx);
	belay__free(process);
}

/* ---- Its start ------------------------------------------------------------------------------- */

static belay_process *process_new(const struct belay_command *command)
{
	belay_process *process = belay__calloc(1, sizeof *process);

	if (!process)
		return NULL;
	process->child = (struct belay__child){.fd = -1, .group = !command->same_group};
	process->watch.index = UINT32_MAX;
	process->epoll = process->alarm = -1;
	process->output[0].fd = process->output[1].fd = -1;
	process->grace = command->grace ? command->grace : BELAY_GRACE;
	process->pause = BELAY__LOOK_FIRST;
	process->over = process->look_at = BELAY_FOREVER;
	return process;
}

/* 0 and fd is there, on the epoll; or a negative errno. */
static int open_alarm(struct belay_process *process)
{
	struct epoll_event event = {.events = EPOLLIN};

	process->alarm = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (process->alarm < 0)
		return -errno;
	if (epoll_ctl(process->epoll, EPOLL_CTL_ADD, process->alarm, &event) < 0)
		return -errno;
	return belay__watch_add(&process->watch, process->alarm, EPOLLIN | EPOLLET,
				belay__process_rang);
}

static int open_output(struct belay_process *process, const struct belay_command *command,
		       struct belay__stdio *stdio)
{
	const struct belay_stdio *how[BELAY__OUTPUTS] = {&command->out, &command->err};
	int err = 0;

	for (int i = 0; i < BELAY__OUTPUTS && err == 0; i++) {
		if (how[i]->kind != BELAY_STDIO_CAPTURE)
			continue;
		err = belay__intake_init(&process->output[i], stdio->ours[i + 1], process->epoll,
					 how[i]->capture);
		if (err == 0)
			stdio->ours[i + 1] = -1;
	}
	return err;
}

static int prepare(struct belay_process *process, belay_ctx *ctx,
		   const struct belay_command *command, struct belay__stdio *stdio)
{
	int err;

	process->ctx = belay_with_cancel_at(ctx, NULL);
	err = belay_err(process->ctx);
	if (err < 0)
		return err;
	process->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (process->epoll < 0)
		return -errno;
	err = open_alarm(process);
	return err < 0 ? err : open_output(process, command, stdio);
}

/* From here on nothing fails: where there is no pidfd, or none that can be waited for, we look. */
static void adopt(struct belay_process *process, pid_t pid)
{
	struct epoll_event event = {.events = EPOLLIN};

	belay__child_open(&process->child, pid);
	process->polled = process->child.fd < 0 || epoll_ctl(process->epoll, EPOLL_CTL_ADD,
							     process->child.fd, &event) < 0;
	belay_hook_add(process->ctx, &process->hook, belay__process_ctx_ended);
}

static int prepare_and_spawn(struct belay_process *process, belay_ctx *ctx,
			     const struct belay_command *command, struct belay__stdio *stdio)
{
	int err = prepare(process, ctx, command, stdio);
	pid_t pid;

	if (err == 0)
		err = belay__spawn(process->ctx, command, stdio, &pid);
	if (err == 0)
		adopt(process, pid);
	return err;
}

/* The pipes become the caller's. */
static void hand_out(const struct belay_command *command, struct belay__stdio *stdio)
{
	const struct belay_stdio *how[BELAY__STDIO] = {&command->in, &command->out, &command->err};

	for (int i = 0; i < BELAY__STDIO; i++) {
		if (how[i]->kind != BELAY_STDIO_PIPE)
			continue;
		*how[i]->pipe = stdio->ours[i];
		stdio->ours[i] = -1;
	}
}

static int start(belay_ctx *ctx, const struct belay_command *command, struct belay__stdio *stdio,
		 belay_process **ret)
{
	belay_process *process = process_new(command);
	int err;

	if (!process)
		return -ENOMEM;
	err = prepare_and_spawn(process, ctx, command, stdio);
	if (err < 0) {
		release(process);
		return err;
	}
	hand_out(command, stdio);
	*ret = process;
	return 0;
}

/* Where SIGCHLD is ignored the kernel reaps. */
static bool reaps_itself(void)
{
	struct sigaction now;

	return sigaction(SIGCHLD, NULL, &now) == 0 &&
	       (now.sa_handler == SIG_IGN || now.sa_flags & SA_NOCLDWAIT);
}

static void clear(const struct belay_stdio *how)
{
	if (how->kind != BELAY_STDIO_CAPTURE || !how->capture)
		return;
	how->capture->data = NULL;
	how->capture->size = 0;
	how->capture->cut = false;
}

static bool is_complete(const struct belay_command *command)
{
	const struct belay_stdio *out = &command->out, *err = &command->err;

	if (!command->argv || !command->argv[0])
		return false;
	return out->kind != BELAY_STDIO_CAPTURE || err->kind != BELAY_STDIO_CAPTURE ||
	       out->capture != err->capture;
}

/* ---- Public ---------------------------------------------------------------------------------- */

int belay_process_start(belay_ctx *ctx, const struct belay_command *command, belay_process **ret)
{
	struct belay__stdio stdio;
	int err = belay_err(ctx);

	clear(&command->out);
	clear(&command->err);
	if (err < 0)
		return err;
	if (!is_complete(command))
		return -EINVAL;
	if (reaps_itself())
		return -ECHILD;
	err = belay__stdio_open(&stdio, command);
	if (err < 0)
		return err;
	err = start(ctx, command, &stdio, ret);
	belay__stdio_close_child(&stdio);
	belay__stdio_close_ours(&stdio);
	return err;
}

int belay_process_wait(belay_ctx *ctx, belay_process *process, struct belay_exit *ret)
{
	ssize_t r = belay__io_lent(ctx, process->epoll, BELAY_READABLE, belay__process_step,
				   process);

	if (r < 0)
		return (int)r;
	if (process->lost)
		return -ECHILD;
	for (int i = 0; i < BELAY__OUTPUTS; i++)
		belay__intake_hand_over(&process->output[i]);
	if (ret)
		*ret = process->exit;
	return 0;
}

void belay_process_end(belay_process *process)
{
	if (!process)
		return;
	if (!belay__process_is_gone(process))
		belay_cancel_at(process->ctx, NULL);
	belay__process_wait_until_gone(process);
	belay_hook_remove(&process->hook);
	release(process);
}

/* What its context's end has begun goes on without us: the grace period's SIGKILL does not. */
void belay_process_detach(belay_process *process)
{
	if (!process)
		return;
	belay_hook_remove(&process->hook);
	release(process);
}

int belay_process_signal(belay_process *process, int number)
{
	int err = -ESRCH;

	belay__process_take(process);
	belay__process_look(process);
	if (process->state != GONE)
		err = belay__child_signal(&process->child, number);
	belay__process_give(process);
	return err;
}

pid_t belay_process_pid(const belay_process *process)
{
	return process->child.pid;
}

int belay_exec(belay_ctx *ctx, const struct belay_command *command, struct belay_exit *ret)
{
	struct belay_exit exit = {.code = -1};
	belay_process *process;
	int err = belay_process_start(ctx, command, &process);

	if (err == 0) {
		err = belay_process_wait(belay_background(), process, &exit);
		belay_process_end(process);
	} else if (err == belay_err(ctx)) {
		exit.err = err;
	}
	if (err < 0 && exit.err == 0)
		return err;
	if (ret)
		*ret = exit;
	return exit.err;
}
