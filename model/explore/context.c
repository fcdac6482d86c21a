/* SPDX-License-Identifier: MIT
 *
 * context.c - scenarios of contexts: ends, last references and derivations that meet.
 */
#include "family.h"

#include "context/node.h"

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

static void unref_parent(void)
{
	belay_unref(parent);
}

static void derive_late(void)
{
	bool was_done = is_done(parent);

	late = belay_with_cancel(parent);
	EXPECT(!was_done || is_done(late));
}

static void one_has_won(void)
{
	EXPECT(won[0] + won[1] == 1);
	EXPECT(!has_children(node_of(parent)));
	unref_all();
}

static void grandchild_has_gone(void)
{
	grandchild = NULL;
	unref_all();
}

static void all_gone(void)
{
	parent = child = grandchild = NULL;
}

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

/* ---- All of them ----------------------------------------------------------------------------- */

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
	{0},
};
