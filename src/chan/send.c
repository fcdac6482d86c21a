/* SPDX-License-Identifier: MIT
 *
 * send.c - send and receive: the move at once if it can be, else a wait in the channel's queue.
 *
 * The wait is queued in the same lock section that found the move impossible, so that no peer can
 * come in between. Then belay__block() adds the context's end as the other reason.
 */
#include "chan/chan.h"
#include "context/context.h"

#include <belay/select.h>

#include <errno.h>

static void wake_peer(struct belay__wait *peer)
{
	if (peer)
		belay__wait_wake(peer);
}

/* The context's error, for a channel that never is ready. */
static int wait_for_ctx(belay_ctx *ctx)
{
	struct belay__waiter waiter;

	belay__waiter_init(&waiter);
	belay__block(ctx, &waiter);
	return belay_err(ctx);
}

/* Queues wait in queue, with the channel's lock held. Where ctx can't end, the channel alone can. */
static void join(belay_ctx *ctx, struct belay__list *queue, struct belay__waiter *waiter,
		 struct belay__wait *wait, void *element)
{
	belay__waiter_init(waiter);
	waiter->sole = !belay_done(ctx);
	belay__wait_init(wait, waiter);
	wait->element = element;
	belay__list_append(queue, &wait->link);
}

/* Blocks with wait queued in ch. Its result where a peer took it, else the context's error. */
static int wait_for_peer(belay_ctx *ctx, belay_chan *ch, struct belay__wait *wait)
{
	if (belay__block(ctx, wait->waiter))
		return (int)wait->result;
	chan_lock(ch);
	if (belay__list_linked(&wait->link))
		belay__list_remove(&wait->link);
	chan_unlock(ch);
	return belay_err(ctx);
}

int belay_send_sized(belay_ctx *ctx, belay_chan *ch, const void *element, size_t size)
{
	struct belay__waiter waiter;
	struct belay__wait wait, *peer;
	int err = belay_err(ctx);

	if (err < 0)
		return err;
	if (!ch)
		return wait_for_ctx(ctx);
	err = belay__chan_check_send(ch, element, size);
	if (err < 0)
		return err;
	chan_lock(ch);
	err = belay__chan_send_now(chan_of(ch), element, &peer);
	if (err == -EAGAIN)
		join(ctx, &chan_of(ch)->senders, &waiter, &wait, (void *)element);
	chan_unlock(ch);
	wake_peer(peer);
	return err == -EAGAIN ? wait_for_peer(ctx, ch, &wait) : err;
}

/* A done channel has no elements: it is ready, as closed, once its context is done. */
static int recv_done(belay_ctx *ctx, belay_chan *ch)
{
	bool ok = true;
	struct belay_case done = BELAY_RECV_OK(ch, NULL, &ok);
	int err = belay_select_n(ctx, &done, 1);

	return err < 0 ? err : -EPIPE;
}

int belay_recv_sized(belay_ctx *ctx, belay_chan *ch, void *element, size_t size)
{
	struct belay__waiter waiter;
	struct belay__wait wait, *peer;
	int err = belay_err(ctx);

	if (err < 0)
		return err;
	if (!ch)
		return wait_for_ctx(ctx);
	err = belay__chan_check_recv(ch, size);
	if (err < 0)
		return err;
	if (is_done_channel(ch))
		return recv_done(ctx, ch);
	chan_lock(ch);
	err = belay__chan_recv_now(chan_of(ch), element, &peer);
	if (err == -EAGAIN)
		join(ctx, &chan_of(ch)->receivers, &waiter, &wait, element);
	chan_unlock(ch);
	wake_peer(peer);
	return err == -EAGAIN ? wait_for_peer(ctx, ch, &wait) : err;
}

int belay_try_send_sized(belay_chan *ch, const void *element, size_t size)
{
	struct belay__wait *peer;
	int err;

	if (!ch)
		return -EAGAIN;
	err = belay__chan_check_send(ch, element, size);
	if (err < 0)
		return err;
	chan_lock(ch);
	err = belay__chan_send_now(chan_of(ch), element, &peer);
	chan_unlock(ch);
	wake_peer(peer);
	return err;
}

int belay_try_recv_sized(belay_chan *ch, void *element, size_t size)
{
	struct belay__wait *peer;
	int err;

	if (!ch)
		return -EAGAIN;
	err = belay__chan_check_recv(ch, size);
	if (err < 0)
		return err;
	if (is_done_channel(ch))
		return is_closed(ch) ? -EPIPE : -EAGAIN;
	chan_lock(ch);
	err = belay__chan_recv_now(chan_of(ch), element, &peer);
	chan_unlock(ch);
	wake_peer(peer);
	return err;
}

/* ---- The functions behind the macros --------------------------------------------------------- */

int (belay_send)(belay_ctx *ctx, belay_chan *ch, const void *element)
{
	return belay_send_sized(ctx, ch, element, 0);
}

int (belay_recv)(belay_ctx *ctx, belay_chan *ch, void *element)
{
	return belay_recv_sized(ctx, ch, element, 0);
}

int (belay_try_send)(belay_chan *ch, const void *element)
{
	return belay_try_send_sized(ch, element, 0);
}

int (belay_try_recv)(belay_chan *ch, void *element)
{
	return belay_try_recv_sized(ch, element, 0);
}
