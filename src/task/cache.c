/* SPDX-License-Identifier: MIT
 *
 * cache.c - tasks with their stacks, used again and again.
 *
 * Tasks are made 64 at a time, with a mapping of 64 stacks, and then go from the pool to a worker's
 * cache and back, a batch at a time. Used last in, first out, while their stacks are warm in the
 * processor's cache.
 *
 * Memory back A stack that leaves a worker's cache keeps its topmost page; from the WARM-th on in the
 *             pool it keeps none. So what tasks needed at their deepest is held by no more stacks
 *             than the caches hold.
 * Locking     pool.lock guards the pool and the slabs' list. A task's site tells whether it is in
 *             use: written by whoever has the task, read by reports at any time, so atomic; relaxed,
 *             since a site is constant data. Who counts sees what has been in use for a while.
 */
#include "task/cache.h"

#include "base/alloc.h"
#include "base/sanitizer.h"
#include "task/worker.h"

enum { BATCH = 32, CACHE_MOST = 128, WARM = 512 };

struct slab {
	struct slab *next;
	char *mapping;
	struct belay__task tasks[BELAY__STACKS];
};

static struct {
	struct belay__lock lock;
	struct slab *slabs;
	struct belay__task *free;
	size_t free_count;
} pool;

static const struct belay_site unknown;

static void lock(void)
{
	belay__lock_take(&pool.lock, BELAY__RANK_LEAF);
}

static void unlock(void)
{
	belay__lock_give(&pool.lock, BELAY__RANK_LEAF);
}

/* ---- The pool, with the lock held ------------------------------------------------------------ */

static void put(struct belay__task *task)
{
	task->next = pool.free;
	pool.free = task;
	pool.free_count++;
}

static bool grow(void)
{
	struct slab *slab = belay__calloc(1, sizeof *slab);

	if (!slab)
		return false;
	slab->mapping = belay__stacks_map();
	if (!slab->mapping) {
		belay__free(slab);
		return false;
	}
	slab->next = pool.slabs;
	pool.slabs = slab;
	for (unsigned i = BELAY__STACKS; i-- > 0;) {
		belay__stack_init(&slab->tasks[i].stack, slab->mapping, i);
		put(&slab->tasks[i]);
	}
	return true;
}

/* NULL: out of memory. */
static struct belay__task *get(void)
{
	struct belay__task *task;

	if (!pool.free && !grow())
		return NULL;
	task = pool.free;
	pool.free = task->next;
	pool.free_count--;
	return task;
}

/* ---- Caches ---------------------------------------------------------------------------------- */

static void push(struct belay__cache *cache, struct belay__task *task)
{
	task->next = cache->free;
	cache->free = task;
	cache->count++;
}

static struct belay__task *pop(struct belay__cache *cache)
{
	struct belay__task *task = cache->free;

	cache->free = task->next;
	cache->count--;
	return task;
}

/* One for the caller, and where it has a cache as many for that as come without making new ones. */
static struct belay__task *refill(struct belay__cache *cache)
{
	struct belay__task *task;

	lock();
	task = get();
	for (int i = 1; cache && i < BATCH && pool.free; i++)
		push(cache, get());
	unlock();
	return task;
}

/* Gives count tasks, linked from task on, to the pool. How warm that is may have changed by the
 * time they are in it: no matter. */
static void drain(struct belay__task *task, unsigned count)
{
	struct belay__task *next;
	size_t warm;

	lock();
	warm = pool.free_count;
	unlock();
	for (struct belay__task *at = task; at; at = at->next)
		if (at->stack.touched && warm++ >= WARM)
			belay__stack_clear(&at->stack);
		else if (at->stack.touched)
			belay__stack_clear_depth(&at->stack);
	lock();
	for (; task; task = next) {
		next = task->next;
		put(task);
	}
	unlock();
}

/* All but the BATCH-th latest go. */
static void spill(struct belay__cache *cache)
{
	struct belay__task *last = cache->free, *rest;

	for (unsigned i = 1; i < CACHE_MOST - BATCH; i++)
		last = last->next;
	rest = last->next;
	last->next = NULL;
	drain(rest, cache->count - (CACHE_MOST - BATCH));
	cache->count = CACHE_MOST - BATCH;
}

void belay__cache_flush(struct belay__cache *cache)
{
	drain(cache->free, cache->count);
	*cache = (struct belay__cache){NULL, 0};
}

/* ---- Taking and giving ----------------------------------------------------------------------- */

struct belay__task *belay__task_take(struct belay__cache *cache, const struct belay_site *site)
{
	struct belay__task *task;

	if (belay__alloc_fails())
		return NULL;
	task = cache && cache->free ? pop(cache) : refill(cache);
	if (task)
		atomic_store_explicit(&task->site, site ? site : &unknown, memory_order_relaxed);
	return task;
}

void belay__task_give(struct belay__cache *cache, struct belay__task *task)
{
	atomic_store_explicit(&task->site, NULL, memory_order_relaxed);
	if (!cache) {
		task->next = NULL;
		drain(task, 1);
		return;
	}
	push(cache, task);
	if (cache->count > CACHE_MOST)
		spill(cache);
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
}

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

static void report_one(void *arg, const struct belay_site *site)
{
	if (site == &unknown)
		fprintf(arg, "  task started at an unknown line\n");
	else
		fprintf(arg, "  task started at %s:%d in %s()\n", site->file, site->line,
			site->func);
}

void belay__task_report(FILE *out)
{
	visit_all(report_one, out);
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
	pool.free = NULL;
	pool.free_count = 0;
}

void belay__tasks_trim(void)
{
	if (belay__task_count() > 0)
		return;
	lock();
	free_all();
	unlock();
}
