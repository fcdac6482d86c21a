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

enum { SPINS = 100, YIELDS = 20, NAP_NS = 50000 };

static void wait_a_little(unsigned round)
{
	struct timespec nap = {.tv_nsec = NAP_NS};

	if (round < SPINS)
		belay__cpu_relax();
	else if (round < SPINS + YIELDS)
		sched_yield();
	else
		nanosleep(&nap, NULL);
}

/* Looks before it tries, so that those who wait share the line and don't pull it back and forth. */
void belay__lock_slow(struct belay__lock *lock)
{
	int saved = errno;
	uint32_t free_word;

	for (unsigned round = 0;; round++) {
		free_word = 0;
		if (atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 &&
		    atomic_compare_exchange_weak_explicit(&lock->word, &free_word, 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			break;
		wait_a_little(round);
	}
	errno = saved;
}

#ifdef BELAY_DEBUG
static _Thread_local struct {
	unsigned char ranks[64];
	unsigned depth;
} held;

/* Taking a lock below one that is held breaks the order; two of one rank are ordered by their owners. */
void belay__rank_push(enum belay__rank rank)
{
	if (held.depth > 0 && held.depth < sizeof held.ranks && held.ranks[held.depth - 1] > rank)
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
