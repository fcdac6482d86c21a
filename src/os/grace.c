/* SPDX-License-Identifier: MIT
 *
 * grace.c - how a child is ended: by its context, and by the end of its grace period.
 */
#include "context/context.h"
#include "os/process.h"
#include "wait/timer.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

/* Who was killed dies at once; but one who sleeps in a driver does not, and a zombie whose parent
 * does not reap, as many a container's first process, stays in its group for ever. */
#define DYING BELAY_S(1)

/* ---- The alarm and the grace period; under the lock ------------------------------------------ */

/* Zero would be never, so what has been is at 1. */
void belay__process_set_alarm(struct belay_process *process)
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
	belay__process_set_alarm(process);
}

static void kill_group(struct belay_process *process)
{
	belay__child_signal(&process->child, SIGKILL);
	process->killed = true;
	process->dead_by = belay__moment(DYING);
}

void belay__process_attend(struct belay_process *process)
{
	if (process->is_over || process->over > belay_now())
		return;
	process->is_over = true;
	if (process->stopped && !process->killed && process->state != GONE)
		kill_group(process);
}

void belay__process_rang(struct belay__watch *watch, uint32_t events)
{
	struct belay_process *process = belay__container(watch, struct belay_process, watch);

	(void)events;
	belay__process_take(process);
	belay__process_attend(process);
	belay__process_give(process);
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

void belay__process_look(struct belay_process *process)
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

void belay__process_ctx_ended(struct belay_hook *hook)
{
	struct belay_process *process = belay__container(hook, struct belay_process, hook);

	belay__process_take(process);
	belay__process_look(process);
	if (process->state == RUNNING)
		process->exit.err = belay_err(process->ctx);
	if (process->state != GONE)
		stop(process);
	belay__process_give(process);
}
