/* SPDX-License-Identifier: MIT
 *
 * lock.c - the slow half of belay__lock, and the check of the order.
 */
#include "base/lock.h"

#include "base/futex.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

enum { SPINS = 10, DOUBLINGS = 6, YIELDS = 20, NAP_NS = 50000 };

/* Each look takes the line from its owner: so they become rarer, for him to get on meanwhile. */
static void spin(unsigned round)
{
	unsigned pauses = 1u << (round < DOUBLINGS ? round : DOUBLINGS);

	while (pauses-- > 0)
		belay__cpu_relax();
}

void belay__lock_pause(unsigned round)
{
	struct timespec nap = {.tv_nsec = NAP_NS};

	if (round < SPINS)
		spin(round);
	else if (round < SPINS + YIELDS)
		sched_yield();
	else
		nanosleep(&nap, NULL);
}

static bool change(struct belay__lock *lock, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong_explicit(&lock->word, &from, to, memory_order_acquire,
						       memory_order_relaxed);
}

/* Looks before it tries, so that those who wait share the line and don't pull it back and forth. */
void belay__lock_slow(struct belay__lock *lock)
{
	int saved = errno;

	for (unsigned round = 0;; round++) {
		uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);

		if (word == 0 && change(lock, 0, 1))
			break;
		if (word == 1 && round >= SPINS) /* it takes long enough to be said */
			change(lock, 1, 2);
		belay__lock_pause(round);
	}
	errno = saved;
}

void belay__lock_await_slow(struct belay__lock *lock)
{
	int saved = errno;

	for (unsigned round = 0;
	     atomic_load_explicit(&lock->word, memory_order_acquire) != 0; round++)
		belay__lock_pause(round);
	errno = saved;
}

/* The word is only a hint here: the next in line may have been another, or nobody any more. */
void belay__lock_give_way(struct belay__lock *lock, enum belay__rank rank)
{
	bool waited_for = atomic_load_explicit(&lock->word, memory_order_relaxed) == 2;
	int saved = errno;

	belay__lock_give(lock, rank);
	for (unsigned round = 0; waited_for && round <= SPINS + YIELDS + 2; round++) {
		if (atomic_load_explicit(&lock->word, memory_order_relaxed) != 0)
			break;
		belay__lock_pause(round);
	}
	errno = saved;
}

#ifdef BELAY_DEBUG
static _Thread_local struct {
	unsigned char ranks[64];
	unsigned depth;
} held;

/* Two of one rank are ordered by their owners, but for leaves. */
static bool breaks_order(enum belay__rank last, enum belay__rank rank)
{
	return last > rank || last == BELAY__RANK_LEAF;
}

void belay__rank_push(enum belay__rank rank)
{
	if (held.depth > 0 && held.depth < sizeof held.ranks &&
	    breaks_order(held.ranks[held.depth - 1], rank))
		abort();
	if (held.depth < sizeof held.ranks)
		held.ranks[held.depth] = (unsigned char)rank;
	held.depth++;
}

void belay__rank_pop(enum belay__rank rank)
{
	(void)rank;
	if (held.depth-- == 0)
		abort();
}
#endif
