/* SPDX-License-Identifier: MIT
 *
 * concurrency.c - at most so many requests at once, and a queue before them that does not stand.
 *
 * Invariants  slots holds what is free of most. waiting counts those between their entry into the
 *             queue and its end for them, and is never more than most_waiting.
 * Memory      the counters order nothing: slots does, and they say only who may go to it. idle_at
 *             is a guess that any of them may refresh.
 */
#include "http/misuse.h"
#include "http/refusal.h"
#include "http/router.h"

#include "base/alloc.h"

#include <belay/http_middleware.h>
#include <belay/sync.h>

#include <errno.h>
#include <stdatomic.h>

struct belay_concurrency_limit {
	struct belay_concurrency_options options;
	belay_sem slots;
	_Atomic unsigned running, waiting;
	_Atomic int64_t idle_at; /* when somebody last found the queue empty */
};

/* ---- The queue ------------------------------------------------------------------------------- */

static bool join(belay_concurrency_limit *limit)
{
	unsigned now = atomic_load_explicit(&limit->waiting, memory_order_relaxed);

	while (now < limit->options.waiting)
		if (atomic_compare_exchange_weak_explicit(&limit->waiting, &now, now + 1,
							  memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	return false;
}

static void note_idle(belay_concurrency_limit *limit)
{
	if (limit->options.target > 0)
		atomic_store_explicit(&limit->idle_at, belay_now(), memory_order_relaxed);
}

static void leave(belay_concurrency_limit *limit)
{
	if (atomic_fetch_sub_explicit(&limit->waiting, 1, memory_order_relaxed) == 1)
		note_idle(limit);
}

/* How long one may wait: long while the queue has been empty of late, so that a burst gets
 * through. */
static int64_t patience_of(const belay_concurrency_limit *limit)
{
	const struct belay_concurrency_options *o = &limit->options;
	int64_t idle_at = atomic_load_explicit(&limit->idle_at, memory_order_relaxed);

	if (o->target == 0)
		return BELAY_FOREVER;
	return belay_now() - idle_at <= o->interval ? o->interval : o->target;
}

/* 0: a slot is the caller's; the context's error; -EBUSY: it has taken too long. */
static int wait_in_queue(belay_ctx *ctx, belay_concurrency_limit *limit)
{
	int64_t patience = patience_of(limit);
	belay_ctx *timed = patience == BELAY_FOREVER ? belay_ref(ctx)
						     : belay_with_timeout(ctx, patience);
	int r = belay_sem_acquire(timed, &limit->slots, 1);

	if (patience == BELAY_FOREVER)
		belay_unref(timed);
	else
		belay_end(timed);
	return r == -ETIME && belay_err(ctx) == 0 ? -EBUSY : r;
}

static int enter(belay_ctx *ctx, belay_concurrency_limit *limit)
{
	int r = belay_err(ctx);

	if (r == 0)
		r = belay_sem_try_acquire(&limit->slots, 1);
	if (r == 0)
		note_idle(limit);
	if (r != -EAGAIN)
		return r;
	if (!join(limit))
		return -EBUSY;
	r = wait_in_queue(ctx, limit);
	leave(limit);
	return r;
}

/* ---- The middleware -------------------------------------------------------------------------- */

static int run(belay_ctx *ctx, belay_request *req, belay_response *res, const belay_chain *next,
	       belay_concurrency_limit *limit)
{
	int r;

	atomic_fetch_add_explicit(&limit->running, 1, memory_order_relaxed);
	r = belay_next(ctx, req, res, next);
	atomic_fetch_sub_explicit(&limit->running, 1, memory_order_relaxed);
	belay_sem_release(&limit->slots, 1);
	return r;
}

int belay_http_limit_concurrency(belay_ctx *ctx, belay_request *req, belay_response *res,
				 const belay_chain *next, void *arg)
{
	belay_concurrency_limit *limit = arg;
	int r;

	if (!limit)
		return belay__answer_misuse(ctx, req, res, "belay_http_limit_concurrency", "limit");
	r = enter(ctx, limit);
	if (r == 0)
		return run(ctx, req, res, next, limit);
	if (r == -EBUSY)
		return belay__refuse_for_now(ctx, req, res, 503, limit->options.retry_after,
					     "too many requests at once");
	return belay_err(ctx) < 0 ? belay__answer_the_end(ctx, req, res) : r;
}

/* ---- Making ---------------------------------------------------------------------------------- */

int belay_concurrency_limit_new(const struct belay_concurrency_options *options,
				belay_concurrency_limit **ret)
{
	belay_concurrency_limit *limit;

	if (options->most == 0 || options->target < 0 || options->interval < 0)
		return -EINVAL;
	limit = belay__calloc(1, sizeof *limit);
	if (!limit)
		return -ENOMEM;
	limit->options = *options;
	if (options->interval == 0)
		limit->options.interval = BELAY_MS(100);
	if (options->retry_after == 0)
		limit->options.retry_after = 1;
	belay_sem_init(&limit->slots, options->most);
	atomic_init(&limit->idle_at, belay_now());
	*ret = limit;
	return 0;
}

void belay_concurrency_limit_free(belay_concurrency_limit *limit)
{
	belay__free(limit);
}

unsigned belay_concurrency_limit_running(const belay_concurrency_limit *limit)
{
	return atomic_load_explicit(&limit->running, memory_order_relaxed);
}

unsigned belay_concurrency_limit_waiting(const belay_concurrency_limit *limit)
{
	return atomic_load_explicit(&limit->waiting, memory_order_relaxed);
}
