/* SPDX-License-Identifier: MIT
 *
 * gate.h - what a channel and a context's done channel have in common: each is closed once, for
 * ever. And what is done at every done channel: to wait for its close beside other reasons.
 *
 * Locking     gate.lock, which of a done channel is its node's, guards closed and receivers.
 * Memory      closed is written with release, for those who look at it without the lock; under the
 *             lock it may be read relaxed.
 * No loss     Who joins has the lock for its look at closed and its place in the ring: so whoever
 *             closes, under the same lock, finds the wait there, or is seen to have closed.
 */
#ifndef BELAY_SRC_WAIT_GATE_H
#define BELAY_SRC_WAIT_GATE_H

#include "base/lock.h"
#include "wait/wait.h"

#include <belay/chan.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum belay__gate_kind {
	BELAY__GATE_CHAN,
	BELAY__GATE_DONE,
};

struct belay_chan {
	struct belay__lock lock;       /* a done channel's is its node's too */
	_Atomic int16_t closed;        /* 0: open; else, for ever, why: -EPIPE for a channel, the
					  context's error for a done channel. Written under lock */
	uint8_t kind;
};

struct belay__done {
	struct belay_chan gate;
	struct belay__list *receivers; /* a ring of struct belay__wait; guarded by gate.lock */
};

static inline struct belay__done *belay__done_of(struct belay_chan *done)
{
	return belay__container(done, struct belay__done, gate);
}

/* Queues wait on a done channel. False: it is closed, and wait is not queued. */
static inline bool belay__done_join(struct belay_chan *done, struct belay__wait *wait)
{
	bool open;

	belay__lock_take(&done->lock, BELAY__RANK_NODE);
	open = atomic_load_explicit(&done->closed, memory_order_relaxed) == 0;
	if (open)
		belay__ring_append(&belay__done_of(done)->receivers, &wait->link);
	belay__lock_give(&done->lock, BELAY__RANK_NODE);
	return open;
}

static inline void belay__done_leave(struct belay_chan *done, struct belay__wait *wait)
{
	belay__lock_take(&done->lock, BELAY__RANK_NODE);
	if (belay__list_linked(&wait->link))
		belay__ring_remove(&belay__done_of(done)->receivers, &wait->link);
	belay__lock_give(&done->lock, BELAY__RANK_NODE);
}

/* Parks waiter until one of its own reasons has won, which is returned, or done, which may be NULL,
 * closes: NULL. Where that has happened meanwhile it competes like any other reason: who claims
 * first, wins. A loser here was claimed by another, who owes the wake. timeout may be NULL. */
static inline __attribute__((always_inline)) struct belay__wait *
belay__block_on(struct belay_chan *done, struct belay__waiter *waiter,
		struct belay__timeout *timeout)
{
	struct belay__wait *winner, end;
	bool joined = false;

	if (done) {
		belay__wait_init(&end, waiter);
		joined = belay__done_join(done, &end);
		if (!joined && belay__wait_claim(&end))
			return NULL;
	}
	winner = timeout ? belay__waiter_park_until(waiter, timeout) : belay__waiter_park(waiter);
	if (!joined)
		return winner;
	belay__done_leave(done, &end);
	return winner == &end ? NULL : winner;
}

#endif
