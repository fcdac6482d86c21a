/* SPDX-License-Identifier: MIT
 *
 * group.c - tasks that start together, fail together and can't be leaked.
 *
 * Invariants  (1) running counts the tasks that hold a slot, from before they start until they have
 *             returned; blocked counts the calls that wait for one. The group is idle, and may go,
 *             when both are 0: a call that its context has just woken still has to leave the queue.
 *             (2) err is the first task's that failed; only that task ends the context.
 * Locking     the slots' lock guards limit, running, blocked, err, joiners and the queue of those
 *             who wait for a slot. Contexts are ended and tasks started without it.
 * Lifetime    a task does not touch the group after it has given its slot back under the lock; it
 *             holds a reference to the context of its own.
 */
#include "sync/sync.h"

#include "base/alloc.h"
#include "task/task.h"

#include <belay/group.h>

#include <errno.h>

struct belay_group {
	struct belay_waiters slots;
	struct belay__list joiners;
	belay_ctx *ctx;
	size_t limit;
	size_t running, blocked;
	int err;
};

/* What one task is to do; freed by the task. */
struct job {
	belay_group *group;
	int (*fn)(belay_ctx *ctx, void *arg);
	void *arg;
	const struct belay_site *site;
};

/* ---- Slots, with the lock held --------------------------------------------------------------- */

static bool has_room(const belay_group *group)
{
	return group->limit == 0 || group->running < group->limit;
}

static bool take_if_free(belay_group *group)
{
	if (!has_room(group) || belay__waiters_first(&group->slots))
		return false;
	group->running++;
	return true;
}

/* Moves those who can have a slot now to woken. */
static void admit(belay_group *group, struct belay__list *woken)
{
	struct belay__wait *next;

	while (has_room(group) && (next = belay__waiters_claim(&group->slots))) {
		group->running++;
		group->blocked--;
		belay__list_append(woken, &next->link);
	}
}

/* Moves those who wait for the end to woken, where this is it. */
static void admit_joiners(belay_group *group, struct belay__list *woken)
{
	if (group->running == 0 && group->blocked == 0)
		belay__queue_claim_all(&group->joiners, woken);
}

/* ---- Slots ----------------------------------------------------------------------------------- */

/* Gives back a slot. The group may be gone when this returns. */
static void leave(belay_group *group)
{
	struct belay__list woken;

	belay__list_init(&woken);
	belay__waiters_take(&group->slots);
	group->running--;
	admit(group, &woken);
	admit_joiners(group, &woken);
	belay__waiters_give(&group->slots);
	belay__wake_all(&woken);
}

/* The context's end has cut the wait for a slot short. The group may be gone when this returns. */
static void give_up(belay_group *group)
{
	struct belay__list woken;

	belay__list_init(&woken);
	belay__waiters_take(&group->slots);
	group->blocked--;
	admit_joiners(group, &woken);
	belay__waiters_give(&group->slots);
	belay__wake_all(&woken);
}

static int enter_or_wait(belay_group *group)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	int err;

	belay__waiters_take(&group->slots);
	if (take_if_free(group)) {
		belay__waiters_give(&group->slots);
		return 0;
	}
	group->blocked++;
	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_GROUP;
	belay__wait_init(&wait, &waiter);
	err = belay__waiters_wait(group->ctx, &group->slots, &wait);
	if (err)
		give_up(group);
	return err;
}

static int try_enter(belay_group *group)
{
	bool taken;

	belay__waiters_take(&group->slots);
	taken = take_if_free(group);
	belay__waiters_give(&group->slots);
	return taken ? 0 : -EAGAIN;
}

/* ---- Tasks ----------------------------------------------------------------------------------- */

static bool is_first_error(belay_group *group, int err)
{
	bool first;

	belay__waiters_take(&group->slots);
	first = group->err == 0;
	if (first)
		group->err = err;
	belay__waiters_give(&group->slots);
	return first;
}

/* The end is signed with the line that started the task: that is what tells one task from
 * another. */
static void fail(const struct job *job, belay_ctx *ctx, int err)
{
	const struct belay_site *site = job->site;

	if (!is_first_error(job->group, err))
		return;
	if (site)
		belay_cancel_cause_at(ctx, err, site, "the task started at %s:%d (%s) failed: %s",
				      site->file, site->line, site->func, belay_strerror(err));
	else
		belay_cancel_cause_at(ctx, err, NULL, "a task of the group failed: %s",
				      belay_strerror(err));
}

static void run(belay_ctx *ctx, void *arg)
{
	struct job job = *(struct job *)arg;
	int err;

	belay__free(arg);
	err = job.fn(ctx, job.arg);
	if (err)
		fail(&job, ctx, err);
	leave(job.group);
}

/* The caller has a slot, which the task gives back, or this does on an error. */
static int start(const struct job *job)
{
	struct job *copy = belay__malloc(sizeof *copy);
	int err = -ENOMEM;

	if (copy) {
		*copy = *job;
		err = belay_go_at(job->group->ctx, run, copy, job->site);
	}
	if (err) {
		belay__free(copy);
		leave(job->group);
	}
	return err;
}

static int go(const struct job *job, int (*enter)(belay_group *group))
{
	int err;

	if (!job->group || !job->fn)
		return -EINVAL;
	err = belay_err(job->group->ctx);
	if (!err)
		err = enter(job->group);
	return err ? err : start(job);
}

static void join(belay_group *group)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	bool idle;

	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_GROUP;
	belay__wait_init(&wait, &waiter);
	belay__waiters_take(&group->slots);
	idle = group->running == 0 && group->blocked == 0;
	if (!idle)
		belay__list_append(&group->joiners, &wait.link);
	belay__waiters_give(&group->slots);
	if (!idle)
		belay__block(belay_background(), &waiter);
}

size_t belay__group_blocked(belay_group *group)
{
	size_t blocked;

	belay__waiters_take(&group->slots);
	blocked = group->blocked;
	belay__waiters_give(&group->slots);
	return blocked;
}

/* ---- Public ---------------------------------------------------------------------------------- */

belay_group *belay_group_new_at(belay_ctx *parent, const struct belay_site *site)
{
	belay_group *group = belay__calloc(1, sizeof *group);

	if (!group)
		return NULL;
	group->ctx = belay_with_cancel_at(parent, site);
	if (belay_err(group->ctx) == -ENOMEM) {
		belay_unref(group->ctx);
		belay__free(group);
		return NULL;
	}
	belay__list_init(&group->joiners);
	return group;
}

belay_group *(belay_group_new)(belay_ctx *parent)
{
	return belay_group_new_at(parent, NULL);
}

belay_ctx *belay_group_ctx(belay_group *group)
{
	return group ? group->ctx : NULL;
}

void belay_group_limit(belay_group *group, unsigned most)
{
	struct belay__list woken;

	if (!group)
		return;
	belay__list_init(&woken);
	belay__waiters_take(&group->slots);
	group->limit = most;
	admit(group, &woken);
	belay__waiters_give(&group->slots);
	belay__wake_all(&woken);
}

int belay_group_go_at(belay_group *group, int (*fn)(belay_ctx *ctx, void *arg), void *arg,
		      const struct belay_site *site)
{
	return go(&(struct job){group, fn, arg, site}, enter_or_wait);
}

int (belay_group_go)(belay_group *group, int (*fn)(belay_ctx *ctx, void *arg), void *arg)
{
	return belay_group_go_at(group, fn, arg, NULL);
}

int belay_group_try_go_at(belay_group *group, int (*fn)(belay_ctx *ctx, void *arg), void *arg,
			  const struct belay_site *site)
{
	return go(&(struct job){group, fn, arg, site}, try_enter);
}

int (belay_group_try_go)(belay_group *group, int (*fn)(belay_ctx *ctx, void *arg), void *arg)
{
	return belay_group_try_go_at(group, fn, arg, NULL);
}

int belay_group_wait(belay_group *group)
{
	int err;

	if (!group)
		return -EINVAL;
	join(group);
	err = group->err;
	belay__cancel_with(group->ctx, -ECANCELED, -ECANCELED, NULL, "the group has finished");
	belay_unref(group->ctx);
	belay__free(group);
	return err;
}
