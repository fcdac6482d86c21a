/* SPDX-License-Identifier: MIT
 *
 * group.h - groups: tasks that are started together, fail together and can't be leaked.
 */
#ifndef BELAY_GROUP_H
#define BELAY_GROUP_H

#include <belay/context.h>

BELAY_BEGIN_DECLS

typedef struct belay_group belay_group;

/* A group whose context is a child of parent. NULL: out of memory. Must be given to
 * belay_group_wait() exactly once. */
BELAY_EXPORT belay_group *belay_group_new(belay_ctx *parent);
BELAY_EXPORT belay_group *belay_group_new_at(belay_ctx *parent, const struct belay_site *site);
#define belay_group_new(...) belay_group_new_at((__VA_ARGS__), BELAY_HERE)

/* The context of the group's tasks, borrowed: it lives as long as the group. */
BELAY_EXPORT belay_ctx *belay_group_ctx(belay_group *group);

/* At most this many tasks at once; 0: no limit. Lowering it stops nobody. */
BELAY_EXPORT void belay_group_limit(belay_group *group, unsigned most);

/* Starts fn(group's context, arg) in a task. Blocks while the limit is reached. The first error that
 * a task returns ends the group's context with that error as its cause. 0; the context's error;
 * -ENOMEM, -EAGAIN as belay_go(). */
BELAY_EXPORT int belay_group_go(belay_group *group, int (*fn)(belay_ctx *ctx, void *arg), void *arg);
BELAY_EXPORT int belay_group_go_at(belay_group *group, int (*fn)(belay_ctx *ctx, void *arg),
				   void *arg, const struct belay_site *site);
#define belay_group_go(group, fn, ...)                                                             \
	belay_group_go_at((group), (fn), (__VA_ARGS__), BELAY_HERE)

/* The same without blocking: -EAGAIN at the limit. */
BELAY_EXPORT int belay_group_try_go(belay_group *group, int (*fn)(belay_ctx *ctx, void *arg),
				    void *arg);
BELAY_EXPORT int belay_group_try_go_at(belay_group *group, int (*fn)(belay_ctx *ctx, void *arg),
				       void *arg, const struct belay_site *site);
#define belay_group_try_go(group, fn, ...)                                                         \
	belay_group_try_go_at((group), (fn), (__VA_ARGS__), BELAY_HERE)

/* Blocks until every task of the group has returned, ends the context, frees the group. Returns the
 * first error that a task returned, or 0. Takes no context: what shortens it is ending the parent. */
BELAY_EXPORT int belay_group_wait(belay_group *group);

/* Runs fn on each of args[0..n) in tasks: all at once where stagger_ns is 0, else each that long
 * after the one before it or as soon as one fails, whichever is sooner. Returns the index of the
 * first that returned 0, once all others have been cancelled (cause: "a sibling won") and have
 * returned; where none does, the error of the last to fail; else the context's error, -ENOMEM, or
 * -EINVAL (n is 0 or past INT_MAX). */
BELAY_EXPORT int belay_first(belay_ctx *ctx, int (*fn)(belay_ctx *ctx, void *arg),
			     void *const args[], size_t n, int64_t stagger_ns);

BELAY_END_DECLS

#endif
