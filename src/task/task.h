/* SPDX-License-Identifier: MIT
 *
 * task.h - what the rooms above may use of the scheduler.
 */
#ifndef BELAY_SRC_TASK_TASK_H
#define BELAY_SRC_TASK_TASK_H

#include "wait/wait.h"

#include <belay/task.h>

#include <stdint.h>

/* ---- The poller: one epoll a worker ---------------------------------------------------------- */

/* What an event of a worker's epoll points to (epoll_data.ptr). ready() runs on that worker,
 * outside of any task, no lock held, and must not block; it may wake waiters. An event that was
 * fetched before the descriptor was taken off the epoll may still arrive afterwards, so the memory
 * of a source is never given back while workers run: recycle it, and let those who are woken look
 * again. */
struct belay__source {
	void (*ready)(struct belay__source *source, uint32_t events);
};

/* The epoll to register on: the calling task's worker's, or for a plain thread one of them in turn;
 * starts the workers where they don't run. A descriptor, or a negative errno. */
int belay__poller_fd(void);

/* ---- Work that blocks ------------------------------------------------------------------------ */

/* A job on the pool of blocking threads, in memory of its owner's; run(job) owns it from then on,
 * and the pool does not touch it afterwards. */
struct belay__job {
	struct belay__list link;
	void (*run)(struct belay__job *job);
};

/* Hands job to the pool and returns at once. 0, or -EAGAIN/-ENOMEM: no thread could be started. */
int belay__job_submit(struct belay__job *job);

/* True: job had not begun and never will; it is the caller's again. Only while the caller knows
 * that run() has not ended. */
bool belay__job_withdraw(struct belay__job *job);

/* ---- Tasks made ahead ------------------------------------------------------------------------ */

/* A task that has its stack and all else it needs, but has not been started; NULL: no memory, or no
 * workers. Then exactly one of: start it (which can't fail), or throw it away. */
struct belay__task;
struct belay__task *belay__task_new(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg),
				    void *arg, const struct belay_site *site);
void belay__task_start(struct belay__task *task);
void belay__task_discard(struct belay__task *task);

/* True on a worker, inside a task. */
static inline bool belay__in_task(void)
{
	return belay__current_task != NULL;
}

#endif
