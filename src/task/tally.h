/* SPDX-License-Identifier: MIT
 *
 * tally.h - what a worker counts while it works: numbers of its own, for anybody to read.
 *
 * Locking     Each worker writes its own, so that counting is a plain addition. Who reads them
 *             holds the lock of tally.c, or is a worker itself: either keeps the workers there.
 * Memory      Written relaxed: the numbers publish nothing, and two of them, read one after the
 *             other, may differ by what happened between. Read with acquire, in the order that is
 *             written: so what a sleeping worker had counted before it stored ASLEEP (idle.c) is
 *             seen by those who see that.
 */
#ifndef BELAY_SRC_TASK_TALLY_H
#define BELAY_SRC_TASK_TALLY_H

#include "wait/wait.h"

#include <stdatomic.h>
#include <stdint.h>

struct belay__by_site_entry;
struct belay__task;
struct worker;

enum {
	TALLY_SPAWNS, /* by its tasks                            */
	TALLY_ENDED,  /* tasks                                   */
	TALLY_BEGUN,  /* likewise; read behind TALLY_ENDED       */
	TALLY_YIELDS,
	TALLY_STEALS, /* tasks taken from others                 */
	TALLY_SPINS,  /* rounds of looking for work              */
	TALLY_SLEEPS,
	TALLY_PARKS,  /* by enum belay__why                      */
	TALLY_WAKES = TALLY_PARKS + BELAY__WHYS, /* likewise     */
	TALLIES = TALLY_WAKES + BELAY__WHYS,
};

/* All zero to begin with. */
struct tally {
	_Atomic uint64_t counts[TALLIES];
	/* Spawned here by other threads, which all write to it. */
	_Alignas(64) _Atomic uint64_t from_outside;
};

static inline void tally_add(struct tally *tally, unsigned which, uint64_t n)
{
	uint64_t count = atomic_load_explicit(&tally->counts[which], memory_order_relaxed);

	atomic_store_explicit(&tally->counts[which], count + n, memory_order_relaxed);
}

static inline uint64_t tally_get(const struct tally *tally, unsigned which)
{
	return atomic_load_explicit(&tally->counts[which], memory_order_acquire);
}

/* A task parks: its worker's. */
static inline void tally_park(struct tally *tally, unsigned why)
{
	tally_add(tally, TALLY_PARKS + why, 1);
}

/* One that had parked, or is about to, is ready: its worker's. */
static inline void tally_wake(struct tally *tally, unsigned why)
{
	tally_add(tally, TALLY_WAKES + why, 1);
}

/* What hogs.c has seen of a worker; the clock thread's. */
struct watch {
	uint64_t turns; /* when it last looked: the same as the time before, for `held` */
	int64_t looked; /* when that was; 0: never                                      */
	int64_t cpu;    /* what its thread had computed by then; -1: not asked          */
	int64_t held;
	struct belay__by_site_entry *hog; /* who holds the worker; NULL: nobody, yet    */
};

/* The sum of all workers, those of earlier runs too. */
struct totals {
	uint64_t counts[TALLIES];
	uint64_t spawned;          /* by threads that are no workers      */
	uint64_t queued;           /* those that have not begun           */
	uint64_t sleepers;         /* tasks that wait until a moment      */
	uint64_t running, workers; /* now                                 */
};

void belay__totals(struct totals *ret);

/* The start of the workers, once all are there; and their end, while they still are. */
void belay__tally_open(void);
void belay__tally_close(void);

/* A worker's, first and last of all. */
void belay__tally_join(struct worker *worker);
void belay__tally_leave(struct worker *worker);

/* How many turns of its tasks are over: each ends with a park, a yield, or the task. All of these
 * only grow: where two calls tell the same, none has grown between them. */
uint64_t belay__turns_over(const struct worker *worker);

/* Calls visit(worker, arg) for each worker there is, and none of them goes away meanwhile. False:
 * there are none. visit may take leaf locks. */
bool belay__workers_visit(void (*visit)(struct worker *worker, void *arg), void *arg);

/* What runs on worker, for visits; NULL: nothing. */
struct belay__task *belay__running(struct worker *worker);

/* hogs.c: begins to watch the workers, where the user has asked for that. */
void belay__hogs_watch(void);

#endif
