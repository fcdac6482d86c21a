/* SPDX-License-Identifier: MIT
 *
 * task.c - tasks: made, started, parked and woken.
 *
 * State       token: EMPTY -> PARKED -> WOKEN -> EMPTY, or EMPTY -> WOKEN -> EMPTY where the wake
 *             comes before the park. Who finds PARKED when it stores WOKEN puts the task into its
 *             worker's queue; only the worker runs it, so it can't go on before it has left its
 *             stack.
 * Lifetime    A waker that finds EMPTY touches the task no more: the task may be gone. One that
 *             finds PARKED may, until the task is queued.
 * Memory      The exchange in wake() releases what the waker did; park() acquires it, by the failed
 *             compare-and-swap or through the queue.
 */
#include "base/report.h"
#include "context/context.h"
#include "task/worker.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

enum { EMPTY, PARKED, WOKEN };

static struct belay__task *task_of(struct belay__runner *runner)
{
	return belay__container(runner, struct belay__task, runner);
}

static void park(struct belay__runner *runner)
{
	struct belay__task *task = task_of(runner);
	uint32_t empty = EMPTY;

	if (atomic_compare_exchange_strong_explicit(&task->token, &empty, PARKED,
						    memory_order_acquire, memory_order_acquire))
		belay__worker_leave(task);
	atomic_store_explicit(&task->token, EMPTY, memory_order_relaxed);
}

static void wake(struct belay__runner *runner)
{
	struct belay__task *task = task_of(runner);

	if (atomic_exchange_explicit(&task->token, WOKEN, memory_order_acq_rel) == PARKED)
		belay__worker_ready(task->worker, task);
}

static void entry(void *arg)
{
	struct belay__task *task = arg;

	belay__fiber_begin(&task->worker->fiber);
	errno = 0;
	task->fn(task->ctx, task->arg);
	belay_unref(task->ctx);
	belay__worker_finish(task);
}

struct belay__task *belay__task_new(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg),
				    void *arg, const struct belay_site *site)
{
	struct belay__stack *stack;
	struct belay__task *task;

	if (belay__workers_start() < 0)
		return NULL;
	stack = belay__stack_take(site);
	if (!stack)
		return NULL;
	task = (struct belay__task *)(((uintptr_t)stack->low + stack->size - sizeof *task) &
				      ~(uintptr_t)63);
	memset(task, 0, sizeof *task);
	task->runner = (struct belay__runner){park, wake};
	task->stack = stack;
	task->ctx = belay_ref(ctx);
	task->fn = fn;
	task->arg = arg;
	belay__fiber_init(&task->fiber, stack->low, (size_t)((char *)task - stack->low), entry,
			  task);
	return task;
}

void belay__task_start(struct belay__task *task)
{
	belay__worker_submit(task);
}

void belay__task_discard(struct belay__task *task)
{
	struct belay__stack *stack = task->stack;
	belay_ctx *ctx = task->ctx;

	belay__fiber_fini(&task->fiber);
	belay__stack_give(stack);
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
	task = belay__task_new(ctx, fn, arg, site);
	if (!task)
		return -ENOMEM;
	belay__task_start(task);
	return 0;
}

int (belay_go)(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg), void *arg)
{
	return belay_go_at(ctx, fn, arg, NULL);
}

void belay_yield(void)
{
	struct belay__task *task;

	if (!belay__in_task()) {
		sched_yield();
		return;
	}
	task = task_of(belay__self());
	belay__worker_ready(task->worker, task);
	belay__worker_leave(task);
}

/* ---- The report at exit ---------------------------------------------------------------------- */

static size_t report(FILE *out)
{
	size_t count = belay__stack_count();

	if (count > 0)
		fprintf(out, "belay: %zu task%s still there:\n", count,
			count == 1 ? " is" : "s are");
	belay__stack_report(out);
	return count;
}

__attribute__((constructor)) static void register_report(void)
{
	belay__report_leaks(report);
}
