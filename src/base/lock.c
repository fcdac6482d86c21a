/* SPDX-License-Identifier: MIT
 *
 * lock.c - the slow halves of belay__lock: spin a little, then sleep on a futex.
 *
 * The word is 2 whenever somebody may be asleep; who takes it after a sleep leaves 2 behind, since
 * it can't know whether others sleep too (Drepper, "Futexes Are Tricky", section 6, mutex2).
 */
#include "base/lock.h"

#include "base/futex.h"

#include <stdlib.h>

enum { SPINS = 64 };

void belay__lock_slow(struct belay__lock *lock)
{
	for (int i = 0; i < SPINS; i++) {
		uint32_t free_word = 0;

		if (atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 &&
		    atomic_compare_exchange_weak_explicit(&lock->word, &free_word, 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return;
		belay__cpu_relax();
	}
	while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
		belay__futex_wait(&lock->word, 2);
}

/* The lock may be taken, given and freed by others meanwhile: only its address is used. */
void belay__unlock_slow(struct belay__lock *lock)
{
	belay__futex_wake(&lock->word, 1);
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
