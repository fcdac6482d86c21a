/* SPDX-License-Identifier: MIT
 *
 * sized.c - tasks whose stacks have a size that was asked for.
 *
 * State       spare (no stack) -> in use -> kept, with its stack, for who asks for that size next
 *             -> in use or, where nobody does, spare.
 * Invariants  (1) kept_size is the sum of the kept ones' stacks, and no more than KEEP_MOST: what
 *             ends beyond that, and what is larger, gives its stack back at once.
 *             (2) kept has the latest in front, spare ones at no place but spare.
 *             (3) A task's memory is freed by the shutdown alone: reports may look at a task that
 *             has just ended (tally.c).
 * Memory back As with ordinary stacks (cache.c): while workers are busy, of those that nobody has
 *             needed for a while; when all are idle, all.
 * Locking     sized.lock guards all here. Stacks are mapped and unmapped without it, while their
 *             tasks are in neither list. A task's site is atomic, as in cache.c.
 */
#include "task/sized.h"

#include "base/alloc.h"

enum { KEEP_MOST = 64 << 20, TEND_MOST = 8 };

struct sized {
	struct sized *next_made;
	struct belay__list link; /* in kept or spare */
	struct belay__task task;
};

static struct {
	struct belay__lock lock;
	struct sized *made; /* all of them */
	struct belay__list kept, spare;
	size_t kept_size;
	unsigned count;     /* of kept */
	unsigned unasked;   /* the least that was since belay__sized_tend() */
} sized = {.kept = {&sized.kept, &sized.kept}, .spare = {&sized.spare, &sized.spare}};

static void lock(void)
{
	belay__lock_take(&sized.lock, BELAY__RANK_LEAF);
}

static void unlock(void)
{
	belay__lock_give(&sized.lock, BELAY__RANK_LEAF);
}

static struct sized *at(struct belay__list *link)
{
	return belay__container(link, struct sized, link);
}

/* ---- With the lock held ---------------------------------------------------------------------- */

static struct sized *find_kept(size_t size)
{
	for (struct belay__list *link = sized.kept.next; link != &sized.kept; link = link->next)
		if (belay__stack_size(&at(link)->task.stack) == size)
			return at(link);
	return NULL;
}

static void remove_kept(struct sized *it)
{
	belay__list_remove(&it->link);
	sized.kept_size -= belay__stack_size(&it->task.stack);
	if (--sized.count < sized.unasked)
		sized.unasked = sized.count;
}

/* False: there is no room. */
static bool keep(struct sized *it)
{
	size_t size = belay__stack_size(&it->task.stack);

	if (size > KEEP_MOST - sized.kept_size)
		return false;
	belay__list_append(sized.kept.next, &it->link); /* in front */
	sized.kept_size += size;
	sized.count++;
	return true;
}

/* One with a stack of that size, or else one without a stack; NULL: neither. */
static struct sized *reuse(size_t size)
{
	struct sized *it = find_kept(size);
	struct belay__list *link;

	if (it) {
		remove_kept(it);
		return it;
	}
	link = belay__list_pop(&sized.spare);
	return link ? at(link) : NULL;
}

/* ---- Stacks ---------------------------------------------------------------------------------- */

static struct sized *make(void)
{
	struct sized *it = belay__calloc(1, sizeof *it);

	if (!it)
		return NULL;
	lock();
	it->next_made = sized.made;
	sized.made = it;
	unlock();
	return it;
}

static void make_spare(struct sized *it)
{
	lock();
	belay__list_append(&sized.spare, &it->link);
	unlock();
}

static void unmap(struct sized *it)
{
	belay__stack_unmap(&it->task.stack);
	it->task.stack = (struct belay__stack){0};
	make_spare(it);
}

/* Of the one that has been kept longest. False: none is kept. */
static bool unmap_oldest(void)
{
	struct sized *it = NULL;

	lock();
	if (!belay__list_empty(&sized.kept)) {
		it = at(sized.kept.prev);
		remove_kept(it);
	}
	unlock();
	if (it)
		unmap(it);
	return it;
}

/* ---- For the room ---------------------------------------------------------------------------- */

struct belay__task *belay__sized_take(size_t size)
{
	struct sized *it;

	if (belay__alloc_fails())
		return NULL;
	lock();
	it = reuse(size);
	unlock();
	if (!it)
		it = make();
	if (!it)
		return NULL;
	if (!it->task.stack.low && !belay__stack_map(&it->task.stack, size)) {
		make_spare(it);
		return NULL;
	}
	return &it->task;
}

void belay__sized_give(struct belay__task *task)
{
	struct sized *it = belay__container(task, struct sized, task);
	bool kept;

	atomic_store_explicit(&task->site, NULL, memory_order_relaxed);
	lock();
	kept = keep(it);
	unlock();
	if (!kept)
		unmap(it);
}

void belay__sized_tend(void)
{
	unsigned unasked;

	lock();
	unasked = sized.unasked;
	sized.unasked = sized.count;
	unlock();
	for (unsigned i = 0; i < unasked && i < TEND_MOST; i++)
		unmap_oldest();
}

bool belay__sized_warm(void)
{
	bool warm;

	lock();
	warm = sized.count > 0;
	unlock();
	return warm;
}

bool belay__sized_cool(void)
{
	return unmap_oldest();
}

void belay__sized_visit(void (*visit)(void *arg, const struct belay_site *site), void *arg)
{
	lock();
	for (struct sized *it = sized.made; it; it = it->next_made) {
		const struct belay_site *site =
			atomic_load_explicit(&it->task.site, memory_order_relaxed);

		if (site)
			visit(arg, site);
	}
	unlock();
}

void belay__sized_trim(void)
{
	struct sized *it;

	while (unmap_oldest())
		;
	lock();
	while ((it = sized.made)) {
		sized.made = it->next_made;
		belay__free(it);
	}
	belay__list_init(&sized.spare);
	sized.unasked = 0;
	unlock();
}
