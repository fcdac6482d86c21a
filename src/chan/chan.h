/* SPDX-License-Identifier: MIT
 *
 * chan.h - what send, receive and select share: a channel's inside and its two moves.
 */
#ifndef BELAY_SRC_CHAN_CHAN_H
#define BELAY_SRC_CHAN_CHAN_H

#include "base/list.h"
#include "wait/wait.h"

#include <belay/chan.h>

#include <stdatomic.h>

/* Guarded by gate.lock but for what never changes: element_size and capacity. */
struct chan {
	struct belay_chan gate;       /* the lock, and whether it is closed */
	_Atomic uint32_t refs;
	size_t element_size, capacity;
	size_t length, head;          /* of the ring: how many, and the oldest */
	struct belay__list receivers; /* struct belay__wait; element is where to put what it gets */
	struct belay__list senders;   /* the same; element is what it sends */
	_Alignas(max_align_t) char ring[];
};

static inline struct chan *chan_of(belay_chan *ch)
{
	return belay__container(ch, struct chan, gate);
}

static inline bool is_done_channel(const belay_chan *ch)
{
	return ch->kind == BELAY__GATE_DONE;
}

/* Acquire: who sees it closed sees what came before the close. For a done channel that is its only
 * synchronisation; for others the lock is held. */
static inline bool is_closed(const belay_chan *ch)
{
	return atomic_load_explicit(&ch->closed, memory_order_acquire) != 0;
}

static inline void chan_lock(belay_chan *ch)
{
	belay__lock_take(&ch->lock, BELAY__RANK_CHAN);
}

static inline void chan_unlock(belay_chan *ch)
{
	belay__lock_give(&ch->lock, BELAY__RANK_CHAN);
}

/* One send or receive if it can happen now, with the lock held: 0, -EPIPE, or -EAGAIN. *ret_peer is
 * whoever was waiting for it, claimed (NULL: nobody): wake it once the lock is given back. */
int belay__chan_send_now(struct chan *chan, const void *element, struct belay__wait **ret_peer);
int belay__chan_recv_now(struct chan *chan, void *element, struct belay__wait **ret_peer);

/* 0, -EMSGSIZE or -EINVAL: whether an element of this size (0: unknown) may be moved so. */
int belay__chan_check_send(belay_chan *ch, const void *element, size_t size);
int belay__chan_check_recv(belay_chan *ch, size_t size);

#endif
