/* SPDX-License-Identifier: MIT
 *
 * rwlock.c - many readers or one writer, in the order of arrival.
 *
 * State       free, readers > 0, or writer.
 * Invariants  (1) never both readers and a writer.
 *             (2) the first live one in the queue can't be let in now; it may be otherwise only
 *             between the end of a context and its waiter's leaving, which lets in those behind it.
 *             So neither readers nor writers starve: who comes later stands behind.
 * Locking     waiters' lock guards readers, writer and the queue.
 */
#include "sync/sync.h"

#include <errno.h>

struct request {
	struct belay__wait wait;
	bool write;
};

/* With the lock held, all four. */
static bool can_enter(const belay_rwlock *rwlock, bool write)
{
	return !rwlock->writer && (!write || rwlock->readers == 0);
}

static void enter(belay_rwlock *rwlock, bool write)
{
	if (write)
		rwlock->writer = true;
	else
		rwlock->readers++;
}

static bool enter_if_free(belay_rwlock *rwlock, bool write)
{
	if (!can_enter(rwlock, write) || belay__waiters_first(&rwlock->waiters))
		return false;
	enter(rwlock, write);
	return true;
}

static void admit(belay_rwlock *rwlock, struct belay__list *woken)
{
	struct belay__wait *first;

	while ((first = belay__waiters_first(&rwlock->waiters))) {
		bool write = belay__container(first, struct request, wait)->write;

		if (!can_enter(rwlock, write))
			return;
		belay__list_remove(&first->link);
		if (!belay__wait_claim(first))
			continue;
		enter(rwlock, write);
		belay__list_append(woken, &first->link);
	}
}

/* A writer that others stood behind has left. */
static void admit_the_rest(belay_rwlock *rwlock)
{
	struct belay__list woken;

	belay__list_init(&woken);
	belay__waiters_take(&rwlock->waiters);
	admit(rwlock, &woken);
	belay__waiters_give(&rwlock->waiters);
	belay__wake_all(&woken);
}

static int lock(belay_ctx *ctx, belay_rwlock *rwlock, bool write)
{
	struct belay__waiter waiter;
	struct request request;
	int err = belay_err(ctx);

	if (err)
		return err;
	belay__waiters_take(&rwlock->waiters);
	if (enter_if_free(rwlock, write)) {
		belay__waiters_give(&rwlock->waiters);
		return 0;
	}
	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_SYNC;
	belay__wait_init(&request.wait, &waiter);
	request.write = write;
	err = belay__waiters_wait(ctx, &rwlock->waiters, &request.wait);
	if (err)
		admit_the_rest(rwlock);
	return err;
}

static int try_lock(belay_rwlock *rwlock, bool write)
{
	bool entered;

	belay__waiters_take(&rwlock->waiters);
	entered = enter_if_free(rwlock, write);
	belay__waiters_give(&rwlock->waiters);
	return entered ? 0 : -EAGAIN;
}

/* With the lock held: false where there is nothing to unlock. */
static bool depart(belay_rwlock *rwlock, bool write)
{
	bool held = write ? rwlock->writer : rwlock->readers > 0;

	if (held && write)
		rwlock->writer = false;
	else if (held)
		rwlock->readers--;
	return held;
}

static int unlock(belay_rwlock *rwlock, bool write)
{
	struct belay__list woken;
	bool held;

	belay__list_init(&woken);
	belay__waiters_take(&rwlock->waiters);
	held = depart(rwlock, write);
	admit(rwlock, &woken);
	belay__waiters_give(&rwlock->waiters);
	belay__wake_all(&woken);
	return held ? 0 : -EPERM;
}

int belay_rwlock_read_lock(belay_ctx *ctx, belay_rwlock *rwlock)
{
	return lock(ctx, rwlock, false);
}

int belay_rwlock_write_lock(belay_ctx *ctx, belay_rwlock *rwlock)
{
	return lock(ctx, rwlock, true);
}

int belay_rwlock_try_read_lock(belay_rwlock *rwlock)
{
	return try_lock(rwlock, false);
}

int belay_rwlock_try_write_lock(belay_rwlock *rwlock)
{
	return try_lock(rwlock, true);
}

int belay_rwlock_read_unlock(belay_rwlock *rwlock)
{
	return unlock(rwlock, false);
}

int belay_rwlock_write_unlock(belay_rwlock *rwlock)
{
	return unlock(rwlock, true);
}
