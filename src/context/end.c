/* SPDX-License-Identifier: MIT
 *
 * end.c - how an end travels down the tree.
 *
 * State       A node's error goes from 0 to what ended it, once, under its lock.
 * Invariants  (1) A node that is done gains no children: who joins it becomes done instead.
 *             (2) A node is taken off its parent's list by an end only when it is done and nothing
 *                 is listed below it. So a node that is done and has nothing listed stands above a
 *                 subtree that is done throughout, whoever has walked it.
 *             (3) Whoever ends a node, or finds it ended, returns only once nothing is listed below
 *                 it. With (2) that makes every cancel synchronous, also one that came second, and
 *                 any number of walks may work on one subtree at once: what they did stands in the
 *                 tree.
 * Locking     A node's lock, then its branches' (branch.c), before its children's. Walking up takes
 *             one lock at a time. Hooks and wakes run with none.
 * Walk        Down to the first child that may have something below it, up when nothing is left; no
 *             recursion, no memory. Going down, the child's lock is taken before the parent's is
 *             given: what is listed below a node pins it, and can't leave while that one's own lock
 *             is held. Where the walk stops, to wake somebody or because nothing is left below, it
 *             takes a reference, its anchor. That keeps the whole path above it alive, all the way
 *             up again.
 *             Children with nothing below them are ended a batch at a time under their branch's
 *             lock, which is free for others between batches. On the way up a node leaves its
 *             parent's list in the lock section that ends the parent's next batch.
 * Dying       A child whose last reference has gone stays listed until its freeing thread gets the
 *             branch's lock: until then it is valid memory. It has no children (they would hold
 *             references), so it needs no visit of its own, only its mark; where deferred calls
 *             bring it back, that thread looks for the mark (tree.c). Taking it off the list is the
 *             walk's last use of it: its freeing thread sees that without a lock, and goes on.
 * Merges      are listed twice. From one whose parents are both done it is not known through which
 *             list the walk came, so it starts again at its root, whose subtree has shrunk by then.
 */
#include "base/probe.h"
#include "context/node.h"

enum { BATCH = 64 };

/* The end of one node, under its lock; what it says of the cause is there already. The release
 * publishes that. */
static void mark(struct node *node, int err, struct belay__list *woken)
{
	atomic_store_explicit(&node->done.gate.closed, (int16_t)err, memory_order_release);
	if (node->done.receivers)
		belay__ring_claim_all(&node->done.receivers, woken);
}

/* As parent was ended. */
static void mark_below(struct node *node, struct node *parent, struct belay__list *woken)
{
	node->origin = origin_of(parent);
	mark(node, node_err(parent), woken);
}

static void disarm(struct node *node)
{
	if (node->ctx.kind == KIND_DEADLINE)
		belay__deadline_disarm(belay__container(node, struct deadline, node));
}

/* Something to visit it for, its lock held. A merge is to be taken off its other list as well. */
static bool has_more(const struct node *node)
{
	return node->ctx.kind == KIND_MERGE || node->hooks || has_children(node);
}

/* Where a walk goes down to next. */
struct visit {
	struct node *node; /* NULL: nowhere */
	bool locked;       /* its lock is held; else it is referenced */
	bool hooks;        /* it had some when it was marked */
	bool more;         /* it may have children */
};

/* To node, which is locked and has more. With its lock still held, where no more is to be done than
 * to go through its own branch, which that lock guards too, and nobody is to be woken before. */
static struct visit visit_of(struct node *node, const struct belay__list *woken)
{
	if (node->ctx.kind != KIND_MERGE && !node->hooks && has_own_children(node) &&
	    belay__list_empty(woken))
		return (struct visit){.node = node, .locked = true};
	if (belay__try_ref(&node->ctx))
		return (struct visit){.node = node, .hooks = node->hooks != NULL, .more = true};
	return (struct visit){.node = NULL};
}

/* Ends node as parent was, its branch locked. Where it may have something below it, or hooks, it is
 * the next to visit. */
static void end_child(struct node *node, struct node *parent, struct belay__list *woken,
		      struct visit *next)
{
	belay__lock_take(&node->done.gate.lock, BELAY__RANK_NODE);
	if (node_err(node) == 0) {
		mark_below(node, parent, woken);
		disarm(node);
	}
	if (has_more(node))
		*next = visit_of(node, woken);
	if (!next->locked)
		belay__lock_give(&node->done.gate.lock, BELAY__RANK_NODE);
}

/* One batch of the children in a branch, which is locked. True: there are more. Where the walk goes
 * down no further here, and is to have an anchor, it gets a reference to parent before the children
 * go, which may be all that has kept it. */
static bool end_some(struct node *parent, unsigned branch, bool anchor, struct belay__list *woken,
		     struct visit *next)
{
	struct place *place = belay__branch_first(parent, branch);
	uint32_t left = 0;

	while (place && left < BATCH) {
		__builtin_prefetch(place->link.next);
		end_child(belay__place_node(place), parent, woken, next);
		if (next->node)
			break;
		left++;
		place = belay__branch_next(parent, branch, place);
	}
	if (left > 0)
		belay__branch_release(parent, branch, left, anchor && !next->node);
	return place != NULL;
}

/* Gives the lock of a branch where a batch was ended. */
static void give_branch(struct belay__lock *lock, const struct visit *next)
{
	if (next->locked)
		belay__lock_give(lock, BELAY__RANK_NODE);
	else
		belay__lock_give_way(lock, BELAY__RANK_NODE);
}

/* Where next is locked: on down from there, to one that is referenced. */
static void go_down(struct visit *next, struct belay__list *woken)
{
	while (next->locked) {
		struct node *node = next->node;
		bool more;

		next->node = NULL;
		next->locked = false;
		more = end_some(node, 0, true, woken, next);
		if (!next->node)
			*next = (struct visit){.node = node, .more = more};
		give_branch(&node->done.gate.lock, next);
	}
}

/* One batch of node's children. True: there may be more, and next may name one to go down to. */
static bool end_batch(struct node *node, struct visit *next)
{
	unsigned count = belay__branch_count(node);
	struct belay__list woken;
	bool more = false;

	belay__list_init(&woken);
	for (unsigned i = 0; i < count && !next->node; i++) {
		struct belay__lock *lock = belay__branch_lock(node, i);

		belay__lock_take(lock, BELAY__RANK_NODE);
		more = end_some(node, i, false, &woken, next) || more;
		give_branch(lock, next);
	}
	go_down(next, &woken);
	belay__wake_all(&woken);
	return more;
}

static struct merge *merge_of(struct node *node)
{
	return node->ctx.kind == KIND_MERGE ? belay__container(node, struct merge, node) : NULL;
}

static struct node *parent_node(const struct node *node)
{
	return node->ctx.parent ? nearest_node(node->ctx.parent) : NULL;
}

void belay__node_leave(struct node *node)
{
	struct node *parent = parent_node(node);
	struct merge *merge = merge_of(node);

	if (parent)
		belay__place_leave(&node->place, parent);
	if (merge && nearest_node(merge->second))
		belay__place_leave(&merge->place, nearest_node(merge->second));
}

static bool is_done(const struct node *node)
{
	return node && node_err(node) != 0;
}

/* Where a walk that came down to node goes on: its parent; of a merge the one that is done, since
 * from the other no walk comes; root where both are. */
static struct node *way_up(struct node *node, struct node *root)
{
	struct node *first = parent_node(node);
	struct node *second = merge_of(node) ? nearest_node(merge_of(node)->second) : NULL;

	if (!second || second == first || !is_done(second))
		return first;
	return is_done(first) ? root : second;
}

/* Takes node, which has nothing below it any more, off its parent's list, and ends the next batch
 * there. Returns as end_batch(). */
static bool go_up(struct node *node, struct node *parent, struct visit *next)
{
	struct belay__list woken;
	unsigned branch;
	bool more;

	if (merge_of(node))
		belay__node_leave(node);
	if (merge_of(node) || !belay__place_lock(&node->place, parent, &branch))
		return true;
	belay__list_init(&woken);
	belay__place_release(&node->place, parent);
	more = end_some(parent, branch, false, &woken, next);
	give_branch(belay__branch_lock(parent, branch), next);
	go_down(next, &woken);
	belay__wake_all(&woken);
	return more || belay__branch_count(parent) > 1;
}

/* Everything below root is done on return. */
static void walk(struct node *root, bool hooks)
{
	struct node *node = root, *anchor = node_of(belay_ref(&root->ctx));
	struct visit next = {.node = NULL};
	bool more = true;

	if (hooks)
		belay__hooks_run(root);
	for (;;) {
		while (more && !next.node)
			more = end_batch(node, &next);
		if (next.node) {
			belay_unref(&anchor->ctx);
			node = anchor = next.node;
			more = next.more;
			if (next.hooks)
				belay__hooks_run(node);
			next.node = NULL;
		} else if (node != root) {
			struct node *up = way_up(node, root);

			more = go_up(node, up, &next);
			node = up;
		} else {
			break;
		}
	}
	belay_unref(&anchor->ctx);
}

/* Who ends it, its lock held. */
static void tell_why(struct node *node, const struct ending *ending)
{
	node->ctx.ended = ending->untold ? ENDED_UNTOLD : ENDED_HERE;
	node->ctx.code = ending->code;
	node->end_site = ending->site;
	if (ending->message)
		belay__owned_push(&node->ctx, ending->message);
}

/* Who finds it ended, with nothing below it, has nothing to do. */
bool belay__node_end(struct node *node, const struct ending *ending)
{
	struct belay__list woken;
	bool won, more, hooks;

	if (node_err(node) != 0 && !has_children(node))
		return false;
	belay__list_init(&woken);
	belay__lock_take(&node->done.gate.lock, BELAY__RANK_NODE);
	won = node_err(node) == 0;
	if (won) {
		tell_why(node, ending);
		mark(node, ending->err, &woken);
	}
	more = has_more(node);
	hooks = node->hooks != NULL;
	belay__lock_give(&node->done.gate.lock, BELAY__RANK_NODE);
	if (won)
		BELAY__PROBE_CTX_END(node, ending->err, ending->code,
				     belay__cause_message(node), ending->site);
	belay__wake_all(&woken);
	if (more)
		walk(node, hooks);
	if (won) {
		disarm(node);
		belay__node_leave(node);
	}
	return won;
}

/* node's own lock: for a merge, which the end of its first parent may reach while it joins the
 * second. */
void belay__node_join(struct node *node, struct place *place, struct node *parent)
{
	struct belay__list woken;

	if (!parent || belay__place_join(place, parent))
		return;
	belay__list_init(&woken);
	belay__lock_take(&node->done.gate.lock, BELAY__RANK_NODE);
	if (node_err(node) == 0)
		mark_below(node, parent, &woken);
	belay__lock_give(&node->done.gate.lock, BELAY__RANK_NODE);
	belay__wake_all(&woken);
}
