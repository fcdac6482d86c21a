/* SPDX-License-Identifier: MIT
 *
 * chan.h - what send, receive and select share: a channel's inside.
 */
#ifndef BELAY_SRC_CHAN_CHAN_H
#define BELAY_SRC_CHAN_CHAN_H

#include "base/bias.h"
#include "base/list.h"
#include "wait/gate.h"

#include <belay/chan.h>

#include <errno.h>
#include <stdatomic.h>

/* Guarded by gate.lock but for what never changes: element_size and capacity. */
struct chan {
	struct belay_chan gate;       /* the lock, and whether it is closed */
	_Atomic uint32_t refs;
	struct belay__bias bias;      /* of the lock */
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

/* 0, or why it is closed. Acquire: who sees it closed sees what came before the close. For a done
 * channel that is its only synchronisation; for others the lock is held. */
static inline int why_closed(const belay_chan *ch)
{
	return atomic_load_explicit(&ch->closed, memory_order_acquire);
}

static inline bool is_closed(const belay_chan *ch)
{
	return why_closed(ch) != 0;
}

/* Whether a call under ctx, whose done channel that is, has to return at once: 0, or why. */
static inline int err_of(const belay_ctx *ctx, const belay_chan *done)
{
	if (!ctx)
		return -EINVAL;
	return done ? why_closed(done) : 0;
}

static inline void chan_lock(belay_chan *ch)
{
	belay__bias_take(&chan_of(ch)->bias, &ch->lock, &belay__current_task, BELAY__RANK_CHAN);
}

static inline void chan_unlock(belay_chan *ch)
{
	belay__bias_give(&chan_of(ch)->bias, &ch->lock, BELAY__RANK_CHAN);
}

#endif
