/* SPDX-License-Identifier: MIT
 *
 * worker.h - a task's inside and the threads that run tasks. For the files of this room only.
 */
#ifndef BELAY_SRC_TASK_WORKER_H
#define BELAY_SRC_TASK_WORKER_H

#include "base/list.h"
#include "base/lock.h"
#include "task/cache.h"
#include "task/fiber.h"
#include "task/runq.h"
#include "task/sleepers.h"
#include "task/stack.h"
#include "task/tally.h"
#include "task/task.h"
#include "wait/wait.h"

#include <locale.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

struct worker;

/* Has a stack from the start, but the stack's memory is touched only when it first runs; and if it
 * can go on with the stack of one that has just ended, it leaves its own, untouched, to that
 * one. */
struct belay__task {
	struct belay__task *next; /* in whichever one line it stands: ready, inbox, free ... */
	struct worker *worker;    /* NULL until it first runs, then constant */
	belay_ctx *ctx;           /* referenced */
	union {
		void (*fn)(belay_ctx *ctx, void *arg); /* until it begins */
		struct belay__timeout *timeout;        /* then, while sleeper is linked */
	};
	union {
		void *arg;   /* until it begins */
		uint8_t why; /* then: enum belay__why of its latest park */
		struct belay__task *next_batch; /* while it is free: cache.c */
	};
	_Atomic(const struct belay_site *) site; /* the line that spawned it; NULL: it is free */
	struct belay__fiber fiber;
	struct belay__stack stack;
	struct belay__runner runner;
	struct belay__wheel_entry sleeper; /* its worker's: sleepers.c */
};

/* The site of a task that was spawned nobody knows where. */
extern const struct belay_site belay__unknown_site;

/* Tasks in line, first in first out, linked through next. One thread's, or under a lock. */
struct line {
	struct belay__task *first, *last; /* first NULL: empty */
};

static inline void line_append(struct line *line, struct belay__task *task)
{
	task->next = NULL;
	if (line->first)
		line->last->next = task;
	else
		line->first = task;
	line->last = task;
}

static inline struct belay__task *line_pop(struct line *line)
{
	struct belay__task *task = line->first;

	if (task)
		line->first = task->next;
	return task;
}

enum worker_state {
	AWAKE,
	SEARCHING, /* awake, and looks for tasks of others: house.searching is its */
	NAPPING,   /* SEARCHING, and for a short time in its poller */
	ASLEEP,    /* in its poller until something comes, or about to be */
};

struct worker {
	/* Touched by all. */
	_Alignas(64) _Atomic(struct belay__task *) inbox; /* woken by others: a stack */
	_Atomic uint32_t state;              /* enum worker_state; who moves it from ASLEEP or
						NAPPING writes to the kick */
	/* New tasks, for anybody to take. */
	_Alignas(64) struct runq fresh;      /* the owner adds */
	_Alignas(64) struct belay__lock lock; /* guards brought */
	_Atomic uint32_t brought_count;
	struct line brought;                 /* others add; the owner where fresh is full */
	/* The searching one's. */
	uint64_t seen_begun;                 /* tasks that had begun when it last looked here, */
	int64_t seen_when;                   /* and since when it has been as many */
	/* The owner's. */
	_Alignas(64) struct line ready;      /* can go on */
	unsigned ready_turns;                /* until it is new tasks' turn, */
	uint32_t fresh_turns;                /* and until it no longer is; 0: it is not */
	unsigned turns_left;                 /* until it looks around */
	unsigned stride;                     /* what turns_left begins with */
	long glanced;                        /* what the coarse clock showed when it last did */
	int64_t looked, polled;              /* when it last did, and when it asked its poller */
	int64_t tended;                      /* when it last saw to free stacks */
	struct belay__task *finished;        /* is given back once its stack has been left */
	struct belay__fiber *left;           /* by the task that began last */
	struct belay__cache cache;           /* of tasks */
	struct belay__fiber fiber;           /* of the loop */
	struct belay__control control;       /* what every task begins with */
	unsigned index;
	struct belay__spin spin;
	int64_t nap;                         /* for how long, next time */
	uint64_t begun_elsewhere;            /* tasks of others, when it last asked */
	struct sleepers sleepers;
	int epoll, kick;
	struct belay__source kick_source;
	pthread_t thread;
	struct worker *next_left;            /* see house.c: keep_for_the_left() */
	locale_t locale;                     /* of the task that was left last */
	int *error;                          /* the thread's errno, to spare calls */
	_Alignas(64) struct tally tally;     /* the owner's to write */
	pid_t tid;
	_Atomic(struct belay__runner **) current; /* the thread's belay__current_task; tally.c */
	struct watch watch;                  /* hogs.c's */
};

/* All of them. */
struct house {
	struct belay__lock lock;   /* start and stop */
	_Atomic bool running;      /* release after all else is set up */
	bool stopping;             /* guarded by lock */
	struct worker *workers;    /* constant while running, as is count */
	struct worker *left;       /* of earlier runs, for tasks that still wait */
	unsigned count;
	_Atomic unsigned next;     /* whose turn it is for what comes from plain threads */
	_Atomic uint64_t kicks;    /* how many sleeps have been ended by others */
	_Atomic bool quit;
	_Alignas(64) _Atomic uint32_t idle; /* how many are asleep or about to be */
	_Atomic uint32_t searching;         /* 1: somebody is, or has been kicked to */
};
extern struct house belay__house;

/* The calling thread's worker; NULL on other threads. */
extern _Thread_local struct worker *belay__worker
	__attribute__((tls_model("initial-exec")));

static inline struct belay__task *task_of(struct belay__runner *runner)
{
	return belay__container(runner, struct belay__task, runner);
}

/* Starts them where they don't run. 0, -ENOMEM, -EAGAIN, -EMFILE, -ENFILE. */
int belay__workers_start_slow(void);

/* Acquire pairs with the release at the start's end: the workers are there. */
static inline bool belay__workers_run(void)
{
	return atomic_load_explicit(&belay__house.running, memory_order_acquire);
}

static inline int belay__workers_start(void)
{
	return belay__workers_run() ? 0 : belay__workers_start_slow();
}

/* The calling worker's; NULL on other threads. */
static inline struct belay__cache *belay__cache(void)
{
	return belay__worker ? &belay__worker->cache : NULL;
}

/* ---- worker.c -------------------------------------------------------------------------------- */

void *belay__worker_main(void *arg);

/* Lines up a task that never ran, and sees to it that somebody looks. */
void belay__worker_submit(struct belay__task *task);

/* Makes a parked task of worker ready; any thread. */
void belay__worker_ready(struct worker *worker, struct belay__task *task);

/* From a task: lets others run that are ready. */
void belay__worker_yield(struct belay__task *task);

/* ---- fresh.c: new tasks ---------------------------------------------------------------------- */

/* Lines up task with whichever worker is to have it, which is returned. */
struct worker *belay__fresh_push(struct belay__task *task);
/* The owner's: makes what others brought part of its own line, which must not be full. */
void belay__fresh_take_in(struct worker *worker);

/* The owner's. NULL: none. What was brought comes into the place of the one that is taken, however
 * many the worker's own tasks spawn. */
static inline struct belay__task *belay__fresh_pop(struct worker *worker)
{
	struct belay__task *task = runq_pop(&worker->fresh);

	if (atomic_load_explicit(&worker->brought_count, memory_order_relaxed) == 0)
		return task;
	belay__fresh_take_in(worker);
	return task ? task : runq_pop(&worker->fresh);
}

/* How many stand in line with worker; a hint. */
static inline uint32_t belay__fresh_count(const struct worker *worker)
{
	return runq_length(&worker->fresh) +
	       atomic_load_explicit(&worker->brought_count, memory_order_relaxed);
}

/* Any thread: a moment ago, some stood in line with worker, or with any. */
bool belay__fresh_any(struct worker *worker);
bool belay__fresh_anywhere(void);
/* Takes some of another's for thief to run, if there are any that would have to wait long. */
bool belay__fresh_steal(struct worker *thief);

/* ---- idle.c: workers without work ------------------------------------------------------------ */

/* Returns when there may be something to do. */
void belay__worker_idle(struct worker *worker);
/* To be called when a worker that is SEARCHING has found something. */
void belay__search_over(struct worker *worker);
/* Sees to it that somebody looks at what was just lined up with worker. */
void belay__search_wanted_slow(struct worker *worker);

static inline void belay__search_wanted(struct worker *worker)
{
	if (atomic_load(&belay__house.searching) == 0 && atomic_load(&belay__house.idle) > 0)
		belay__search_wanted_slow(worker);
}

/* After something was put into worker's inbox. */
void belay__worker_kick(struct worker *worker);
/* What came in at worker's poller by now. */
void belay__worker_poll(struct worker *worker);
void belay__kick_ready(struct belay__source *source, uint32_t events);

/* ---- For shutdown.c -------------------------------------------------------------------------- */

/* True where every worker was seen to sleep, one after the other, and nothing in line with it. How
 * many turns they had taken by then: where two looks tell the same, no task ran in between. */
bool belay__workers_quiet(uint64_t *ret_turns);
/* Called by whoever goes idle while a shutdown waits for quiet. */
void belay__quiet_changed(void);
void belay__workers_stop(void);
/* Threads of the blocking pool: all, and those that have nothing to do. */
void belay__pool_count(unsigned *ret_threads, unsigned *ret_idle);
bool belay__pool_quiet(void);
void belay__pool_stop(void);

#endif
