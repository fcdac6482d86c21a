/* SPDX-License-Identifier: MIT
 *
 * task.h - tasks: functions with a stack of their own, many on few threads.
 *
 * A task runs on one worker thread from its first instruction to its last, so that everything a C
 * program keeps by thread (errno, locale, a library's error queue) stays valid across calls that
 * block. It gives up its worker only inside calls of Belay's.
 */
#ifndef BELAY_TASK_H
#define BELAY_TASK_H

#include <belay/context.h>

#include <stddef.h>

#define BELAY_STACK_LEAST ((size_t)16 << 10)
#define BELAY_STACK_MOST  ((size_t)1 << 30)

BELAY_BEGIN_DECLS

/* Zeros stand for the defaults in brackets. Copied. */
struct belay_task_options {
	size_t stack_size; /* bytes, at the least, for all that the task calls [180 KiB]        */
};

/* Starts fn(ctx, arg) in a task. The task holds a reference to ctx as long as it runs; ending ctx
 * tells it to stop, nothing more. 0; -ENOMEM; -EAGAIN: no worker thread could be started, or
 * belay_shutdown() is stopping them; -EMFILE or -ENFILE: no descriptor is left for the workers;
 * -EINVAL: ctx or fn is NULL. A done context still starts it: fn sees it at its first check. Does
 * not block. The first call of a process starts the workers, and only that call can want for
 * threads and descriptors: one worker for each processor that this process may use, or as many as
 * BELAY_WORKERS in the environment says. */
BELAY_EXPORT int belay_go(BELAY_BORROWED belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg),
			  void *arg);
BELAY_EXPORT int belay_go_at(BELAY_BORROWED belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg),
			     void *arg, const struct belay_site *site);
#define belay_go(ctx, fn, ...) belay_go_at((ctx), (fn), (__VA_ARGS__), BELAY_HERE)

/* Starts a task with a stack of at least options->stack_size bytes, rounded up to whole pages; as
 * belay_go in all else, which it is where options are NULL or all zeros; what is smaller than the
 * default is the default. A stack takes memory as it is touched, so that a large one costs
 * addresses, no more. It is guarded below, kept for a while after the task's end for the next one
 * of that size, then given back to the system. Each that is larger than the default is a mapping of
 * its own, of which the system bears some ten thousand at once (vm.max_map_count): -ENOMEM beyond
 * that. -EINVAL also: a size that is neither 0 nor from BELAY_STACK_LEAST to BELAY_STACK_MOST.
 *
 *     belay_go_with(ctx, parse, text, &(struct belay_task_options){ .stack_size = 4 << 20 });
 */
BELAY_EXPORT int belay_go_with(BELAY_BORROWED belay_ctx *ctx,
			       void (*fn)(belay_ctx *ctx, void *arg), void *arg,
			       const struct belay_task_options *options);
BELAY_EXPORT int belay_go_with_at(BELAY_BORROWED belay_ctx *ctx,
				  void (*fn)(belay_ctx *ctx, void *arg), void *arg,
				  const struct belay_task_options *options,
				  const struct belay_site *site);
#define belay_go_with(ctx, fn, arg, ...)                                                           \
	belay_go_with_at((ctx), (fn), (arg), (__VA_ARGS__), BELAY_HERE)

/* Lets the others run that are ready on this worker; on a plain thread: sched_yield(2). */
BELAY_EXPORT void belay_yield(void);

/* Runs fn(arg) where it may block: from a task, on a thread of a pool that grows as needed (to
 * 512); from a plain thread, right here. Returns 0 when fn has returned; or, without running fn,
 * the context's error, -ENOMEM or -EAGAIN (no thread could be started). Once fn runs, ctx's end
 * does not cut it short: fn, or a hook, must see to that. */
BELAY_EXPORT int belay_blocking(BELAY_BORROWED belay_ctx *ctx, void (*fn)(void *arg), void *arg);

/* From main, at the end: lets every task that is ready run on until it waits, and so those that
 * these start or wake; then stops and joins the workers, the blocking pool and the clock, and frees
 * all pools. Tasks that still wait are never resumed (BELAY_REPORT=leaks names them). There is no
 * limit to how long it takes: where there is no moment at which all of them wait, as where one
 * computes or yields for ever, or they start others faster than these end, it does not return. So
 * end their contexts first. Does nothing in a task, nor in what one runs by belay_blocking(), nor
 * in a hook that a deadline runs. Belay may be used again afterwards. */
BELAY_EXPORT void belay_shutdown(void);

BELAY_END_DECLS

/* What is found is to be at the caller's line, not at a macro's: so in an analysis they are plain
 * calls. */
#ifdef BELAY_ANALYZE
#undef belay_go
#undef belay_go_with
#endif

#endif
