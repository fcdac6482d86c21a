/* SPDX-License-Identifier: MIT
 *
 * task.c - tasks: made, started, parked and woken.
 *
 * State       free (cache.c) -> made -> in line (fresh.c) -> begun; from then on it runs, or stands
 *             in its worker's ready or inbox, or is parked (worker.c: Parking); -> free.
 */
#include "base/report.h"
#include "context/context.h"
#include "task/worker.h"

#include <errno.h>
#include <sched.h>

/* NULL: out of memory. */
static struct belay__task *make(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg), void *arg,
				const struct belay_site *site)
{
	struct belay__task *task = belay__task_take(belay__cache());

	if (!task)
		return NULL;
	atomic_store_explicit(&task->site, site ? site : &belay__unknown_site,
			      memory_order_relaxed);
	task->worker = NULL;
	task->ctx = belay_ref(ctx);
	task->fn = fn;
	task->arg = arg;
	return task;
}

struct belay__task *belay__task_new(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg),
				    void *arg, const struct belay_site *site)
{
	return belay__workers_start() < 0 ? NULL : make(ctx, fn, arg, site);
}

void belay__task_start(struct belay__task *task)
{
	belay__worker_submit(task);
}

void belay__task_discard(struct belay__task *task)
{
	belay_ctx *ctx = task->ctx;

	belay__task_give(belay__cache(), task);
	belay_unref(ctx);
}

/* ---- Public ---------------------------------------------------------------------------------- */

int belay_go_at(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg), void *arg,
		const struct belay_site *site)
{
	struct belay__task *task;
	int err;

	if (!ctx || !fn)
		return -EINVAL;
	err = belay__workers_start();
	if (err < 0)
		return err;
	task = make(ctx, fn, arg, site);
	if (!task)
		return -ENOMEM;
	belay__worker_submit(task);
	return 0;
}

int (belay_go)(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg), void *arg)
{
	return belay_go_at(ctx, fn, arg, NULL);
}

void belay_yield(void)
{
	if (belay__in_task())
		belay__worker_yield(task_of(belay__current_task));
	else
		sched_yield();
}

/* ---- The report at exit ---------------------------------------------------------------------- */

static size_t report(FILE *out)
{
	size_t count = belay__task_count();

	if (count > 0)
		fprintf(out, "belay: %zu task%s still there:\n", count,
			count == 1 ? " is" : "s are");
	belay__task_report(out);
	return count;
}

__attribute__((constructor)) static void register_report(void)
{
	belay__report("leaks", report, BELAY__NO_LEAKS);
}
