/* SPDX-License-Identifier: MIT
 *
 * sync.h - what every lock of this room is made of: a short lock and the queue behind it.
 *
 * struct belay_waiters stands in public objects that a static initialiser or zeroed memory makes,
 * so its list's head points nowhere at first; the first to look at the queue, under the lock, sets
 * it up. A queue holds struct belay__wait, in the order of arrival. An entry that its context has
 * woken already is stale until its owner comes to take it off; nothing can be handed to it.
 */
#ifndef BELAY_SRC_SYNC_SYNC_H
#define BELAY_SRC_SYNC_SYNC_H

#include "base/list.h"
#include "base/lock.h"
#include "context/context.h"
#include "wait/wait.h"

#include <belay/group.h>
#include <belay/sync.h>

_Static_assert(sizeof(struct belay__lock) == sizeof(uint32_t) &&
		       _Alignof(struct belay__lock) == _Alignof(uint32_t),
	       "a public object's lock word must do for a belay__lock");

static inline struct belay__lock *belay__waiters_lock(struct belay_waiters *waiters)
{
	return (struct belay__lock *)(void *)&waiters->lock;
}

static inline void belay__waiters_take(struct belay_waiters *waiters)
{
	belay__lock_take(belay__waiters_lock(waiters), BELAY__RANK_SYNC);
}

static inline void belay__waiters_give(struct belay_waiters *waiters)
{
	belay__lock_give(belay__waiters_lock(waiters), BELAY__RANK_SYNC);
}

/* The queue; only with the lock held. */
struct belay__list *belay__waiters_queue(struct belay_waiters *waiters);

/* The first who can still be handed something, left where it is; NULL: nobody. Stale entries before
 * it are taken off. Only with the lock held. */
struct belay__wait *belay__waiters_first(struct belay_waiters *waiters);

/* Queues wait, gives the lock, which the caller holds, and blocks. 0: a waker has taken wait off
 * and claimed it. Else ctx's error, and wait has left the queue. */
int belay__waiters_wait(belay_ctx *ctx, struct belay_waiters *waiters, struct belay__wait *wait);

/* The two halves of it, for who must do something in between. */
void belay__waiters_join(struct belay_waiters *waiters, struct belay__wait *wait);
int belay__waiters_block(belay_ctx *ctx, struct belay_waiters *waiters, struct belay__wait *wait);

/* With the lock held: the first who waits, claimed and taken off, to be woken once the lock is
 * given. NULL: nobody waits. */
static inline struct belay__wait *belay__waiters_claim(struct belay_waiters *waiters)
{
	return belay__queue_claim(belay__waiters_queue(waiters));
}

/* How many calls wait for a slot now (a snapshot); for tests. */
size_t belay__group_blocked(belay_group *group);

#endif
