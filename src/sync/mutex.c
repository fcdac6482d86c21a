/* SPDX-License-Identifier: MIT
 *
 * mutex.c - one at a time, first come, first served.
 *
 * State       free or locked.
 * Invariants  (1) free: nobody waits but stale entries.
 *             (2) an unlock with somebody waiting leaves it locked: it has changed hands.
 * Locking     waiters' lock guards locked and the queue.
 */
#include "sync/sync.h"

#include <errno.h>

/* With the waiters' lock held. */
static bool take_if_free(belay_mutex *mutex)
{
	bool taken = !mutex->locked;

	mutex->locked = true;
	return taken;
}

int belay_mutex_try_lock(belay_mutex *mutex)
{
	bool taken;

	belay__waiters_take(&mutex->waiters);
	taken = take_if_free(mutex);
	belay__waiters_give(&mutex->waiters);
	return taken ? 0 : -EAGAIN;
}

int belay_mutex_lock(belay_ctx *ctx, belay_mutex *mutex)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	int err = belay_err(ctx);

	if (err)
		return err;
	belay__waiters_take(&mutex->waiters);
	if (take_if_free(mutex)) {
		belay__waiters_give(&mutex->waiters);
		return 0;
	}
	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_SYNC;
	belay__wait_init(&wait, &waiter);
	return belay__waiters_wait(ctx, &mutex->waiters, &wait);
}

int belay_mutex_unlock(belay_mutex *mutex)
{
	struct belay__wait *next = NULL;
	int err = 0;

	belay__waiters_take(&mutex->waiters);
	if (!mutex->locked)
		err = -EPERM;
	else
		next = belay__waiters_claim(&mutex->waiters);
	mutex->locked = next != NULL;
	belay__waiters_give(&mutex->waiters);
	if (next)
		belay__wait_wake(next);
	return err;
}
