/* SPDX-License-Identifier: MIT
 *
 * wg.c - wait until all are done.
 *
 * Invariants  count is 0: nobody waits but stale entries.
 * Locking     waiters' lock guards count and the queue. The last one to be done does not touch the
 *             group after it has given that lock, so that who waits may free it at once.
 */
#include "sync/sync.h"

#include <errno.h>

int belay_wg_add(belay_wg *wg, size_t n)
{
	int err = 0;

	belay__waiters_take(&wg->waiters);
	if (n > SIZE_MAX - wg->count)
		err = -EOVERFLOW;
	else
		wg->count += n;
	belay__waiters_give(&wg->waiters);
	return err;
}

int belay_wg_done(belay_wg *wg)
{
	struct belay__list woken;
	int err = 0;

	belay__list_init(&woken);
	belay__waiters_take(&wg->waiters);
	if (wg->count == 0)
		err = -EPERM;
	else if (--wg->count == 0)
		belay__queue_claim_all(belay__waiters_queue(&wg->waiters), &woken);
	belay__waiters_give(&wg->waiters);
	belay__wake_all(&woken);
	return err;
}

int belay_wg_wait(belay_ctx *ctx, belay_wg *wg)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	int err = belay_err(ctx);

	if (err)
		return err;
	belay__waiters_take(&wg->waiters);
	if (wg->count == 0) {
		belay__waiters_give(&wg->waiters);
		return 0;
	}
	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_SYNC;
	belay__wait_init(&wait, &waiter);
	return belay__waiters_wait(ctx, &wg->waiters, &wait);
}
