/* SPDX-License-Identifier: MIT
 *
 * end.c - how an end travels down the tree.
 *
 * State       A node's error goes from 0 to what ended it, once, under its lock.
 * Invariants  (1) A node that is done gains no children: who joins it becomes done instead.
 *             (2) A node leaves its parent's list only when it is live (it is being freed), or when it
 *                 is done and its own list is empty. So an empty list below a node that is done
 *                 means that the whole subtree is done, whoever has walked it.
 *             (3) Whoever ends a node, or finds it ended, returns only once its list is empty. With (2)
 *                 that makes every cancel synchronous, also one that came second, and any number of
 *                 walks may work on one subtree at once: what they have done stands in the tree.
 * Locking     Parent's node before child's. Walking up takes one lock at a time. Hooks and wakes run
 *             with none.
 * Walk        Down to the first child that has something below it, up when nothing is left; no
 *             recursion, no memory. A reference to the node at hand keeps the path above it alive.
 *             Children without anything below them are ended a batch at a time under the parent's
 *             lock, which is free for others between batches.
 * Dying       A child whose last reference has gone stays in the list until its freeing thread gets
 *             the parent's lock: until then it is valid memory. It has no children (they would hold
 *             references), so it needs no visit of its own, only its mark.
 * Merges      stand in two lists. From a merge it is not known through which one the walk came, so
 *             it starts again at its root, whose subtree has shrunk by then.
 */
#include "context/node.h"

enum { BATCH = 64 };

/* The end of one node, under its lock. The release publishes what was written before: the cause. */
static void mark(struct node *node, int err, struct node *origin, struct belay__list *woken)
{
	node->origin = origin;
	atomic_store_explicit(&node->done.closed, err, memory_order_release);
	belay__queue_claim_all(&node->done.receivers, woken);
}

static void disarm(struct node *node)
{
	if (node->ctx.kind == KIND_DEADLINE)
		belay__timer_disarm(&belay__container(node, struct deadline, node)->timer);
}

static bool has_more(const struct node *node)
{
	return !belay__list_empty(&node->children) || !belay__list_empty(&node->hooks);
}

/* Ends child as parent was, both locked. True: it has something below it, and a reference was taken
 * for the walk to visit it; else it has left the list. */
static bool end_child(struct child *child, struct node *parent, struct belay__list *woken)
{
	struct node *node = child->node;
	bool visit;

	belay__lock_take(&node->done.lock, BELAY__RANK_NODE);
	if (node_err(node) == 0) {
		mark(node, node_err(parent), parent->origin, woken);
		disarm(node);
	}
	visit = has_more(node) && belay__try_ref(&node->ctx);
	if (!visit)
		belay__list_remove(&child->link);
	belay__lock_give(&node->done.lock, BELAY__RANK_NODE);
	return visit;
}

/* One batch of node's children. *visit: a child to go down to, referenced. False: none are left. */
static bool end_batch(struct node *node, struct node **visit)
{
	struct belay__list woken;
	bool more;

	*visit = NULL;
	belay__list_init(&woken);
	belay__lock_take(&node->done.lock, BELAY__RANK_NODE);
	for (int i = 0; i < BATCH && !belay__list_empty(&node->children) && !*visit; i++) {
		struct child *child =
			belay__container(node->children.next, struct child, link);

		if (end_child(child, node, &woken))
			*visit = child->node;
	}
	more = !belay__list_empty(&node->children);
	belay__lock_give(&node->done.lock, BELAY__RANK_NODE);
	belay__wake_all(&woken);
	return more;
}

static void leave(struct child *place, struct node *parent)
{
	if (!parent)
		return;
	belay__lock_take(&parent->done.lock, BELAY__RANK_NODE);
	if (belay__list_linked(&place->link))
		belay__list_remove(&place->link);
	belay__lock_give(&parent->done.lock, BELAY__RANK_NODE);
}

static struct merge *merge_of(struct node *node)
{
	return node->ctx.kind == KIND_MERGE ? belay__container(node, struct merge, node) : NULL;
}

static struct node *parent_node(const struct node *node)
{
	return node->ctx.parent ? node->ctx.parent->node : NULL;
}

static void leave_parents(struct node *node)
{
	struct merge *merge = merge_of(node);

	leave(&node->child, parent_node(node));
	if (merge)
		leave(&merge->child, merge->second->node);
}

/* Everything below root is done on return. */
static void walk(struct node *root)
{
	struct node *node = root;

	belay_ref(&root->ctx);
	for (;;) {
		struct node *next;

		belay__hooks_run(node);
		while (end_batch(node, &next) && !next)
			;
		if (!next && node != root) {
			leave_parents(node);
			next = merge_of(node) ? root : parent_node(node);
			belay_ref(&next->ctx);
		}
		belay_unref(&node->ctx);
		if (!next)
			return;
		node = next;
	}
}

bool belay__node_end(struct node *node, int err, int code, const struct belay_site *site,
		     char *message)
{
	struct belay__list woken;
	bool won, more;

	belay__list_init(&woken);
	belay__lock_take(&node->done.lock, BELAY__RANK_NODE);
	won = node_err(node) == 0;
	if (won) {
		node->code = code;
		node->end_site = site;
		node->message = message;
		mark(node, err, node, &woken);
	}
	more = has_more(node);
	belay__lock_give(&node->done.lock, BELAY__RANK_NODE);
	belay__wake_all(&woken);
	if (more)
		walk(node);
	if (won)
		belay__node_detach(node);
	return won;
}

void belay__node_detach(struct node *node)
{
	disarm(node);
	leave_parents(node);
}

/* parent's lock covers the look at its error and the registration, so that an end either sees the
 * child in the list or is seen by it. node's own lock: for a merge, which the end of its first parent
 * may reach while it joins the second. */
void belay__node_join(struct node *node, struct child *place, struct node *parent)
{
	struct belay__list woken;

	if (!parent)
		return;
	belay__list_init(&woken);
	belay__lock_take(&parent->done.lock, BELAY__RANK_NODE);
	if (node_err(parent) == 0) {
		belay__list_append(&parent->children, &place->link);
	} else {
		belay__lock_take(&node->done.lock, BELAY__RANK_NODE);
		if (node_err(node) == 0)
			mark(node, node_err(parent), parent->origin, &woken);
		belay__lock_give(&node->done.lock, BELAY__RANK_NODE);
	}
	belay__lock_give(&parent->done.lock, BELAY__RANK_NODE);
	belay__wake_all(&woken);
}
