/* SPDX-License-Identifier: MIT
 *
 * once.c - run something until it has succeeded once.
 *
 * State       FRESH -> RUNNING -> DONE, or back to FRESH where it failed and nobody waits.
 * Invariants  (1) nobody waits unless RUNNING.
 *             (2) runner is whoever runs it, NULL unless RUNNING.
 *             (3) a failed runner makes the first who waits the runner: it stays RUNNING, and the
 *             one who is woken knows by that state that it is its turn.
 * Locking     waiters' lock guards state, runner and the queue.
 * Memory      DONE is stored (release) after fn has returned, and belay_once_do() loads it
 *             (acquire) without the lock: who sees DONE sees what fn wrote. Under the lock, plain
 *             accesses do.
 */
#include "sync/sync.h"

#include <errno.h>

enum state { FRESH, RUNNING, DONE };

static bool is_done(const belay_once *once)
{
	return __atomic_load_n(&once->state, __ATOMIC_ACQUIRE) == DONE;
}

static void set_state(belay_once *once, enum state state)
{
	__atomic_store_n(&once->state, state, __ATOMIC_RELEASE);
}

/* With the lock held: false where somebody else must be waited for. The first one is the runner. */
static bool enter(belay_once *once)
{
	enum state was = once->state;

	if (was == FRESH) {
		set_state(once, RUNNING);
		once->runner = belay__self();
	}
	return was != RUNNING;
}

/* With the lock held, after a failure: the turn of the first who waits. */
static void pass_on(belay_once *once, struct belay__list *woken)
{
	struct belay__wait *next = belay__waiters_claim(&once->waiters);

	once->runner = next ? next->waiter->runner : NULL;
	if (next)
		belay__list_append(woken, &next->link);
	else
		set_state(once, FRESH);
}

static void finish(belay_once *once, bool success)
{
	struct belay__list woken;

	belay__list_init(&woken);
	belay__waiters_take(&once->waiters);
	if (success) {
		set_state(once, DONE);
		once->runner = NULL;
		belay__queue_claim_all(belay__waiters_queue(&once->waiters), &woken);
	} else {
		pass_on(once, &woken);
	}
	belay__waiters_give(&once->waiters);
	belay__wake_all(&woken);
}

/* The caller is the runner. Its turn may have come together with its context's end. */
static int run(belay_ctx *ctx, belay_once *once, int (*fn)(belay_ctx *ctx, void *arg), void *arg)
{
	int err = belay_err(ctx);

	if (!err)
		err = fn(ctx, arg);
	finish(once, err == 0);
	return err;
}

/* 0: it is done, or the caller has become the runner. */
static int await(belay_ctx *ctx, belay_once *once)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	bool own;

	belay__waiters_take(&once->waiters);
	own = once->runner == belay__self();
	if (own || enter(once)) {
		belay__waiters_give(&once->waiters);
		return own ? -EDEADLK : 0;
	}
	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_SYNC;
	belay__wait_init(&wait, &waiter);
	return belay__waiters_wait(ctx, &once->waiters, &wait);
}

int belay_once_do(belay_ctx *ctx, belay_once *once, int (*fn)(belay_ctx *ctx, void *arg),
		  void *arg)
{
	int err = belay_err(ctx);

	if (err || is_done(once))
		return err;
	err = await(ctx, once);
	if (err || is_done(once))
		return err;
	return run(ctx, once, fn, arg);
}
