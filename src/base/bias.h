/* SPDX-License-Identifier: MIT
 *
 * bias.h - a lock that costs the one thread that uses it no locked instruction.
 *
 * Once one thread has taken a lock BELAY__BIAS_AFTER times in a row, it is biased to that thread,
 * which from then on enters and leaves by plain stores; until another one comes, which revokes the
 * bias for good. That costs as much as the bias has to save by then (membarrier.h): so a lock that
 * several threads use in turns, or that is not used often, has none and pays for none.
 *   K. Kawachiya, A. Koseki, T. Onodera: "Lock Reservation" (2002)
 *   D. Dice, M. Moir, W. Scherer: "Quickly Reacquirable Locks" (2003)
 *
 * Exclusion   The owner stores inside, then looks whether it still is the owner. Who revokes holds
 *             the lock, stores that nobody is the owner, then looks at inside until it is cleared.
 *             One of them sees the other's store: between the two has each a full barrier, the
 *             owner's being the one that the other's membarrier gives it. Where that fails, what it
 *             has slept instead makes inside visible; and an owner that might look too early has
 *             looked by then.
 *             The owner changes only under the lock. So who takes it finds the bias of its former
 *             holders, and revokes it before it goes on.
 * Memory      The owner's release of inside pairs with the acquire in bias.c's revoke(). within
 *             tells which way the one who is in came, and is written only by who is in; inside
 *             can't tell, since a former owner may still store there and find that it is none.
 * Identity    is an address in memory of the thread's own. A thread may get that of one that has
 *             ended, of which the C library makes it come later.
 */
#ifndef BELAY_SRC_BASE_BIAS_H
#define BELAY_SRC_BASE_BIAS_H

#include "base/lock.h"

#include <stddef.h>

enum {
	BELAY__BIAS_AFTER = 4096, /* times 4 ns: what it takes to revoke it */
	BELAY__BIAS_NEVER = UINT16_MAX,
};

/* Stands beside the lock, which may be taken and given through it alone. All zeros: not biased. */
struct belay__bias {
	_Atomic(const void *) owner; /* NULL: nobody. Written under the lock                */
	_Atomic bool inside;         /* the owner is in, or about to look whether it may be */
	bool within;                 /* who is in came as the owner; its own, as the rest:  */
	uint16_t row;                /* how many times in a row latest has come before      */
	const void *latest;
};

/* By whoever is not the owner: takes the lock, then revokes the bias or counts. Keeps errno. */
void belay__bias_take_slow(struct belay__bias *bias, struct belay__lock *lock, const void *thread,
			   enum belay__rank rank);

/* True: thread is the owner, and in. */
static inline bool belay__bias_enter(struct belay__bias *bias, const void *thread)
{
	if (atomic_load_explicit(&bias->owner, memory_order_relaxed) != thread)
		return false;
	atomic_store_explicit(&bias->inside, true, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&bias->owner, memory_order_relaxed) != thread) {
		atomic_store_explicit(&bias->inside, false, memory_order_release);
		return false;
	}
	bias->within = true;
	return true;
}

/* thread: the calling one's identity. */
static inline void belay__bias_take(struct belay__bias *bias, struct belay__lock *lock,
				    const void *thread, enum belay__rank rank)
{
	if (belay__bias_enter(bias, thread))
		belay__rank_push(rank);
	else
		belay__bias_take_slow(bias, lock, thread, rank);
}

static inline void belay__bias_give(struct belay__bias *bias, struct belay__lock *lock,
				    enum belay__rank rank)
{
	if (bias->within) {
		bias->within = false;
		belay__rank_pop(rank);
		atomic_store_explicit(&bias->inside, false, memory_order_release);
	} else {
		belay__lock_give(lock, rank);
	}
}

#endif
