/* SPDX-License-Identifier: MIT
 *
 * cond.c - wait for a change to what a mutex guards.
 *
 * No loss     A wait is queued before the mutex is unlocked, so a signal by whoever locks the mutex
 *             next finds it. A signal claims its one wait; where that one's context came first the
 *             signal goes to the next.
 * Locking     waiters' lock guards the queue alone, and is never held together with the mutex's
 *             own.
 */
#include "sync/sync.h"

/* The background never ends, so this is the one lock that can't fail. */
static void lock_again(belay_mutex *mutex)
{
	int err = belay_mutex_lock(belay_background(), mutex);

	(void)err;
}

int belay_cond_wait(belay_ctx *ctx, belay_cond *cond, belay_mutex *mutex)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	int err = belay_err(ctx);

	if (err)
		return err;
	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_SYNC;
	belay__wait_init(&wait, &waiter);
	belay__waiters_take(&cond->waiters);
	belay__waiters_join(&cond->waiters, &wait);
	belay_mutex_unlock(mutex);
	err = belay__waiters_block(ctx, &cond->waiters, &wait);
	lock_again(mutex);
	return err;
}

void belay_cond_signal(belay_cond *cond)
{
	struct belay__wait *next;

	belay__waiters_take(&cond->waiters);
	next = belay__waiters_claim(&cond->waiters);
	belay__waiters_give(&cond->waiters);
	if (next)
		belay__wait_wake(next);
}

void belay_cond_broadcast(belay_cond *cond)
{
	struct belay__list woken;

	belay__list_init(&woken);
	belay__waiters_take(&cond->waiters);
	belay__queue_claim_all(belay__waiters_queue(&cond->waiters), &woken);
	belay__waiters_give(&cond->waiters);
	belay__wake_all(&woken);
}
