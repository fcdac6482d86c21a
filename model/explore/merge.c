/* SPDX-License-Identifier: MIT
 *
 * merge.c - scenarios of contexts with two parents.
 */
#include "family.h"

#include "context/node.h"

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

/* ---- All of them ----------------------------------------------------------------------------- */

const struct scenario merge_scenarios[] = {
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
	{0},
};
