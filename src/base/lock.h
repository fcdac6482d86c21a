/* SPDX-License-Identifier: MIT
 *
 * lock.h - a lock of four bytes for critical sections of a few dozen instructions.
 *
 * Under it nobody parks, calls foreign code or wakes anybody. So who finds it taken spins: the
 * holder is at work and soon through; and only where the holder has lost its processor gives up its
 * own, at first by yielding, then by short naps. There is no queue of sleepers and nobody to wake,
 * which is what makes the release a plain store: half the cost of the pair.
 * The rank is the lock's place in the one order in which locks may be taken; debug builds check it.
 */
#ifndef BELAY_SRC_BASE_LOCK_H
#define BELAY_SRC_BASE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum belay__rank {
	BELAY__RANK_NONE = 0,
	BELAY__RANK_START,   /* the start of workers and clock; after it, that workers stay       */
	BELAY__RANK_SYNC,    /* mutex, semaphore, group ...: each alone, before a node            */
	BELAY__RANK_NODE,    /* a context's node: parent before child                             */
	BELAY__RANK_CHAN,    /* a channel: by address where several                               */
	BELAY__RANK_FD,      /* a descriptor's waiters                                            */
	BELAY__RANK_WHEEL,   /* a timer wheel                                                     */
	BELAY__RANK_WORKER,  /* a worker's queue of new tasks, the blocking pool                  */
	BELAY__RANK_SLABS,   /* which slabs and which threads with caches there are               */
	BELAY__RANK_SLAB,    /* a slab: by number where several, which is where a process forks   */
	BELAY__RANK_LEAF,    /* takes no other: stacks, reports, the alarm of the clock           */
};

struct belay__lock {
	_Atomic uint32_t word; /* 0 free, 1 held, 2 held and somebody is waiting */
};

#define BELAY__LOCK_INIT {0}

/* For loops that look again and again: a pause, longer from round to round, that lets others run,
 * also those of lower priority in the end. May change errno. */
void belay__lock_pause(unsigned round);

void belay__lock_slow(struct belay__lock *lock);
void belay__lock_await_slow(struct belay__lock *lock);

#ifdef BELAY_DEBUG
void belay__rank_push(enum belay__rank rank);
void belay__rank_pop(enum belay__rank rank);
#else
static inline void belay__rank_push(enum belay__rank rank) { (void)rank; }
static inline void belay__rank_pop(enum belay__rank rank) { (void)rank; }
#endif

/* Acquire pairs with the release in belay__lock_give() of the holder before; so do the others. */
static inline void belay__lock_take(struct belay__lock *lock, enum belay__rank rank)
{
	uint32_t free_word = 0;

	belay__rank_push(rank);
	if (!atomic_compare_exchange_strong_explicit(&lock->word, &free_word, 1,
						     memory_order_acquire, memory_order_relaxed))
		belay__lock_slow(lock);
}

/* True: taken. */
static inline bool belay__lock_try(struct belay__lock *lock, enum belay__rank rank)
{
	uint32_t free_word = 0;

	if (!atomic_compare_exchange_strong_explicit(&lock->word, &free_word, 1,
						     memory_order_acquire, memory_order_relaxed))
		return false;
	belay__rank_push(rank);
	return true;
}

static inline void belay__lock_give(struct belay__lock *lock, enum belay__rank rank)
{
	belay__rank_pop(rank);
	atomic_store_explicit(&lock->word, 0, memory_order_release);
}

/* Waits until the one who holds lock has given it back. Acquire: what he did under it is seen. Does
 * not keep others from taking it. */
static inline void belay__lock_await(struct belay__lock *lock)
{
	if (atomic_load_explicit(&lock->word, memory_order_acquire) != 0)
		belay__lock_await_slow(lock);
}

/* For who gives a lock to take it again at once, many times over: gives it, and where somebody has
 * been waiting sees to it that he gets it first, or had the time to. */
void belay__lock_give_way(struct belay__lock *lock, enum belay__rank rank);

#endif
