/* SPDX-License-Identifier: MIT
 *
 * context.c - scenarios of contexts: ends, last references, derivations, hooks and timers that
 * meet.
 */
#include "explore.h"

#include "base/alloc.h"
#include "context/node.h"

#include <errno.h>
#include <poll.h>

static belay_ctx *parent, *child, *grandchild, *late;
static bool won[THREADS_MAX];

static bool is_done(const belay_ctx *ctx)
{
	return belay_err(ctx) != 0;
}

static void make_family(void)
{
	parent = belay_with_cancel(belay_background());
	child = belay_with_cancel(parent);
	grandchild = belay_with_cancel(child);
	late = NULL;
}

/* Four, one below the other: an end goes down more than one from lock to lock. */
static void make_line(void)
{
	make_family();
	late = belay_with_cancel(grandchild);
}

/* As make_family(), and parent has a branch for each processor; child stands in one of them. */
static void make_branched(void)
{
	parent = belay_with_cancel(belay_background());
	belay__branches_grow(node_of(parent));
	child = belay_with_cancel(parent);
	grandchild = belay_with_cancel(child);
	late = NULL;
}

static void unref_all(void)
{
	belay_unref(late);
	belay_unref(grandchild);
	belay_unref(child);
	belay_unref(parent);
}

/* ---- What threads do ------------------------------------------------------------------------- */

static void cancel_parent(void)
{
	won[explore_self()] = belay_cancel(parent);
	EXPECT(is_done(parent) && is_done(child) && is_done(grandchild));
}

static void cancel_child(void)
{
	won[explore_self()] = belay_cancel(child);
	EXPECT(is_done(child) && is_done(grandchild));
}

static void end_parent(void)
{
	belay_end(parent);
}

static void end_child(void)
{
	belay_end(child);
}

static void end_grandchild(void)
{
	belay_end(grandchild);
}

static void unref_parent(void)
{
	belay_unref(parent);
}

static void unref_child(void)
{
	belay_unref(child);
}

static void derive_late(void)
{
	bool was_done = is_done(parent);

	late = belay_with_cancel(parent);
	EXPECT(!was_done || is_done(late));
}

static void derive_and_end(void)
{
	belay_ctx *made = belay_with_cancel(parent);

	belay_end(made);
}

/* ---- After them ------------------------------------------------------------------------------ */

static void one_has_won(void)
{
	EXPECT(won[0] + won[1] == 1);
	EXPECT(!has_children(node_of(parent)));
	unref_all();
}

static void all_done(void)
{
	EXPECT(is_done(parent) && is_done(child) && is_done(grandchild));
	EXPECT(!late || is_done(late));
	unref_all();
}

static void child_has_gone(void)
{
	EXPECT(is_done(grandchild));
	child = NULL;
	unref_all();
}

static void grandchild_has_gone(void)
{
	grandchild = NULL;
	unref_all();
}

static void only_grandchild_left(void)
{
	parent = child = NULL;
	unref_all();
}

static void all_gone(void)
{
	parent = child = grandchild = NULL;
}

static void only_parent_left(void)
{
	EXPECT(is_done(parent));
	child = grandchild = NULL;
	unref_all();
}

static void grandchild_left_done(void)
{
	EXPECT(is_done(grandchild));
	only_grandchild_left();
}

/* ---- Hooks ----------------------------------------------------------------------------------- */

static struct belay_hook *hook; /* freed as soon as it is removed */
static int hook_ran;
static bool hook_over;

static void count_hook(struct belay_hook *ran)
{
	(void)ran;
	hook_ran++;
	explore_point();
	hook_over = true;
}

static void remove_inside(struct belay_hook *ran)
{
	hook_ran++;
	EXPECT(!belay_hook_remove(ran));
	belay__free(ran);
}

static void make_hooked(void (*fn)(struct belay_hook *hook))
{
	make_family();
	hook_ran = 0;
	hook_over = false;
	hook = belay__malloc(sizeof *hook);
	belay_hook_add(child, hook, fn);
}

static void make_hook(void)
{
	make_hooked(count_hook);
}

static void make_self_removing_hook(void)
{
	make_hooked(remove_inside);
}

static void remove_hook(void)
{
	bool stopped = belay_hook_remove(hook);

	EXPECT(hook_ran == !stopped && hook_over == !stopped);
	belay__free(hook);
}

static void make_bare(void)
{
	make_family();
	hook_ran = 0;
	hook_over = false;
}

static void add_and_remove_hook(void)
{
	hook = belay__malloc(sizeof *hook);
	belay_hook_add(child, hook, count_hook);
	remove_hook();
}

static void hook_ran_once(void)
{
	EXPECT(hook_ran == 1);
	all_done();
}

/* ---- The descriptor, the wait, the deadline, the merge --------------------------------------- */

static int fds[2];

static void take_fd(void)
{
	fds[explore_self() & 1] = belay_done_fd(child);
}

static void fd_is_readable(void)
{
	struct pollfd polled = {.fd = belay_done_fd(child), .events = POLLIN};

	EXPECT(poll(&polled, 1, 0) == 1);
	all_done();
}

static void fds_are_one(void)
{
	EXPECT(fds[0] == fds[1]);
	fd_is_readable();
}

static void wait_for_child(void)
{
	EXPECT(belay_wait(child) == -ECANCELED);
}

static void make_deadline(void)
{
	parent = belay_with_cancel(belay_background());
	child = belay_with_timeout(parent, BELAY_S(1));
	grandchild = belay_with_cancel(child);
	late = NULL;
}

static void derive_deadline(void)
{
	late = belay_with_timeout(parent, BELAY_S(1));
}

static void late_is_unarmed(void)
{
	EXPECT(is_done(late));
	EXPECT(!belay__container(late, struct deadline, node.ctx)->timer.armed);
	unref_all();
}

static void make_merge(void)
{
	parent = belay_with_cancel(belay_background());
	child = belay_with_cancel(belay_background());
	grandchild = belay_with_merge(parent, child);
	late = belay_with_cancel(grandchild);
}

static void cancel_first(void)
{
	belay_cancel(parent);
	EXPECT(is_done(grandchild) && is_done(late));
}

static void cancel_second(void)
{
	belay_cancel(child);
	EXPECT(is_done(grandchild) && is_done(late));
}

static void derive_merge(void)
{
	late = belay_with_merge(parent, child);
}

static void make_two(void)
{
	make_family();
	belay_unref(grandchild);
	belay_unref(child);
	child = belay_with_cancel(belay_background());
	grandchild = NULL;
}

static void cancel_parent_alone(void)
{
	belay_cancel(parent);
}

static void cancel_child_alone(void)
{
	belay_cancel(child);
}

static void late_is_done(void)
{
	EXPECT(is_done(late));
	unref_all();
}

static void only_late_left(void)
{
	EXPECT(is_done(late));
	only_parent_left();
}

/* ---- Several children, several parents ------------------------------------------------------- */

/* late is parent's too. */
static void make_wide(void)
{
	make_family();
	late = belay_with_cancel(parent);
}

/* late is child's too. */
static void make_two_grandchildren(void)
{
	make_family();
	late = belay_with_cancel(child);
}

static void make_branched_child(void)
{
	parent = belay_with_cancel(belay_background());
	child = belay_with_cancel(parent);
	belay__branches_grow(node_of(child));
	grandchild = belay_with_cancel(child);
	late = belay_with_cancel(child);
}

/* late is child's too, which nobody uses any more. */
static void make_orphan(void)
{
	make_two_grandchildren();
	belay_unref(child);
}

/* child has branches, and nobody is in them. */
static void make_empty_branches(void)
{
	parent = belay_with_cancel(belay_background());
	child = belay_with_cancel(parent);
	belay__branches_grow(node_of(child));
	grandchild = late = NULL;
}

static void unref_grandchild(void)
{
	belay_unref(grandchild);
}

static void unref_late(void)
{
	belay_unref(late);
}

static void cancel_wide(void)
{
	won[explore_self()] = belay_cancel(parent);
	EXPECT(is_done(parent) && is_done(child) && is_done(grandchild) && is_done(late));
}

/* grandchild is somebody else's, who gives it up. */
static void cancel_above_the_leaving(void)
{
	belay_cancel(parent);
	EXPECT(is_done(parent) && is_done(child) && is_done(late));
}

static void end_late(void)
{
	belay_end(late);
}

static void parent_left_done(void)
{
	child = grandchild = late = NULL;
	EXPECT(is_done(parent) && !has_children(node_of(parent)));
	unref_all();
}

static void three_left_done(void)
{
	EXPECT(is_done(parent) && is_done(child) && is_done(late));
	grandchild = NULL;
	unref_all();
}

static void late_has_gone(void)
{
	late = NULL;
	all_done();
}

static void only_parent(void)
{
	child = grandchild = late = NULL;
	unref_all();
}

/* Below the merge of two a merge of that one with the first. */
static void make_merges(void)
{
	parent = belay_with_cancel(belay_background());
	child = belay_with_cancel(belay_background());
	grandchild = belay_with_merge(parent, child);
	late = belay_with_merge(grandchild, parent);
}

static void cancel_merge(void)
{
	belay_cancel(grandchild);
	EXPECT(is_done(grandchild) && is_done(late));
}

static void late_left_done(void)
{
	EXPECT(is_done(late));
	parent = child = grandchild = NULL;
	unref_all();
}

/* The end of a merge leaves nothing of it in the list of the parent that lives on. */
static void merge_is_listed_nowhere(void)
{
	EXPECT(is_done(late));
	EXPECT(!belay__container(late, struct merge, node.ctx)->place.listed);
	EXPECT(!node_of(late)->place.listed);
	unref_all();
}

/* ---- Visits ---------------------------------------------------------------------------------- */

struct found {
	belay_ctx *ctx[8];
	size_t count;
};

static void take_one(void *arg, void *slot)
{
	struct found *found = arg;

	if (belay__try_ref(slot))
		found->ctx[found->count++] = slot;
}

/* As belay_tree() does, which sorts by address: not the same in every run. */
static void visit(void)
{
	struct found found = {.count = 0};

	belay__ctx_visit(take_one, &found);
	for (size_t i = 0; i < found.count; i++) {
		EXPECT(found.ctx[i]->kind == KIND_CANCEL || found.ctx[i]->kind == KIND_DEADLINE);
		belay_unref(found.ctx[i]);
	}
}

static void make_alone(void)
{
	parent = belay_with_cancel(belay_background());
	child = grandchild = late = NULL;
}

static void make_timed(void)
{
	make_alone();
	child = belay_with_timeout(parent, BELAY_S(1));
}

/* ---- Deferred calls -------------------------------------------------------------------------- */

/* What is left alive keeps the context whose last user had gone. */
static void derive_from_dying(void *dying)
{
	belay_ctx *made = belay_with_cancel(dying);

	late = belay_with_cancel(dying);
	belay_end(made);
}

static void make_deferring(void)
{
	make_alone();
	child = belay_with_cancel(parent);
	belay_defer(child, derive_from_dying, child);
}

static void make_deferring_timed(void)
{
	make_timed();
	belay_defer(child, derive_from_dying, child);
}

static void keep(void *arg)
{
	late = belay_ref(arg);
}

static void make_kept_with_fd(void)
{
	make_alone();
	child = belay_with_cancel(parent);
	belay_done_fd(child);
	belay_defer(child, keep, child);
}

static void kept_is_readable(void)
{
	struct pollfd polled = {.fd = belay_done_fd(late), .events = POLLIN};

	EXPECT(late == child && is_done(late));
	EXPECT(poll(&polled, 1, 0) == 1);
	child = NULL;
	unref_all();
}

static void late_keeps_the_child(void)
{
	EXPECT(late && late->parent == child);
	EXPECT(is_done(late) == is_done(child));
	EXPECT(!is_done(parent) || is_done(late));
	EXPECT(late->parent->parent == parent);
	child = NULL;
	unref_all();
}

const struct scenario context_scenarios[] = {
	{"cancel / cancel", make_family, {cancel_parent, cancel_parent}, one_has_won, 3, 4},
	{"cancel / cancel / cancel the child", make_family,
	 {cancel_parent, cancel_parent, cancel_child}, all_done, 2, 3},
	{"cancel / end the child", make_family,
	 {cancel_parent_alone, end_child}, child_has_gone, 3, 4},
	{"cancel / end the child / end its child", make_family,
	 {cancel_parent_alone, end_child, end_grandchild}, only_parent_left, 2, 3},
	{"end / end the child", make_family, {end_parent, end_child}, grandchild_left_done, 3, 4},
	{"end / end the child / end its child", make_family,
	 {end_parent, end_child, end_grandchild}, all_gone, 2, 3},
	{"cancel / end its grandchild", make_family,
	 {cancel_parent_alone, end_grandchild}, grandchild_has_gone, 3, 4},
	{"derive / cancel", make_family, {derive_late, cancel_parent}, all_done, 3, 4},
	{"derive / derive and end / cancel", make_family,
	 {derive_late, derive_and_end, cancel_parent}, all_done, 2, 3},
	{"derive / derive and end / cancel, branches", make_branched,
	 {derive_late, derive_and_end, cancel_parent}, all_done, 2, 3},
	{"end / end the child, branches", make_branched,
	 {end_parent, end_child}, grandchild_left_done, 3, 4},
	{"unref / unref the child", make_family,
	 {unref_parent, unref_child}, only_grandchild_left, 4, 5},
	{"unref / unref the child / end its child", make_family,
	 {unref_parent, unref_child, end_grandchild}, all_gone, 3, 4},
	{"unref / unref the child / end its child, branches", make_branched,
	 {unref_parent, unref_child, end_grandchild}, all_gone, 2, 3},
	{"hook_remove / cancel", make_hook, {remove_hook, cancel_parent}, all_done, 3, 4},
	{"hook_remove / cancel / cancel", make_hook,
	 {remove_hook, cancel_parent, cancel_child}, all_done, 2, 3},
	{"hook_add, hook_remove / cancel", make_bare,
	 {add_and_remove_hook, cancel_parent}, all_done, 3, 4},
	{"hook_remove from inside / cancel / cancel", make_self_removing_hook,
	 {cancel_parent, cancel_child}, hook_ran_once, 3, 4},
	{"done_fd / cancel", make_family, {take_fd, cancel_parent}, fd_is_readable, 3, 4},
	{"done_fd / done_fd / cancel", make_family,
	 {take_fd, take_fd, cancel_parent}, fds_are_one, 2, 3},
	{"wait / cancel", make_family, {wait_for_child, cancel_parent}, all_done, 3, 4},
	{"wait / wait / cancel", make_family,
	 {wait_for_child, wait_for_child, cancel_child}, unref_all, 2, 3},
	{"expiry / cancel", make_deadline, {rooms_run_clock, cancel_parent}, all_done, 3, 4},
	{"expiry / end the child", make_deadline,
	 {rooms_run_clock, end_child}, child_has_gone, 3, 4},
	{"expiry / end the child / cancel", make_deadline,
	 {rooms_run_clock, end_child, cancel_parent_alone}, child_has_gone, 2, 3},
	{"with_timeout / cancel", make_family,
	 {derive_deadline, cancel_parent}, late_is_unarmed, 3, 4},
	{"with_timeout / expiry / cancel", make_family,
	 {derive_deadline, rooms_run_clock, cancel_parent}, late_is_unarmed, 2, 3},
	{"merge: cancel one parent / cancel the other", make_merge,
	 {cancel_first, cancel_second}, all_done, 3, 4},
	{"merge: cancel one parent / end the other / end the merge", make_merge,
	 {cancel_parent_alone, end_child, end_grandchild}, only_late_left, 2, 3},
	{"merge: derive / cancel one parent / cancel the other", make_two,
	 {derive_merge, cancel_parent_alone, cancel_child_alone}, late_is_done, 2, 3},
	{"merge: derive / cancel one parent", make_two,
	 {derive_merge, cancel_parent_alone}, merge_is_listed_nowhere, 3, 4},
	{"merge: derive / cancel the other", make_two,
	 {derive_merge, cancel_child_alone}, merge_is_listed_nowhere, 3, 4},
	{"merge: end one parent / end the other / end the merge", make_merge,
	 {end_parent, end_child, end_grandchild}, late_left_done, 2, 3},
	{"merge of a merge: cancel one parent / cancel the other", make_merges,
	 {cancel_first, cancel_second}, all_done, 2, 3},
	{"merge of a merge: cancel one parent / cancel the other / cancel the merge", make_merges,
	 {cancel_first, cancel_second, cancel_merge}, all_done, 1, 2},
	{"merge of a merge: end one parent / end the other / end the merge", make_merges,
	 {end_parent, end_child, end_grandchild}, late_left_done, 2, 2},
	{"cancel / cancel, two children", make_wide, {cancel_wide, cancel_wide}, one_has_won, 2, 3},
	{"cancel / cancel / end a child of a child", make_two_grandchildren,
	 {cancel_above_the_leaving, cancel_above_the_leaving, end_grandchild},
	 three_left_done, 2, 3},
	{"cancel / cancel / end a child of a child, branches", make_branched_child,
	 {cancel_above_the_leaving, cancel_above_the_leaving, end_grandchild},
	 three_left_done, 1, 2},
	{"cancel / unref the child / end its child", make_family,
	 {cancel_parent_alone, unref_child, end_grandchild}, parent_left_done, 2, 3},
	{"cancel / unref the child / end its children", make_two_grandchildren,
	 {cancel_parent_alone, unref_child, end_grandchild, end_late}, parent_left_done, 1, 2},
	{"a line: cancel / cancel the child / end the last", make_line,
	 {cancel_parent, cancel_child, end_late}, late_has_gone, 2, 3},
	{"a line: cancel / cancel / unref the third", make_line,
	 {cancel_above_the_leaving, cancel_above_the_leaving, unref_grandchild},
	 three_left_done, 2, 3},
	{"a line: cancel / unref the second / unref the third / end the last", make_line,
	 {cancel_parent_alone, unref_child, unref_grandchild, end_late}, parent_left_done, 1, 2},
	{"unref the child / end its children", make_two_grandchildren,
	 {unref_child, end_grandchild, end_late}, only_parent, 2, 3},
	{"unref the child / end its children, branches", make_branched_child,
	 {unref_child, end_grandchild, end_late}, only_parent, 2, 3},
	{"cancel / unref the children of one that nobody uses", make_orphan,
	 {cancel_parent_alone, unref_grandchild, unref_late}, parent_left_done, 2, 3},
	{"cancel / unref the child, empty branches", make_empty_branches,
	 {cancel_parent_alone, unref_child}, parent_left_done, 3, 4},
	{"expiry / unref the child", make_timed,
	 {rooms_run_clock, unref_child}, only_parent, 3, 4},
	{"visit / derive and end", make_alone, {visit, derive_and_end}, only_parent, 3, 4},
	{"visit / visit / derive and end", make_alone,
	 {visit, visit, derive_and_end}, only_parent, 2, 3},
	{"visit / end / end the child", make_family,
	 {visit, end_parent, end_child}, grandchild_left_done, 2, 2},
	{"visit / unref the child / end its child", make_family,
	 {visit, unref_child, end_grandchild}, only_parent, 2, 3},
	{"visit / end the child / expiry", make_timed,
	 {visit, end_child, rooms_run_clock}, only_parent, 2, 3},
	{"visit / end the child, timed / cancel", make_timed,
	 {visit, end_child, cancel_parent_alone}, parent_left_done, 2, 3},
	{"cancel / unref the child, which defers a derivation", make_deferring,
	 {cancel_parent_alone, unref_child}, late_keeps_the_child, 3, 3},
	{"cancel / unref the child, kept by what it defers, with a descriptor", make_kept_with_fd,
	 {cancel_parent_alone, unref_child}, kept_is_readable, 3, 4},
	{"expiry / end the child, which defers a derivation", make_deferring_timed,
	 {rooms_run_clock, end_child}, late_keeps_the_child, 2, 3},
	{"visit / cancel / unref the child, which defers a derivation", make_deferring,
	 {visit, cancel_parent_alone, unref_child}, late_keeps_the_child, 2, 2},
	{0},
};
