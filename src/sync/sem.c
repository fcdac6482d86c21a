/* SPDX-License-Identifier: MIT
 *
 * sem.c - permits, handed out in the order in which they were asked for.
 *
 * Invariants  (1) the first live one in the queue asks for more permits than are free; it may be
 *             otherwise only between the end of a context and its waiter's leaving, which lets in
 *             those that stood behind it.
 *             (2) free permits + permits taken = the initial number + what was added.
 * Locking     waiters' lock guards permits and the queue.
 */
#include "sync/sync.h"

#include <errno.h>

struct request {
	struct belay__wait wait;
	size_t n;
};

/* With the lock held: gives permits to those in front as far as they go, and moves them to
 * woken. */
static void admit(belay_sem *sem, struct belay__list *woken)
{
	struct belay__wait *first;

	while ((first = belay__waiters_first(&sem->waiters))) {
		size_t n = belay__container(first, struct request, wait)->n;

		if (n > sem->permits)
			return;
		belay__list_remove(&first->link);
		if (!belay__wait_claim(first))
			continue;
		sem->permits -= n;
		belay__list_append(woken, &first->link);
	}
}

/* With the lock held. Whoever comes now stands behind those who wait, however little it asks
 * for. */
static bool take_if_free(belay_sem *sem, size_t n)
{
	if (n > sem->permits || belay__waiters_first(&sem->waiters))
		return false;
	sem->permits -= n;
	return true;
}

/* One that asked for too much has left: those behind it may ask for less. */
static void admit_the_rest(belay_sem *sem)
{
	struct belay__list woken;

	belay__list_init(&woken);
	belay__waiters_take(&sem->waiters);
	admit(sem, &woken);
	belay__waiters_give(&sem->waiters);
	belay__wake_all(&woken);
}

void belay_sem_init(belay_sem *sem, size_t permits)
{
	*sem = (belay_sem)BELAY_SEM_INIT(permits);
}

int belay_sem_try_acquire(belay_sem *sem, size_t n)
{
	bool taken;

	belay__waiters_take(&sem->waiters);
	taken = n == 0 || take_if_free(sem, n);
	belay__waiters_give(&sem->waiters);
	return taken ? 0 : -EAGAIN;
}

int belay_sem_acquire(belay_ctx *ctx, belay_sem *sem, size_t n)
{
	struct belay__waiter waiter;
	struct request request;
	int err = belay_err(ctx);

	if (err || n == 0)
		return err;
	belay__waiters_take(&sem->waiters);
	if (take_if_free(sem, n)) {
		belay__waiters_give(&sem->waiters);
		return 0;
	}
	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_SYNC;
	belay__wait_init(&request.wait, &waiter);
	request.n = n;
	err = belay__waiters_wait(ctx, &sem->waiters, &request.wait);
	if (err)
		admit_the_rest(sem);
	return err;
}

int belay_sem_release(belay_sem *sem, size_t n)
{
	struct belay__list woken;
	int err = 0;

	belay__list_init(&woken);
	belay__waiters_take(&sem->waiters);
	if (n > SIZE_MAX - sem->permits)
		err = -EOVERFLOW;
	else
		sem->permits += n;
	admit(sem, &woken);
	belay__waiters_give(&sem->waiters);
	belay__wake_all(&woken);
	return err;
}
