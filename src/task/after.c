/* SPDX-License-Identifier: MIT
 *
 * after.c - functions that run in a task of their own once a context is done.
 *
 * A hook that starts a task which was made ahead, so that the end needs no memory. It stands here
 * and not beside the hook since it knows what a task is.
 *
 * Lifetime    The handle has one reference for the caller, given up by the stop, and one for the
 *             hook and the task it starts, given up by whichever of them is the last to need it.
 */
#include "base/alloc.h"
#include "context/context.h"
#include "task/task.h"

#include <stdatomic.h>

struct belay_after {
	struct belay_hook hook;
	struct belay__task *task; /* made, not started */
	_Atomic unsigned refs;
	void (*fn)(void *arg);
	void *arg;
};

static void give_up(belay_after *after)
{
	/* acq_rel: the other's use comes before the free */
	if (atomic_fetch_sub_explicit(&after->refs, 1, memory_order_acq_rel) == 1)
		belay__free(after);
}

static void task_main(belay_ctx *ctx, void *arg)
{
	belay_after *after = arg;

	after->fn(after->arg);
	give_up(after);
}

static void start(struct belay_hook *hook)
{
	belay__task_start(belay__container(hook, belay_after, hook)->task);
}

belay_after *belay_after_func_at(belay_ctx *ctx, void (*fn)(void *arg), void *arg,
				 const struct belay_site *site)
{
	belay_after *after = ctx && fn ? belay__malloc(sizeof *after) : NULL;

	if (!after)
		return NULL;
	atomic_init(&after->refs, 2);
	after->fn = fn;
	after->arg = arg;
	after->task = belay__task_new(belay_background(), task_main, after, site);
	if (!after->task) {
		belay__free(after);
		return NULL;
	}
	belay_hook_add(ctx, &after->hook, start);
	return after;
}

belay_after *(belay_after_func)(belay_ctx *ctx, void (*fn)(void *arg), void *arg)
{
	return belay_after_func_at(ctx, fn, arg, NULL);
}

bool belay_after_stop(belay_after *after)
{
	bool stopped;

	if (!after)
		return false;
	stopped = belay_hook_remove(&after->hook);
	if (stopped) {
		belay__task_discard(after->task);
		give_up(after);
	}
	give_up(after);
	return stopped;
}
