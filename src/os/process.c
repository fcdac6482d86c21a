/* SPDX-License-Identifier: MIT
 *
 * process.c - a child that ends with its context.
 *
 * State       RUNNING -> EXITED -> GONE: the child has ended, but is not reaped before its output
 *             is at its end or the grace period is over. Where the context has ended it, LINGERING
 *             stands before GONE: it is reaped, but others of its group may still be there.
 * Who         The hook of its own context, on whatever thread that ends on, sends SIGTERM and sets
 *             the alarm (a timerfd). The clock thread, which watches the alarm, sends SIGKILL. All
 *             else is done by the one who waits: it takes the output and reaps. So a deadline is
 *             kept where nobody waits and no worker is free, and nothing is reaped behind
 *             somebody's back.
 * Waiting     Everything that the one who waits for stands on one epoll: the output, the child's
 *             pidfd as long as it is RUNNING, and the alarm. What tells nobody (there is no pidfd;
 *             somebody is left of a group) is looked at now and then, for which the alarm rings
 *             too.
 * The alarm   is set to over or look_at, whichever comes first. Once it has rung it stays readable
 *             until the one who waits sets it anew; the clock thread sees one edge and leaves it
 *             so.
 * Locking     lock guards what stands below it. Signals are sent under it, so that no number is
 *             signalled that somebody reaps at the same time.
 * No failure  Everything that may be lacking is made before the child is started. Afterwards only
 *             output needs memory; where there is none for it, it can be thrown away.
 */
#include "base/alloc.h"
#include "context/context.h"
#include "net/io.h"
#include "os/capture.h"
#include "os/pidfd.h"
#include "os/spawn.h"
#include "wait/timer.h"
#include "wait/watch.h"

#include <belay/process.h>

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum state { RUNNING, EXITED, LINGERING, GONE };

enum { OUTPUTS = 2 };

struct belay_process {
	struct belay__child child;              /* constant */
	belay_ctx *ctx;                         /* a child of the starter's */
	struct belay_hook hook;
	struct belay__watch watch;              /* of alarm */
	int epoll, alarm;
	int64_t grace;
	bool polled;                            /* no event tells that the child has ended */
	struct belay__intake output[OUTPUTS];   /* of the one who waits */
	int64_t pause;                          /* his, too: between two looks */

	struct belay__lock lock;
	enum state state;
	bool lost;                              /* GONE, reaped by somebody else */
	bool stopped, killed;                   /* got SIGTERM, SIGKILL from here */
	bool is_over;                           /* the grace period */
	int64_t over;                           /* when it is; BELAY_FOREVER: it has not begun */
	int64_t look_at;                        /* when the one who waits wants to look again */
	struct belay_exit exit;
};

static void take(struct belay_process *process)
{
	belay__lock_take(&process->lock, BELAY__RANK_LEAF);
}

static void give(struct belay_process *process)
{
	belay__lock_give(&process->lock, BELAY__RANK_LEAF);
}

/* ---- The alarm and the grace period; under the lock ------------------------------------------ */

/* Also makes the alarm unreadable. Zero would be never, so what has been is at 1. */
static void set_alarm(struct belay_process *process)
{
	int64_t when = process->is_over ? BELAY_FOREVER : process->over;
	struct itimerspec spec = {.it_value = {0, 0}};

	if (process->look_at < when)
		when = process->look_at;
	if (when != BELAY_FOREVER) {
		spec.it_value.tv_sec = when / BELAY_S(1);
		spec.it_value.tv_nsec = when > 0 ? when % BELAY_S(1) : 1;
	}
	timerfd_settime(process->alarm, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* One that runs goes on; one that has run out, and nobody was there to see it, is followed by
 * another. */
static void begin_grace(struct belay_process *process)
{
	if (process->over != BELAY_FOREVER && !process->is_over)
		return;
	process->is_over = false;
	process->over = belay__moment(process->grace > 0 ? process->grace : 0);
	set_alarm(process);
}

static void kill_group(struct belay_process *process)
{
	belay__child_signal(&process->child, SIGKILL);
	process->killed = true;
}

/* Leaves the alarm readable for the one who waits. */
static void attend(struct belay_process *process)
{
	if (process->is_over || process->over > belay_now())
		return;
	process->is_over = true;
	if (process->stopped && !process->killed && process->state != GONE)
		kill_group(process);
}

static void rang(struct belay__watch *watch, uint32_t events)
{
	struct belay_process *process = belay__container(watch, struct belay_process, watch);

	(void)events;
	take(process);
	attend(process);
	give(process);
}

/* ---- The child's end; under the lock --------------------------------------------------------- */

static void note_exit(struct belay_process *process, int status)
{
	process->state = EXITED;
	process->exit.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	process->exit.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	if (!process->polled)
		epoll_ctl(process->epoll, EPOLL_CTL_DEL, process->child.fd, NULL);
	if (!process->stopped)
		begin_grace(process);
}

/* Whether it has ended by now. */
static void look(struct belay_process *process)
{
	int status, err;

	if (process->state != RUNNING)
		return;
	err = belay__child_look(&process->child, &status);
	if (err == 0)
		note_exit(process, status);
	if (err == 0 || err == -EAGAIN)
		return;
	process->lost = true;
	process->state = GONE;
}

/* ---- The context's end ----------------------------------------------------------------------- */

/* One that is stopped acts on no signal before it goes on, except for SIGKILL. */
static void stop(struct belay_process *process)
{
	process->stopped = true;
	begin_grace(process);
	if (process->grace < 0) {
		kill_group(process);
		return;
	}
	belay__child_signal(&process->child, SIGTERM);
	belay__child_signal(&process->child, SIGCONT);
}

static void ctx_ended(struct belay_hook *hook)
{
	struct belay_process *process = belay__container(hook, struct belay_process, hook);

	take(process);
	look(process);
	if (process->state == RUNNING)
		process->exit.err = belay_err(process->ctx);
	if (process->state != GONE)
		stop(process);
	give(process);
}

/* ---- The one who waits ----------------------------------------------------------------------- */

static int take_output(struct belay_process *process)
{
	int err = 0;

	for (int i = 0; i < OUTPUTS && err == 0; i++)
		err = belay__intake_take(&process->output[i]);
	return err;
}

static bool close_output(struct belay_process *process)
{
	bool any = false;

	for (int i = 0; i < OUTPUTS; i++)
		any |= belay__intake_close(&process->output[i]);
	return any;
}

static bool is_drained(const struct belay_process *process)
{
	return process->output[0].fd < 0 && process->output[1].fd < 0;
}

/* As it is now. */
static enum state look_at_state(struct belay_process *process, bool *ret_over)
{
	enum state state;

	take(process);
	attend(process);
	look(process);
	state = process->state;
	*ret_over = process->is_over;
	give(process);
	return state;
}

/* Who dies of SIGKILL needs no looking after. */
static bool leaves_others(const struct belay_process *process)
{
	return process->child.group && process->stopped && !process->killed &&
	       belay__child_signal(&process->child, 0) != -ESRCH;
}

/* Nobody can keep its pipes from us any longer; what is in them is taken along. */
static int leave(struct belay_process *process)
{
	int err = take_output(process);

	if (err < 0)
		return err;
	process->exit.held = close_output(process);
	take(process);
	belay__child_reap(&process->child);
	process->state = leaves_others(process) ? LINGERING : GONE;
	give(process);
	return 0;
}

/* Sets the alarm for the next look, where there is need for one. True: the process is gone. */
static bool look_again_later(struct belay_process *process)
{
	bool gone;

	take(process);
	if (process->state == LINGERING && !leaves_others(process))
		process->state = GONE;
	process->look_at = BELAY_FOREVER;
	if (process->state == LINGERING || (process->state == RUNNING && process->polled)) {
		process->look_at = belay__moment(process->pause);
		if (process->pause < BELAY__LOOK_LAST)
			process->pause *= 2;
	}
	set_alarm(process);
	gone = process->state == GONE;
	give(process);
	return gone;
}

/* A try, as belay__io_lent() wants it: 1: the process is gone; -EAGAIN; -ENOMEM. */
static ssize_t step(int epoll, void *arg)
{
	struct belay_process *process = arg;
	int err = take_output(process);
	bool over;

	(void)epoll;
	if (err == 0 && look_at_state(process, &over) == EXITED && (is_drained(process) || over))
		err = leave(process);
	if (err < 0)
		return err;
	return look_again_later(process) ? 1 : -EAGAIN;
}

static bool is_gone(struct belay_process *process)
{
	bool gone;

	take(process);
	gone = process->state == GONE;
	give(process);
	return gone;
}

/* ---- Its end --------------------------------------------------------------------------------- */

/* The last resort where even the means to wait are lacking: a wait that fails may not have made a
 * single try. */
static void nap(void)
{
	const struct timespec turn = {.tv_nsec = BELAY_MS(1)};

	if (belay_sleep(belay_background(), BELAY_MS(1)) < 0)
		nanosleep(&turn, NULL);
}

static void wait_until_gone(struct belay_process *process)
{
	while (!is_gone(process)) {
		for (int i = 0; i < OUTPUTS; i++)
			belay__intake_refuse(&process->output[i]);
		if (belay__io_lent(belay_background(), process->epoll, BELAY_READABLE, step,
				   process) < 0 &&
		    step(process->epoll, process) < 0)
			nap();
	}
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* What there is of it. Nothing runs any more that knows it. */
static void release(struct belay_process *process)
{
	belay__watch_remove(&process->watch);
	for (int i = 0; i < OUTPUTS; i++)
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
	return belay__watch_add(&process->watch, process->alarm, EPOLLIN | EPOLLET, rang);
}

static int open_output(struct belay_process *process, const struct belay_command *command,
		       struct belay__stdio *stdio)
{
	const struct belay_stdio *how[OUTPUTS] = {&command->out, &command->err};
	int err = 0;

	for (int i = 0; i < OUTPUTS && err == 0; i++) {
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
	belay_hook_add(process->ctx, &process->hook, ctx_ended);
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
	ssize_t r = belay__io_lent(ctx, process->epoll, BELAY_READABLE, step, process);

	if (r < 0)
		return (int)r;
	if (process->lost)
		return -ECHILD;
	for (int i = 0; i < OUTPUTS; i++)
		belay__intake_hand_over(&process->output[i]);
	if (ret)
		*ret = process->exit;
	return 0;
}

void belay_process_end(belay_process *process)
{
	if (!process)
		return;
	if (!is_gone(process))
		belay_cancel_at(process->ctx, NULL);
	wait_until_gone(process);
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

	take(process);
	look(process);
	if (process->state != GONE)
		err = belay__child_signal(&process->child, number);
	give(process);
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
