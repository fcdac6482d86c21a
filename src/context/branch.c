/* SPDX-License-Identifier: MIT
 *
 * branch.c - where children are listed: in branches, so that processors don't meet at a common
 * parent.
 *
 * A node begins with one branch. The first who finds its lock taken gives the node one more for
 * each processor, and from then on a child goes into the branch of the processor it is made on. So
 * the root of a server's requests costs each processor a lock that nobody else takes.
 *
 * References  A listed child is a reference to its parent, and costs no count: the parent can't be
 *             freed while a branch is not empty. Who takes a child off its list while it lives on
 *             (the end does) turns that into a counted one, before the branch is unlocked.
 *             The last user of a node makes orphans of the branches that are not empty: each of
 *             those holds one counted reference, which goes with its last child.
 * Locking     branch->lock guards the branch. It ranks as its node's: before the locks of the
 *             children. place->listed is written under it, but read without it by the place's
 *             owner, to learn which lock to take; it is looked at again under that lock. It is safe
 *             to take: what makes it stale counts a reference to the node first.
 * No loss     A child is listed only while its parent is live, looked up under the branch's lock.
 *             The end stores the error, then visits every branch under its lock: it finds the
 *             child, or the child finds the error. That there are children at all (is_parent), and
 *             more branches (more), is set under the node's lock, as is the error: where that came
 *             after the end's look at them, whoever has read them (acquire) reads the error too.
 */
#include "context/branch.h"

#include "base/alloc.h"
#include "context/node.h"

#include <sched.h>
#include <unistd.h>

enum { BRANCHES_MOST = 64, LINE = 64 };

struct branches {
	unsigned count; /* a power of 2 */
	struct {
		_Alignas(LINE) struct branch branch;
	} at[];
};

void belay__branch_init(struct branch *branch)
{
	atomic_store_explicit(&branch->lock.word, 0, memory_order_relaxed);
	branch->orphan = false;
	belay__list_init(&branch->children);
}

/* ---- More of them ---------------------------------------------------------------------------- */

static unsigned processors(void)
{
	static _Atomic unsigned known;
	unsigned count = atomic_load_explicit(&known, memory_order_relaxed);
	long online;

	if (count > 0)
		return count;
	online = sysconf(_SC_NPROCESSORS_CONF);
	for (count = 1; count < BRANCHES_MOST && (long)count < online;)
		count *= 2;
	atomic_store_explicit(&known, count, memory_order_relaxed);
	return count;
}

static struct branches *branches_new(void)
{
	unsigned count = processors();
	struct branches *branches;

	branches = belay__aligned_alloc(LINE, sizeof *branches + count * sizeof branches->at[0]);
	if (!branches)
		return NULL;
	branches->count = count;
	for (unsigned i = 0; i < count; i++)
		belay__branch_init(&branches->at[i].branch);
	return branches;
}

/* Without memory the node goes on with the one it has. */
static void grow(struct node *node)
{
	struct branches *more = branches_new();

	if (!more)
		return;
	belay__lock_take(&node->done.lock, BELAY__RANK_NODE);
	if (!atomic_load_explicit(&node->more, memory_order_relaxed)) {
		atomic_store_explicit(&node->more, more, memory_order_release);
		more = NULL;
	}
	belay__lock_give(&node->done.lock, BELAY__RANK_NODE);
	belay__free(more);
}

void belay__branches_free(struct node *node)
{
	belay__free(atomic_load_explicit(&node->more, memory_order_relaxed));
}

struct branch *belay__branch_at(struct node *node, unsigned i)
{
	struct branches *more = atomic_load_explicit(&node->more, memory_order_acquire);

	if (i == 0)
		return &node->own;
	return more && i <= more->count ? &more->at[i - 1].branch : NULL;
}

/* The branch for a child that is made here and now, locked. */
static struct branch *lock_branch(struct node *node)
{
	struct branches *more = atomic_load_explicit(&node->more, memory_order_acquire);
	struct branch *branch = &node->own;

	if (!more) {
		if (belay__lock_try(&branch->lock, BELAY__RANK_NODE))
			return branch;
		grow(node);
		more = atomic_load_explicit(&node->more, memory_order_acquire);
	}
	if (more)
		branch = &more->at[(unsigned)sched_getcpu() & (more->count - 1)].branch;
	belay__lock_take(&branch->lock, BELAY__RANK_NODE);
	return branch;
}

/* ---- Places ---------------------------------------------------------------------------------- */

/* Once a node: afterwards the end knows that there are branches to visit. */
static void become_parent(struct node *node)
{
	belay__lock_take(&node->done.lock, BELAY__RANK_NODE);
	atomic_store_explicit(&node->is_parent, true, memory_order_release);
	belay__lock_give(&node->done.lock, BELAY__RANK_NODE);
}

static bool list_place(struct place *place, struct node *parent)
{
	struct branch *branch;
	bool live;

	if (!atomic_load_explicit(&parent->is_parent, memory_order_acquire))
		become_parent(parent);
	branch = lock_branch(parent);
	live = node_err(parent) == 0;
	if (live) {
		belay__list_append(&branch->children, &place->link);
		atomic_store_explicit(&place->listed, branch, memory_order_release);
	}
	belay__lock_give(&branch->lock, BELAY__RANK_NODE);
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

/* Locks the branch where place is listed; NULL: it is listed nowhere. */
static struct branch *lock_listed(struct place *place)
{
	struct branch *branch = atomic_load_explicit(&place->listed, memory_order_acquire);

	if (!branch)
		return NULL;
	belay__lock_take(&branch->lock, BELAY__RANK_NODE);
	if (atomic_load_explicit(&place->listed, memory_order_relaxed))
		return branch;
	belay__lock_give(&branch->lock, BELAY__RANK_NODE);
	return NULL;
}

void belay__place_unlist(struct place *place)
{
	belay__list_remove(&place->link);
	atomic_store_explicit(&place->listed, NULL, memory_order_release);
}

/* The counted reference of an orphan goes with its last child. True: it did. */
static bool orphan_emptied(struct branch *branch)
{
	if (!branch->orphan || !belay__list_empty(&branch->children))
		return false;
	branch->orphan = false;
	return true;
}

/* The orphan's own reference, where it goes now, is one of them. */
void belay__branch_unlisted(struct branch *branch, struct node *parent, uint32_t count)
{
	if (count > 0 && orphan_emptied(branch))
		count--;
	if (count > 0)
		atomic_fetch_add_explicit(&parent->ctx.refs, count, memory_order_relaxed);
}

void belay__place_leave(struct place *place, struct node *parent)
{
	struct branch *branch = lock_listed(place);

	if (!branch)
		return;
	belay__place_unlist(place);
	belay__branch_unlisted(branch, parent, 1);
	belay__lock_give(&branch->lock, BELAY__RANK_NODE);
}

bool belay__place_fini(struct place *place)
{
	struct branch *branch = lock_listed(place);
	bool counted;

	if (!branch)
		return true;
	belay__place_unlist(place);
	counted = orphan_emptied(branch);
	belay__lock_give(&branch->lock, BELAY__RANK_NODE);
	return counted;
}

void belay__branches_orphan(struct node *node)
{
	struct branch *branch;

	if (!atomic_load_explicit(&node->is_parent, memory_order_acquire))
		return;
	for (unsigned i = 0; (branch = belay__branch_at(node, i)); i++) {
		belay__lock_take(&branch->lock, BELAY__RANK_NODE);
		if (!branch->orphan && !belay__list_empty(&branch->children)) {
			branch->orphan = true;
			belay_ref(&node->ctx);
		}
		belay__lock_give(&branch->lock, BELAY__RANK_NODE);
	}
}
