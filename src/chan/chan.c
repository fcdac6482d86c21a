/* SPDX-License-Identifier: MIT
 *
 * chan.c - channels: a ring of elements between two queues of waiters (move.h: how they move).
 *
 * Invariants  (1) receivers wait only while the ring is empty; senders only while it is full. (A
 *                 stale entry, whose waiter has been claimed for another reason, does not count.)
 *             (2) closed: nobody that could be claimed waits in either queue.
 *             (3) An element is moved by whoever wins the claim on its waiter, under the lock: so a
 *                 sender whose context ends while it waits has sent wholly (the claim was won) or
 *                 not at all (its own end won it).
 * Locking     gate.lock. Wakes happen after it is given back.
 * Memory      The lock orders everything. A waiter's element is read or written between its claim
 *             and its wake, which the waiter's return follows.
 */
#include "chan/chan.h"

#include "base/alloc.h"
#include "context/context.h"

#include <errno.h>

/* ---- Life ------------------------------------------------------------------------------------ */

belay_chan *belay_chan_new(size_t element_size, size_t capacity)
{
	struct chan *chan;
	size_t bytes;

	if (__builtin_mul_overflow(element_size, capacity, &bytes) ||
	    bytes > PTRDIFF_MAX - sizeof *chan)
		return NULL;
	chan = belay__malloc(sizeof *chan + bytes);
	if (!chan)
		return NULL;
	belay__clear(chan, sizeof *chan);
	chan->gate.kind = BELAY__GATE_CHAN;
	atomic_init(&chan->refs, 1);
	chan->element_size = element_size;
	chan->capacity = capacity;
	belay__list_init(&chan->receivers);
	belay__list_init(&chan->senders);
	return &chan->gate;
}

belay_chan *belay_chan_ref(belay_chan *ch)
{
	if (!ch)
		return NULL;
	if (is_done_channel(ch))
		belay_ref(belay__done_ctx(ch));
	else
		atomic_fetch_add_explicit(&chan_of(ch)->refs, 1, memory_order_relaxed);
	return ch;
}

/* Release pairs with the acquire of the last one: all uses come before the free. */
void belay_chan_unref(belay_chan *ch)
{
	if (!ch)
		return;
	if (is_done_channel(ch))
		belay_unref(belay__done_ctx(ch));
	else if (atomic_fetch_sub_explicit(&chan_of(ch)->refs, 1, memory_order_acq_rel) == 1)
		belay__free(chan_of(ch));
}

static void claim_closed(struct belay__list *queue, struct belay__list *woken)
{
	struct belay__wait *wait;

	while ((wait = belay__queue_claim(queue))) {
		wait->result = -EPIPE;
		belay__list_append(woken, &wait->link);
	}
}

int belay_chan_close(belay_chan *ch)
{
	struct belay__list woken;
	bool was_closed;

	if (!ch || is_done_channel(ch))
		return -EINVAL;
	belay__list_init(&woken);
	chan_lock(ch);
	was_closed = is_closed(ch);
	if (!was_closed) {
		atomic_store_explicit(&ch->closed, -EPIPE, memory_order_release);
		claim_closed(&chan_of(ch)->receivers, &woken);
		claim_closed(&chan_of(ch)->senders, &woken);
	}
	chan_unlock(ch);
	belay__wake_all(&woken);
	return was_closed ? -EPIPE : 0;
}

size_t belay_chan_len(const belay_chan *ch)
{
	belay_chan *locked = (belay_chan *)ch;
	size_t length;

	if (!ch || is_done_channel(ch))
		return 0;
	chan_lock(locked);
	length = chan_of(locked)->length;
	chan_unlock(locked);
	return length;
}

size_t belay_chan_cap(const belay_chan *ch)
{
	return !ch || is_done_channel(ch) ? 0 : chan_of((belay_chan *)ch)->capacity;
}
