/* SPDX-License-Identifier: MIT
 *
 * move.h - the two moves that all of send, receive and select are made of, and what they may move.
 *
 * In a header since each is a few dozen instructions, on the way of every element. The invariants
 * that they keep stand in chan.c. With the channel's lock held.
 */
#ifndef BELAY_SRC_CHAN_MOVE_H
#define BELAY_SRC_CHAN_MOVE_H

#include "chan/chan.h"

#include <errno.h>
#include <string.h>

/* ---- The ring -------------------------------------------------------------------------------- */

/* memcpy with a null pointer is undefined even for no bytes. A pointer, the element that most
 * channels have, is worth no call. */
static inline void copy_element(void *to, const void *from, size_t size)
{
	if (!to || size == 0)
		return;
	if (size == sizeof(void *))
		memcpy(to, from, sizeof(void *));
	else
		memcpy(to, from, size);
}

static inline void push_element(struct chan *chan, const void *element)
{
	size_t at = chan->head + chan->length;

	if (at >= chan->capacity)
		at -= chan->capacity;
	copy_element(chan->ring + at * chan->element_size, element, chan->element_size);
	chan->length++;
}

static inline void pop_element(struct chan *chan, void *element)
{
	copy_element(element, chan->ring + chan->head * chan->element_size, chan->element_size);
	if (++chan->head == chan->capacity)
		chan->head = 0;
	chan->length--;
}

/* ---- The two moves --------------------------------------------------------------------------- */

/* 0, -EPIPE, or -EAGAIN. *ret_peer is whoever was waiting for it, claimed (NULL: nobody): wake it
 * once the lock is given back. */
static inline int send_now(struct chan *chan, const void *element, struct belay__wait **ret_peer)
{
	struct belay__wait *receiver;

	*ret_peer = NULL;
	if (is_closed(&chan->gate))
		return -EPIPE;
	receiver = belay__queue_claim(&chan->receivers);
	if (receiver) {
		copy_element(receiver->element, element, chan->element_size);
		*ret_peer = receiver;
		return 0;
	}
	if (chan->length == chan->capacity)
		return -EAGAIN;
	push_element(chan, element);
	return 0;
}

/* The same. Room in a full ring goes at once to the sender that has waited longest. */
static inline int recv_now(struct chan *chan, void *element, struct belay__wait **ret_peer)
{
	struct belay__wait *sender;

	*ret_peer = NULL;
	if (chan->length > 0) {
		pop_element(chan, element);
		sender = belay__queue_claim(&chan->senders);
		if (sender)
			push_element(chan, sender->element);
		*ret_peer = sender;
		return 0;
	}
	sender = belay__queue_claim(&chan->senders);
	if (sender) {
		copy_element(element, sender->element, chan->element_size);
		*ret_peer = sender;
		return 0;
	}
	return is_closed(&chan->gate) ? -EPIPE : -EAGAIN;
}

/* ---- Checks, without the lock ---------------------------------------------------------------- */

/* 0, -EMSGSIZE or -EINVAL: whether an element of this size (0: unknown) may be moved so. */
static inline int check_send(belay_chan *ch, const void *element, size_t size)
{
	if (is_done_channel(ch))
		return -EINVAL;
	if (size != 0 && size != chan_of(ch)->element_size)
		return -EMSGSIZE;
	return !element && chan_of(ch)->element_size > 0 ? -EINVAL : 0;
}

static inline int check_recv(belay_chan *ch, size_t size)
{
	size_t element_size = is_done_channel(ch) ? 0 : chan_of(ch)->element_size;

	return size != 0 && size != element_size ? -EMSGSIZE : 0;
}

#endif
