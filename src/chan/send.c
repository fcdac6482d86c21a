/* SPDX-License-Identifier: MIT
 *
 * send.c - send and receive: the move at once if it can be, else a wait in the channel's queue.
 *
 * The wait is queued in the same lock section that found the move impossible, so that no peer can
 * come in between. Then belay__block_on() adds the context's end as the other reason; where the
 * context has none, the wait is the sole reason.
 */
#include "chan/move.h"
#include "context/context.h"

#include <belay/select.h>

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
	waiter.why = BELAY__WHY_CHAN;
	belay__block(ctx, &waiter);
	return belay_err(ctx);
}

static void leave(belay_chan *ch, struct belay__wait *wait)
{
	chan_lock(ch);
	if (belay__list_linked(&wait->link))
		belay__list_remove(&wait->link);
	chan_unlock(ch);
}

/* With the channel's lock held, which is given back: waits in queue. 0 or -EPIPE, where a peer or a
 * close took the wait off; else the context's error. Inline: see worker.c, Depth. */
static inline __attribute__((always_inline)) int
wait_in(belay_chan *ch, struct belay__list *queue, void *element, belay_chan *done)
{
	struct belay__waiter waiter;
	struct belay__wait wait;

	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_CHAN;
	waiter.sole = !done;
	belay__wait_init(&wait, &waiter);
	wait.element = element;
	belay__list_append(queue, &wait.link);
	chan_unlock(ch);
	if (belay__block_on(done, &waiter, NULL))
		return (int)wait.result;
	leave(ch, &wait);
	return why_closed(done);
}

int belay_send_sized(belay_ctx *ctx, belay_chan *ch, const void *element, size_t size)
{
	belay_chan *done = belay_done(ctx);
	struct belay__wait *peer;
	int err = err_of(ctx, done);

	if (err < 0)
		return err;
	if (!ch)
		return wait_for_ctx(ctx);
	err = check_send(ch, element, size);
	if (err < 0)
		return err;
	chan_lock(ch);
	err = send_now(chan_of(ch), element, &peer);
	if (err == -EAGAIN)
		return wait_in(ch, &chan_of(ch)->senders, (void *)element, done);
	chan_unlock(ch);
	wake_peer(peer);
	return err;
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
	belay_chan *done = belay_done(ctx);
	struct belay__wait *peer;
	int err = err_of(ctx, done);

	if (err < 0)
		return err;
	if (!ch)
		return wait_for_ctx(ctx);
	err = check_recv(ch, size);
	if (err < 0)
		return err;
	if (is_done_channel(ch))
		return recv_done(ctx, ch);
	chan_lock(ch);
	err = recv_now(chan_of(ch), element, &peer);
	if (err == -EAGAIN)
		return wait_in(ch, &chan_of(ch)->receivers, element, done);
	chan_unlock(ch);
	wake_peer(peer);
	return err;
}

int belay_try_send_sized(belay_chan *ch, const void *element, size_t size)
{
	struct belay__wait *peer;
	int err;

	if (!ch)
		return -EAGAIN;
	err = check_send(ch, element, size);
	if (err < 0)
		return err;
	chan_lock(ch);
	err = send_now(chan_of(ch), element, &peer);
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
	err = check_recv(ch, size);
	if (err < 0)
		return err;
	if (is_done_channel(ch))
		return is_closed(ch) ? -EPIPE : -EAGAIN;
	chan_lock(ch);
	err = recv_now(chan_of(ch), element, &peer);
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
