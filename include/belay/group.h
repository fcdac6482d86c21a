/* SPDX-License-Identifier: MIT
 *
 * group.h - groups: tasks that are started together, fail together and can't be leaked.
 */
#ifndef BELAY_GROUP_H
#define BELAY_GROUP_H

#include <belay/context.h>

BELAY_BEGIN_DECLS

typedef struct belay_group belay_group;

/* Blocks until every task of the group has returned, ends the context, frees the group. Returns the
 * first error that a task returned, as it was, or 0; -EINVAL: group is NULL. Takes no context: what
 * shortens it is ending the parent. Not from a task of the group itself. */
BELAY_EXPORT int belay_group_wait(belay_group *group) BELAY_RELEASES;

/* A group whose context is a child of parent. NULL: out of memory. Must be given to
 * belay_group_wait() exactly once. Until then any thread or task may use it, its own tasks too. */
BELAY_EXPORT belay_group *belay_group_new(BELAY_BORROWED belay_ctx *parent)
	BELAY_RELEASED_BY(belay_group_wait);
BELAY_EXPORT belay_group *belay_group_new_at(BELAY_BORROWED belay_ctx *parent,
					     const struct belay_site *site)
	BELAY_RELEASED_BY(belay_group_wait);
#define belay_group_new(...) belay_group_new_at((__VA_ARGS__), BELAY_HERE)

/* The context of the group's tasks, borrowed: it lives as long as the group. */
BELAY_EXPORT belay_ctx *belay_group_ctx(BELAY_BORROWED belay_group *group);

/* At most this many tasks at once; 0: no limit. Lowering it stops nobody; raising it lets in those
 * who wait. */
BELAY_EXPORT void belay_group_limit(BELAY_BORROWED belay_group *group, unsigned most);

/* Starts fn(group's context, arg) in a task. Blocks while the limit is reached, first come, first
 * served: so a task of the group that starts others must not be the one that keeps the limit
 * reached. An fn that returns anything but 0 has failed; the first one ends the group's context
 * with what it returned as its cause. 0; the context's error; -ENOMEM, -EAGAIN as belay_go();
 * -EINVAL: group or fn is NULL. */
BELAY_EXPORT int belay_group_go(BELAY_BORROWED belay_group *group,
				int (*fn)(belay_ctx *ctx, void *arg), void *arg);
BELAY_EXPORT int belay_group_go_at(BELAY_BORROWED belay_group *group,
				   int (*fn)(belay_ctx *ctx, void *arg), void *arg,
				   const struct belay_site *site);
#define belay_group_go(group, fn, ...)                                                             \
	belay_group_go_at((group), (fn), (__VA_ARGS__), BELAY_HERE)

/* The same without blocking: -EAGAIN at the limit, or where others wait for it. */
BELAY_EXPORT int belay_group_try_go(BELAY_BORROWED belay_group *group,
				    int (*fn)(belay_ctx *ctx, void *arg), void *arg);
BELAY_EXPORT int belay_group_try_go_at(BELAY_BORROWED belay_group *group,
				       int (*fn)(belay_ctx *ctx, void *arg), void *arg,
				       const struct belay_site *site);
#define belay_group_try_go(group, fn, ...)                                                         \
	belay_group_try_go_at((group), (fn), (__VA_ARGS__), BELAY_HERE)

/* Runs fn on each of args[0..n) in tasks: all at once where stagger_ns is 0, else each that long
 * after the one before it or as soon as one fails, whichever is sooner. Each has a context of its
 * own, a child of ctx, which ends when fn returns. Blocks, and returns the index of the first that
 * returned 0, once all others have been cancelled (cause: "a sibling won") and have returned; a
 * loser may have succeeded too by then, so what it made is still in its argument. Where none
 * returns 0: the context's error where ctx is done, else the error of the last to fail (a positive
 * result counts as its negative; one that can't be started fails with -ENOMEM or -EAGAIN). Where
 * nothing was started: the context's error; -ENOMEM, -EAGAIN; -EINVAL: fn or args is NULL, n is 0
 * or past INT_MAX, or stagger_ns is negative. */
BELAY_EXPORT int belay_first(BELAY_BORROWED belay_ctx *ctx, int (*fn)(belay_ctx *ctx, void *arg),
			     void *const args[], size_t n, int64_t stagger_ns);
BELAY_EXPORT int belay_first_at(BELAY_BORROWED belay_ctx *ctx, int (*fn)(belay_ctx *ctx, void *arg),
				void *const args[], size_t n, int64_t stagger_ns,
				const struct belay_site *site);
#define belay_first(...) belay_first_at(__VA_ARGS__, BELAY_HERE)

BELAY_END_DECLS

/* What is found is to be at the caller's line, not at a macro's: so in an analysis they are plain
 * calls. */
#ifdef BELAY_ANALYZE
#undef belay_group_new
#undef belay_group_go
#undef belay_group_try_go
#undef belay_first
#endif

#endif
