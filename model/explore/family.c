/* SPDX-License-Identifier: MIT
 *
 * family.c - contexts that scenarios share, what threads do with them, and what is so after it.
 */
#include "family.h"

#include "context/node.h"

belay_ctx *parent, *child, *grandchild, *late;
bool won[THREADS_MAX];

bool is_done(const belay_ctx *ctx)
{
	return belay_err(ctx) != 0;
}

void make_family(void)
{
	parent = belay_with_cancel(belay_background());
	child = belay_with_cancel(parent);
	grandchild = belay_with_cancel(child);
	late = NULL;
}

void unref_all(void)
{
	belay_unref(late);
	belay_unref(grandchild);
	belay_unref(child);
	belay_unref(parent);
}

/* ---- What threads do ------------------------------------------------------------------------- */

void cancel_parent(void)
{
	won[explore_self()] = belay_cancel(parent);
	EXPECT(is_done(parent) && is_done(child) && is_done(grandchild));
}

void cancel_child(void)
{
	won[explore_self()] = belay_cancel(child);
	EXPECT(is_done(child) && is_done(grandchild));
}

void end_parent(void)
{
	belay_end(parent);
}

void end_child(void)
{
	belay_end(child);
}

void end_grandchild(void)
{
	belay_end(grandchild);
}

void unref_child(void)
{
	belay_unref(child);
}

void derive_and_end(void)
{
	belay_ctx *made = belay_with_cancel(parent);

	belay_end(made);
}

/* ---- After them ------------------------------------------------------------------------------ */

void all_done(void)
{
	EXPECT(is_done(parent) && is_done(child) && is_done(grandchild));
	EXPECT(!late || is_done(late));
	unref_all();
}

void child_has_gone(void)
{
	EXPECT(is_done(grandchild));
	child = NULL;
	unref_all();
}

void only_grandchild_left(void)
{
	parent = child = NULL;
	unref_all();
}

void only_parent_left(void)
{
	EXPECT(is_done(parent));
	child = grandchild = NULL;
	unref_all();
}

void grandchild_left_done(void)
{
	EXPECT(is_done(grandchild));
	only_grandchild_left();
}

void cancel_parent_alone(void)
{
	belay_cancel(parent);
}

void parent_left_done(void)
{
	child = grandchild = late = NULL;
	EXPECT(is_done(parent) && !has_children(node_of(parent)));
	unref_all();
}

void only_parent(void)
{
	child = grandchild = late = NULL;
	unref_all();
}
