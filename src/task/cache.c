/* SPDX-License-Identifier: MIT
 *
 * cache.c - tasks with their stacks, used again and again.
 *
 * Those with a stack of another size are sized.c's. The others are made 64 at a time, with a
 * mapping of 64 stacks. A worker keeps up to two batches of 64 for itself, and takes and gives
 * whole batches from and to the pool, so that neither costs more the more of them there are (J.
 * Bonwick, J. Adams: "Magazines and Vmem", 2001). Last in, first out, while stacks are warm in the
 * processor's cache.
 *
 * Memory back Used stacks stay as they are, with all the memory that their tasks have touched: to
 *             give it back costs more than to run a small task, since the other processors have to
 *             be told. So that is done later, a batch at a time: by busy workers now and then, with
 *             what the pool has not been asked for in the meantime; and by the last worker to go
 *             idle, after a second, with all.
 * Locking     pool.lock guards the pool and the slabs' list; a batch that is being cleared is in
 *             nobody's list. A task's site tells whether it is in use: written by whoever has the
 *             task, read by reports at any time, so atomic; relaxed, since a site is constant data.
 *             Who counts sees what has been in use for a while.
 */
#include "task/cache.h"

#include "base/alloc.h"
#include "base/sanitizer.h"
#include "task/sized.h"
#include "task/worker.h"

enum { BATCH = BELAY__STACKS };

struct slab {
	struct slab *next;
	char *mapping;
	struct belay__task tasks[BELAY__STACKS];
};

static struct {
	struct belay__lock lock;
	struct slab *slabs;
	struct belay__task *warm, *cold; /* full batches: the first of each, through next_batch;
					    cold: none of its stacks has memory */
	size_t warm_count;               /* batches */
	size_t unasked;                  /* the least that was since belay__tasks_tend() */
	struct belay__batch loose;       /* for threads without a cache */
} pool;

static void lock(void)
{
	belay__lock_take(&pool.lock, BELAY__RANK_LEAF);
}

static void unlock(void)
{
	belay__lock_give(&pool.lock, BELAY__RANK_LEAF);
}

/* ---- Batches --------------------------------------------------------------------------------- */

static void push(struct belay__batch *batch, struct belay__task *task)
{
	task->next = batch->first;
	batch->first = task;
	batch->count++;
}

static struct belay__task *pop(struct belay__batch *batch)
{
	struct belay__task *task = batch->first;

	batch->first = task->next;
	batch->count--;
	return task;
}

/* A slab's tasks: one whole batch. An empty one: out of memory. With the pool's lock held. */
static struct belay__batch make(void)
{
	struct belay__batch batch = {NULL, 0};
	struct slab *slab = belay__calloc(1, sizeof *slab);

	if (!slab)
		return batch;
	slab->mapping = belay__stacks_map();
	if (!slab->mapping) {
		belay__free(slab);
		return batch;
	}
	slab->next = pool.slabs;
	pool.slabs = slab;
	for (unsigned i = BATCH; i-- > 0;) {
		belay__stack_init(&slab->tasks[i].stack, slab->mapping, i);
		push(&batch, &slab->tasks[i]);
	}
	return batch;
}

/* NULL: there is none. */
static struct belay__task *pop_warm(void)
{
	struct belay__task *first = pool.warm;

	if (!first)
		return NULL;
	pool.warm = first->next_batch;
	if (--pool.warm_count < pool.unasked)
		pool.unasked = pool.warm_count;
	return first;
}

/* A full batch, or an empty one: out of memory. With the lock held. */
static struct belay__batch take_batch(void)
{
	struct belay__task *first = pop_warm();

	if (!first && pool.cold) {
		first = pool.cold;
		pool.cold = first->next_batch;
	}
	return first ? (struct belay__batch){first, BATCH} : make();
}

static bool is_warm(const struct belay__task *task)
{
	for (; task; task = task->next)
		if (task->stack.used)
			return true;
	return false;
}

static void give_batch(struct belay__batch batch)
{
	struct belay__task *first = batch.first;
	bool warm = is_warm(first);

	lock();
	first->next_batch = warm ? pool.warm : pool.cold;
	*(warm ? &pool.warm : &pool.cold) = first;
	pool.warm_count += warm;
	unlock();
}

/* ---- Memory back ----------------------------------------------------------------------------- */

/* Of one batch. */
static void clear(struct belay__task *task)
{
	struct belay__stack *used[BATCH];
	unsigned n = 0;

	for (; task; task = task->next)
		if (task->stack.used)
			used[n++] = &task->stack;
	belay__stacks_clear(used, n);
}

/* False: there was none that has memory. */
static bool clear_batch(void)
{
	struct belay__task *first;

	lock();
	first = pop_warm();
	unlock();
	if (!first)
		return false;
	clear(first);
	give_batch((struct belay__batch){first, BATCH});
	return true;
}

void belay__tasks_tend(void)
{
	bool unasked;

	lock();
	unasked = pool.unasked > 0;
	pool.unasked = pool.warm_count;
	unlock();
	if (unasked)
		clear_batch();
	belay__sized_tend();
}

bool belay__tasks_warm(const struct belay__cache *cache)
{
	bool warm;

	lock();
	warm = pool.warm_count > 0;
	unlock();
	return warm || is_warm(cache->current.first) || is_warm(cache->spare.first) ||
	       belay__sized_warm();
}

bool belay__tasks_cool(struct belay__cache *cache)
{
	clear(cache->current.first);
	clear(cache->spare.first);
	return clear_batch() || belay__sized_cool();
}

/* ---- Without a cache ------------------------------------------------------------------------- */

static struct belay__task *take_loose(void)
{
	struct belay__task *task = NULL;

	lock();
	if (!pool.loose.first)
		pool.loose = take_batch();
	if (pool.loose.first)
		task = pop(&pool.loose);
	unlock();
	return task;
}

/* Whole batches out of what is loose, which so never is more than one. */
static void give_loose(struct belay__task *task)
{
	struct belay__batch full = {NULL, 0};

	lock();
	if (pool.loose.count == BATCH) {
		full = pool.loose;
		pool.loose = (struct belay__batch){NULL, 0};
	}
	push(&pool.loose, task);
	unlock();
	if (full.first)
		give_batch(full);
}

/* ---- Taking and giving ----------------------------------------------------------------------- */

/* A current batch that is not empty; false: out of memory. */
static bool refill(struct belay__cache *cache)
{
	if (cache->spare.first) {
		cache->current = cache->spare;
		cache->spare = (struct belay__batch){NULL, 0};
		return true;
	}
	lock();
	cache->current = take_batch();
	unlock();
	return cache->current.first;
}

struct belay__task *belay__task_take(struct belay__cache *cache)
{
	if (belay__alloc_fails())
		return NULL;
	if (!cache)
		return take_loose();
	return cache->current.first || refill(cache) ? pop(&cache->current) : NULL;
}

/* Room in the current batch. */
static void spill(struct belay__cache *cache)
{
	if (cache->spare.first)
		give_batch(cache->spare);
	cache->spare = cache->current;
	cache->current = (struct belay__batch){NULL, 0};
}

void belay__task_give(struct belay__cache *cache, struct belay__task *task)
{
	if (__builtin_expect(belay__is_sized(task), 0)) {
		belay__sized_give(task);
		return;
	}
	atomic_store_explicit(&task->site, NULL, memory_order_relaxed);
	if (!cache) {
		give_loose(task);
		return;
	}
	if (cache->current.count == BATCH)
		spill(cache);
	push(&cache->current, task);
}

void belay__cache_flush(struct belay__cache *cache)
{
	if (cache->spare.first)
		give_batch(cache->spare);
	while (cache->current.first)
		give_loose(pop(&cache->current));
	*cache = (struct belay__cache){0};
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* Calls visit(arg, site) for each task there is. */
static void visit_all(void (*visit)(void *arg, const struct belay_site *site), void *arg)
{
	lock();
	for (struct slab *slab = pool.slabs; slab; slab = slab->next)
		for (int i = 0; i < BELAY__STACKS; i++) {
			const struct belay_site *site = atomic_load_explicit(
				&slab->tasks[i].site, memory_order_relaxed);

			if (site)
				visit(arg, site);
		}
	unlock();
	belay__sized_visit(visit, arg);
}

const struct belay_site belay__unknown_site;

static void count_one(void *arg, const struct belay_site *site)
{
	++*(size_t *)arg;
}

size_t belay__task_count(void)
{
	size_t count = 0;

	visit_all(count_one, &count);
	return count;
}

/* The first of them; room: for how many. */
struct sites {
	const struct belay_site **list;
	size_t room, count;
};

static void note_one(void *arg, const struct belay_site *site)
{
	struct sites *sites = arg;

	if (sites->count < sites->room)
		sites->list[sites->count] = site;
	sites->count++;
}

static void report_one(FILE *out, const struct belay_site *site)
{
	if (site == &belay__unknown_site)
		fprintf(out, "  task started at an unknown line\n");
	else
		fprintf(out, "  task started at %s:%d in %s()\n", site->file, site->line,
			site->func);
}

/* Printing works on a copy, so that out may block, even for a task that needs the lock. */
void belay__task_report(FILE *out)
{
	struct sites sites = {.room = belay__task_count()};
	size_t told;

	sites.list = belay__malloc(sites.room * sizeof *sites.list);
	if (!sites.list)
		sites.room = 0;
	visit_all(note_one, &sites);
	told = sites.count < sites.room ? sites.count : sites.room;
	for (size_t i = 0; i < told; i++)
		report_one(out, sites.list[i]);
	if (sites.count > told)
		fprintf(out, "  %zu more are not shown\n", sites.count - told);
	belay__free(sites.list);
}

static void free_all(void)
{
	struct slab *slab;

	while ((slab = pool.slabs)) {
		pool.slabs = slab->next;
		for (int i = 0; i < BELAY__STACKS; i++)
			belay__stack_fini(&slab->tasks[i].stack);
		belay__stacks_unmap(slab->mapping);
		belay__free(slab);
	}
	belay__stacks_trim();
	pool.warm = pool.cold = NULL;
	pool.warm_count = pool.unasked = 0;
	pool.loose = (struct belay__batch){NULL, 0};
}

void belay__tasks_trim(void)
{
	if (belay__task_count() > 0)
		return;
	lock();
	free_all();
	unlock();
	belay__sized_trim();
}
