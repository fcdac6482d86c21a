/* SPDX-License-Identifier: MIT
 *
 * task.c - tasks: made, started, parked and woken.
 *
 * State       free (cache.c) -> made -> in line (fresh.c) -> begun; from then on it runs, or stands
 *             in its worker's ready or inbox, or is parked (worker.c: Parking); -> free.
 */
#include "base/report.h"
#include "context/context.h"
#include "task/sized.h"

#include <errno.h>
#include <sched.h>

static void fill(struct belay__task *task, belay_ctx *ctx,
		 void (*fn)(belay_ctx *ctx, void *arg), void *arg, const struct belay_site *site)
{
	atomic_store_explicit(&task->site, site ? site : &belay__unknown_site,
			      memory_order_relaxed);
	task->worker = NULL;
	task->ctx = belay_ref(ctx);
	task->fn = fn;
	task->arg = arg;
}

struct belay__task *belay__task_new(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg),
				    void *arg, const struct belay_site *site)
{
	struct belay__task *task;

	task = belay__workers_start() < 0 ? NULL : belay__task_take(belay__cache());
	if (task)
		fill(task, ctx, fn, arg, site);
	return task;
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

/* Whole pages of the stack that options ask for; 0: an ordinary one will do. */
static size_t stack_size(const struct belay_task_options *options)
{
	size_t page = belay__page_size();
	size_t size = options ? (options->stack_size + page - 1) / page * page : 0;

	return size > belay__stack_ordinary() ? size : 0;
}

static bool is_sound(const struct belay_task_options *options)
{
	return !options || options->stack_size == 0 ||
	       (options->stack_size >= BELAY_STACK_LEAST &&
		options->stack_size <= BELAY_STACK_MOST);
}

/* size: of its stack; 0: an ordinary one. */
static inline int go(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg), void *arg, size_t size,
		     const struct belay_site *site)
{
	struct belay__task *task;
	int err;

	if (!ctx || !fn)
		return -EINVAL;
	err = belay__workers_start();
	if (err < 0)
		return err;
	task = size > 0 ? belay__sized_take(size) : belay__task_take(belay__cache());
	if (!task)
		return -ENOMEM;
	fill(task, ctx, fn, arg, site);
	belay__worker_submit(task);
	return 0;
}

/* ---- Public ---------------------------------------------------------------------------------- */

int belay_go_at(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg), void *arg,
		const struct belay_site *site)
{
	return go(ctx, fn, arg, 0, site);
}

int (belay_go)(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg), void *arg)
{
	return belay_go_at(ctx, fn, arg, NULL);
}

int belay_go_with_at(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg), void *arg,
		     const struct belay_task_options *options, const struct belay_site *site)
{
	return is_sound(options) ? go(ctx, fn, arg, stack_size(options), site) : -EINVAL;
}

int (belay_go_with)(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg), void *arg,
		    const struct belay_task_options *options)
{
	return belay_go_with_at(ctx, fn, arg, options, NULL);
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
