/* SPDX-License-Identifier: MIT
 *
 * attached.c - scenarios of what is attached to a context when it ends: hooks, descriptors, waits,
 * timers, deferred calls; and of visits of all.
 */
#include "family.h"

#include "base/alloc.h"
#include "context/node.h"

#include <errno.h>
#include <poll.h>

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

/* ---- Descriptors, waits, deadlines ----------------------------------------------------------- */

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

/* ---- All of them ----------------------------------------------------------------------------- */

const struct scenario attached_scenarios[] = {
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
