/* SPDX-License-Identifier: MIT
 *
 * branch.c - where children are listed: in branches, so that processors don't meet at a common
 * parent.
 *
 * A node begins with one branch, its own, whose lock is the node's. The first who finds that taken
 * gives the node one more for each processor, and from then on a child goes into the branch of the
 * processor it is made on. So the root of a server's requests costs each processor a lock that
 * nobody else takes.
 *
 * Layout      node->children is 0 before the first child; then the own branch's ring, or
 *             BRANCH_EMPTIED; or, with BRANCHES_MANY set, the address of struct branches, to which
 *             that ring has moved. A ring's nodes don't know its head, so nothing else changes with
 *             the move.
 * References  A listed child is a reference to its parent, and costs no count: the parent can't be
 *             freed while a branch is not empty. Who takes a child off its list while it lives on
 *             (the end does) counts one first, then says that it is listed nowhere.
 *             The last user of a node makes orphans of the branches that are not empty: each of
 *             those holds one counted reference, which goes with its last child.
 * Locking     A branch's lock guards its ring and its orphan. It ranks as its node's: before the
 *             locks of the children. node->children changes under the node's lock. place->listed is
 *             written under the branch's lock, but read without it by the place's owner, to learn
 *             which lock to take; it is looked at again under that lock. It is safe to take: what
 *             makes it stale counts a reference to the node first.
 * No loss     A child is listed only while its parent is live, looked up under the branch's lock.
 *             The end stores the error, then visits every branch under its lock: it finds the
 *             child, or the child finds the error. That there is more than the own branch is set
 *             under the node's lock, as is the error: where that came after the end's look, whoever
 *             has read it (acquire) reads the error too.
 */
#include "context/branch.h"

#include "base/alloc.h"
#include "base/processors.h"
#include "context/node.h"

#include <sched.h>

enum { BRANCHES_MOST = 64, LINE = 64 };

struct branch {
	struct belay__lock lock;
	bool orphan;
	struct belay__list *children;
};

struct branches {
	unsigned count;            /* of those below: a power of 2 */
	struct belay__list *own;   /* the ring of branch 0 */
	struct {
		_Alignas(LINE) struct branch branch;
	} at[];
};

/* Acquire pairs with the release in belay__branches_grow(). */
static struct branches *branches_of(struct node *node)
{
	uintptr_t children = atomic_load_explicit(&node->children, memory_order_acquire);

	return children & BRANCHES_MANY ? (struct branches *)(children - BRANCHES_MANY) : NULL;
}

static struct branch *branch_at(struct node *node, unsigned branch)
{
	return &branches_of(node)->at[branch - 1].branch;
}

/* ---- A branch's parts, wherever they are ----------------------------------------------------- */

struct belay__lock *belay__branch_lock(struct node *node, unsigned branch)
{
	return branch == 0 ? &node->done.gate.lock : &branch_at(node, branch)->lock;
}

static bool *orphan_of(struct node *node, unsigned branch)
{
	return branch == 0 ? &node->ctx.orphan : &branch_at(node, branch)->orphan;
}

static struct belay__list *first_of(struct node *node, unsigned branch)
{
	uintptr_t children = atomic_load_explicit(&node->children, memory_order_relaxed);

	if (branch > 0)
		return branch_at(node, branch)->children;
	if (children & BRANCHES_MANY)
		return branches_of(node)->own;
	return children == BRANCH_EMPTIED ? NULL : (struct belay__list *)children;
}

static void set_first(struct node *node, unsigned branch, struct belay__list *first)
{
	struct branches *branches = branches_of(node);

	if (branch > 0)
		branches->at[branch - 1].branch.children = first;
	else if (branches)
		branches->own = first;
	else
		atomic_store_explicit(&node->children, first ? (uintptr_t)first : BRANCH_EMPTIED,
				      memory_order_release);
}

static struct place *place_at(struct belay__list *link)
{
	return belay__container(link, struct place, link);
}

struct place *belay__branch_first(struct node *node, unsigned branch)
{
	struct belay__list *first = first_of(node, branch);

	return first ? place_at(first) : NULL;
}

struct place *belay__branch_next(struct node *node, unsigned branch, struct place *place)
{
	return place->link.next == first_of(node, branch) ? NULL : place_at(place->link.next);
}

/* ---- More of them ---------------------------------------------------------------------------- */

/* A power of 2, as many as there are processors. */
static unsigned enough(void)
{
	unsigned count = 1;

	while (count < BRANCHES_MOST && count < belay__processors())
		count *= 2;
	return count;
}

static struct branches *branches_new(void)
{
	unsigned count = enough();
	struct branches *branches;

	branches = belay__aligned_alloc(LINE, sizeof *branches + count * sizeof branches->at[0]);
	if (!branches)
		return NULL;
	branches->count = count;
	for (unsigned i = 0; i < count; i++) {
		struct branch *branch = &branches->at[i].branch;

		atomic_store_explicit(&branch->lock.word, 0, memory_order_relaxed);
		branch->orphan = false;
		branch->children = NULL;
	}
	return branches;
}

/* Without memory the node goes on with the one it has. */
void belay__branches_grow(struct node *node)
{
	struct branches *branches = branches_new();
	uintptr_t own;

	if (!branches)
		return;
	belay__lock_take(&node->done.gate.lock, BELAY__RANK_NODE);
	own = atomic_load_explicit(&node->children, memory_order_relaxed);
	if (!(own & BRANCHES_MANY)) {
		branches->own = first_of(node, 0);
		atomic_store_explicit(&node->children, (uintptr_t)branches | BRANCHES_MANY,
				      memory_order_release);
		branches = NULL;
	}
	belay__lock_give(&node->done.gate.lock, BELAY__RANK_NODE);
	belay__free(branches);
}

void belay__branches_free(struct node *node)
{
	belay__free(branches_of(node));
}

unsigned belay__branch_count(struct node *node)
{
	struct branches *branches = branches_of(node);

	return branches ? 1 + branches->count : 1;
}

/* ---- Places ---------------------------------------------------------------------------------- */

void belay__place_init(struct place *place, bool is_second)
{
	atomic_store_explicit(&place->listed, 0, memory_order_relaxed);
	place->link.next = place->link.prev = NULL;
	place->is_second = is_second;
}

struct node *belay__place_node(struct place *place)
{
	return place->is_second ? &belay__container(place, struct merge, place)->node
				: belay__container(place, struct node, place);
}

/* The branch for a child that is made here and now, locked. */
static unsigned lock_branch(struct node *node)
{
	struct branches *branches = branches_of(node);
	unsigned branch = 0;

	if (!branches) {
		if (belay__lock_try(&node->done.gate.lock, BELAY__RANK_NODE))
			return 0;
		belay__branches_grow(node);
		branches = branches_of(node);
	}
	if (branches)
		branch = 1 + ((unsigned)sched_getcpu() & (branches->count - 1));
	belay__lock_take(belay__branch_lock(node, branch), BELAY__RANK_NODE);
	return branch;
}

static bool list_place(struct place *place, struct node *parent)
{
	unsigned branch = lock_branch(parent);
	bool live = node_err(parent) == 0;

	if (live) {
		struct belay__list *first = first_of(parent, branch);

		belay__ring_append(&first, &place->link);
		set_first(parent, branch, first);
		atomic_store_explicit(&place->listed, (uint8_t)(branch + 1), memory_order_release);
	}
	belay__lock_give(belay__branch_lock(parent, branch), BELAY__RANK_NODE);
	return live;
}

/* A parent that is done already needs no lock: who derives from it does not meet its walk. */
bool belay__place_join(struct place *place, struct node *parent)
{
	if (node_err(parent) == 0 && list_place(place, parent))
		return true;
	belay_ref(&parent->ctx);
	return false;
}

bool belay__place_lock(struct place *place, struct node *parent, unsigned *ret_branch)
{
	uint8_t listed = atomic_load_explicit(&place->listed, memory_order_acquire);
	struct belay__lock *lock;

	if (!listed)
		return false;
	*ret_branch = listed - 1u;
	lock = belay__branch_lock(parent, *ret_branch);
	belay__lock_take(lock, BELAY__RANK_NODE);
	if (atomic_load_explicit(&place->listed, memory_order_relaxed))
		return true;
	belay__lock_give(lock, BELAY__RANK_NODE);
	return false;
}

static void unlink_place(struct node *node, unsigned branch, struct place *place)
{
	struct belay__list *first = first_of(node, branch);

	belay__ring_remove(&first, &place->link);
	set_first(node, branch, first);
}

static void unlist(struct place *place)
{
	atomic_store_explicit(&place->listed, 0, memory_order_release);
}

/* The counted reference of an orphan goes with its last child. True: it did. */
static bool orphan_emptied(struct node *node, unsigned branch)
{
	bool *orphan = orphan_of(node, branch);

	if (!*orphan || first_of(node, branch))
		return false;
	*orphan = false;
	return true;
}

/* For those who have left the branch. The orphan's own reference, where it goes now, is one of
 * them. */
static void count_references(struct node *node, unsigned branch, uint32_t count)
{
	if (orphan_emptied(node, branch))
		count--;
	if (count > 0)
		atomic_fetch_add_explicit(&node->ctx.refs, count, memory_order_relaxed);
}

/* Once one is listed nowhere its thread may give up the reference: so all are counted first. */
void belay__branch_release(struct node *node, unsigned branch, uint32_t count, uint32_t more)
{
	struct belay__list *first = first_of(node, branch), *last = first->prev, *end = first;

	for (uint32_t i = 0; i < count; i++)
		end = end->next;
	if (end == first) {
		set_first(node, branch, NULL);
	} else {
		end->prev = last;
		last->next = end;
		set_first(node, branch, end);
	}
	count_references(node, branch, count + more);
	for (uint32_t i = 0; i < count; i++) {
		struct belay__list *next = first->next;

		first->next = first->prev = NULL;
		unlist(place_at(first));
		first = next;
	}
}

void belay__place_release(struct place *place, struct node *parent)
{
	unsigned branch = atomic_load_explicit(&place->listed, memory_order_relaxed) - 1u;

	unlink_place(parent, branch, place);
	count_references(parent, branch, 1);
	unlist(place);
}

void belay__place_leave(struct place *place, struct node *parent)
{
	unsigned branch;

	if (!belay__place_lock(place, parent, &branch))
		return;
	belay__place_release(place, parent);
	belay__lock_give(belay__branch_lock(parent, branch), BELAY__RANK_NODE);
}

bool belay__place_fini(struct place *place, struct node *parent)
{
	unsigned branch;
	bool counted;

	if (!belay__place_lock(place, parent, &branch))
		return true;
	unlink_place(parent, branch, place);
	unlist(place);
	counted = orphan_emptied(parent, branch);
	belay__lock_give(belay__branch_lock(parent, branch), BELAY__RANK_NODE);
	return counted;
}

static void orphan(struct node *node, unsigned branch)
{
	belay__lock_take(belay__branch_lock(node, branch), BELAY__RANK_NODE);
	if (!*orphan_of(node, branch) && first_of(node, branch)) {
		*orphan_of(node, branch) = true;
		belay_ref(&node->ctx);
	}
	belay__lock_give(belay__branch_lock(node, branch), BELAY__RANK_NODE);
}

/* The last to leave a branch uses its lock until he gives it back, though it is empty by then: he
 * is waited for. He held it when he made it empty; so where it is free after that was seen, it is
 * he who has freed it. */
void belay__branches_orphan(struct node *node)
{
	unsigned count = belay__branch_count(node);

	if (!has_children(node))
		belay__lock_await(&node->done.gate.lock);
	else
		for (unsigned i = 0; i < count; i++)
			orphan(node, i);
}
