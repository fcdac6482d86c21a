/* SPDX-License-Identifier: MIT
 *
 * worker.h - a task's inside and the threads that run tasks. For the files of this room only.
 */
#ifndef BELAY_SRC_TASK_WORKER_H
#define BELAY_SRC_TASK_WORKER_H

#include "base/list.h"
#include "base/lock.h"
#include "task/fiber.h"
#include "task/stack.h"
#include "task/task.h"
#include "wait/wait.h"

#include <pthread.h>
#include <stdatomic.h>

struct worker;

/* Stands at the top of its own stack. */
struct belay__task {
	struct belay__runner runner;
	_Atomic uint32_t token;           /* see task.c: EMPTY, WOKEN, PARKED */
	struct belay__list link;          /* in ready (the owner's) or fresh (fresh_lock) */
	struct belay__task *next_inbox;   /* in inbox */
	struct worker *worker;            /* set when it first runs, then constant */
	struct belay__stack *stack;
	struct belay__fiber fiber;
	belay_ctx *ctx;                   /* referenced */
	void (*fn)(belay_ctx *ctx, void *arg);
	void *arg;
};

struct worker {
	/* Touched by others. */
	_Alignas(64) _Atomic(struct belay__task *) inbox; /* woken by others: a stack */
	_Atomic uint32_t asleep;                   /* in epoll_wait, or about to be; who clears it
						      writes to the kick */
	_Atomic size_t fresh_count;                /* of fresh, to look at without the lock */
	struct belay__lock fresh_lock;
	struct belay__list fresh;                  /* never ran: may be stolen; under fresh_lock */
	/* The owner's. */
	_Alignas(64) struct belay__list ready;
	struct belay__task *finished;              /* its stack is freed once it is off it */
	struct belay__fiber fiber;                 /* of the loop */
	unsigned tick, index;
	int epoll, kick;
	struct belay__source kick_source;
	pthread_t thread;
	struct worker *next_left;                  /* see worker.c: keep_for_the_left() */
};

/* The calling thread's worker; NULL on other threads. */
extern _Thread_local struct worker *belay__worker;

/* Starts them where they don't run. 0, -ENOMEM, -EAGAIN, -EMFILE, -ENFILE. */
int belay__workers_start(void);

/* Puts a task that never ran into a worker's fresh queue, and sees to it that somebody looks. */
void belay__worker_submit(struct belay__task *task);

/* Makes a parked task of worker ready; any thread. */
void belay__worker_ready(struct worker *worker, struct belay__task *task);

/* From a task: lets the loop run; returns when the task is ready again. */
void belay__worker_leave(struct belay__task *task);

/* From a task that is at its end: never returns. */
_Noreturn void belay__worker_finish(struct belay__task *task);

/* ---- For shutdown.c -------------------------------------------------------------------------- */

/* True where every worker sleeps and nothing is queued anywhere. */
bool belay__workers_quiet(void);
/* Called by whoever goes idle while a shutdown waits for quiet. */
void belay__quiet_changed(void);
void belay__workers_stop(void);
bool belay__pool_quiet(void);
void belay__pool_stop(void);

#endif
