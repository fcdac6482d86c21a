/* SPDX-License-Identifier: MIT
 *
 * waiters.c - waiting in a lock's queue, and leaving it.
 *
 * Hand-over   Who gives something up claims the next one under the lock, and books it on that one's
 *             behalf before the lock is given: between the holder before and the one after there is
 *             no moment at which a third can come by. A claim that came first wins over a context
 *             that ended: then the wait returns 0.
 * Leaving     Where the context won, nobody can claim the wait any more; its owner takes it off,
 *             under the lock, unless a waker that found it stale has.
 */
#include "sync/sync.h"

_Static_assert(offsetof(struct belay_waiters, first) + offsetof(struct belay__list, prev) ==
		       offsetof(struct belay_waiters, last),
	       "first and last must do for a belay__list");

struct belay__list *belay__waiters_queue(struct belay_waiters *waiters)
{
	struct belay__list *queue = (struct belay__list *)(void *)&waiters->first;

	if (!queue->next)
		belay__list_init(queue);
	return queue;
}

struct belay__wait *belay__waiters_first(struct belay_waiters *waiters)
{
	struct belay__list *queue = belay__waiters_queue(waiters);

	while (!belay__list_empty(queue)) {
		struct belay__wait *wait =
			belay__container(queue->next, struct belay__wait, link);

		if (!belay__wait_is_stale(wait))
			return wait;
		belay__list_remove(&wait->link);
	}
	return NULL;
}

static void leave(struct belay_waiters *waiters, struct belay__wait *wait)
{
	belay__waiters_take(waiters);
	if (belay__list_linked(&wait->link))
		belay__list_remove(&wait->link);
	belay__waiters_give(waiters);
}

void belay__waiters_join(struct belay_waiters *waiters, struct belay__wait *wait)
{
	belay__list_append(belay__waiters_queue(waiters), &wait->link);
	belay__waiters_give(waiters);
}

int belay__waiters_block(belay_ctx *ctx, struct belay_waiters *waiters, struct belay__wait *wait)
{
	if (wait->waiter->sole) {
		belay__waiter_park(wait->waiter);
		return 0;
	}
	if (belay__block(ctx, wait->waiter))
		return 0;
	leave(waiters, wait);
	return belay_err(ctx);
}

int belay__waiters_wait(belay_ctx *ctx, struct belay_waiters *waiters, struct belay__wait *wait)
{
	wait->waiter->sole = !belay_done(ctx);
	belay__waiters_join(waiters, wait);
	return belay__waiters_block(ctx, waiters, wait);
}
