/* SPDX-License-Identifier: MIT
 *
 * slab.c - objects of one size, from chunks, through a small cache a thread.
 *
 * Layout      A chunk is CHUNK bytes at a multiple of CHUNK, so that a slot's address names its
 *             chunk. Slots that were never taken have never been touched either, so they cost no
 *             memory. A free slot's first word stays 0 (the promise to those who visit); its second
 *             links it to the next free one. The rest is poisoned for the address sanitizer.
 * Giving back A chunk that has no slot taken any more goes back to the system, but for RESERVE of
 *             them, so that a load that comes and goes does not map and unmap all the time.
 *             What is half empty comes first when slots are taken, what is empty last.
 * Locking     slab->lock guards it and its chunks. A cache belongs to its thread. The system is
 *             asked for memory, and given it back, without the lock.
 */
#include "base/slab.h"

#include "base/ring.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

enum { CHUNK = 256 << 10, RESERVE = 4, BATCH = BELAY__SLAB_CACHE / 2 };

struct chunk {
	struct belay__list all, partial; /* in the slab's rings; partial only while it is one */
	void *free;                      /* slots, linked through their second word */
	uint32_t taken, fresh;           /* slots: in use or in a cache; ever taken */
	_Alignas(8) char slots[];
};

_Thread_local struct belay__slab_cache *belay__slab_caches;

static void **link_of(void *slot)
{
	return (void **)slot + 1;
}

static uint32_t capacity(const struct belay__slab *slab)
{
	return (uint32_t)((CHUNK - sizeof(struct chunk)) / slab->size);
}

static struct chunk *chunk_of(void *slot)
{
	return (struct chunk *)((uintptr_t)slot & ~(uintptr_t)(CHUNK - 1));
}

/* ---- Chunks ---------------------------------------------------------------------------------- */

/* The leak sanitizer does not know of mappings: where a program has one it is told where pointers
 * to blocks of malloc's can be. */
__attribute__((weak)) void __lsan_register_root_region(const void *p, size_t size);
__attribute__((weak)) void __lsan_unregister_root_region(const void *p, size_t size);

/* CHUNK bytes of zeroes at a multiple of CHUNK, cut out of twice as many. NULL: out of memory. */
static struct chunk *map_chunk(void)
{
	char *map = mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);
	size_t before;

	if (map == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)map & (CHUNK - 1);
	if (before > 0)
		munmap(map, before);
	munmap(map + before + CHUNK, CHUNK - before);
	if (__lsan_register_root_region)
		__lsan_register_root_region(map + before, CHUNK);
	return (struct chunk *)(map + before);
}

static void unmap_chunks(struct belay__list **ring)
{
	struct belay__list *link;

	while ((link = belay__ring_pop(ring))) {
		struct chunk *chunk = belay__container(link, struct chunk, all);

		if (__lsan_unregister_root_region)
			__lsan_unregister_root_region(chunk, CHUNK);
		BELAY__UNPOISON(chunk, CHUNK);
		munmap(chunk, CHUNK);
	}
}

static void add_chunk_locked(struct belay__slab *slab, struct chunk *chunk)
{
	belay__ring_append(&slab->chunks, &chunk->all);
	belay__ring_append(&slab->partial, &chunk->partial);
	slab->empty++;
}

/* All empty ones but for keep go to the ring out. */
static void remove_empty_locked(struct belay__slab *slab, size_t keep, struct belay__list **out)
{
	while (slab->empty > keep) {
		/* They are the last ones. */
		struct chunk *chunk =
			belay__container(slab->partial->prev, struct chunk, partial);

		belay__ring_remove(&slab->partial, &chunk->partial);
		belay__ring_remove(&slab->chunks, &chunk->all);
		slab->empty--;
		slab->total -= chunk->fresh;
		belay__ring_append(out, &chunk->all);
	}
}

/* ---- Slots ----------------------------------------------------------------------------------- */

static void *take_from(struct belay__slab *slab, struct chunk *chunk)
{
	void *slot = chunk->free;

	if (slot) {
		chunk->free = *link_of(slot);
		return slot;
	}
	slab->total++;
	return chunk->slots + chunk->fresh++ * slab->size;
}

/* NULL: there is no free one. */
static void *take_locked(struct belay__slab *slab)
{
	struct chunk *chunk;

	if (!slab->partial)
		return NULL;
	chunk = belay__container(slab->partial, struct chunk, partial);
	if (chunk->taken++ == 0)
		slab->empty--;
	if (chunk->taken == capacity(slab))
		belay__ring_remove(&slab->partial, &chunk->partial);
	return take_from(slab, chunk);
}

static void give_locked(struct belay__slab *slab, void *slot)
{
	struct chunk *chunk = chunk_of(slot);

	*link_of(slot) = chunk->free;
	chunk->free = slot;
	if (chunk->taken-- == capacity(slab)) {
		belay__ring_append(&slab->partial, &chunk->partial);
		slab->partial = &chunk->partial; /* the first */
	}
	if (chunk->taken == 0) {
		belay__ring_remove(&slab->partial, &chunk->partial);
		belay__ring_append(&slab->partial, &chunk->partial);
		slab->empty++;
	}
}

/* ---- The cache of a thread ------------------------------------------------------------------- */

static void flush(struct belay__slab_cache *cache, unsigned keep, size_t reserve)
{
	struct belay__slab *slab = cache->slab;
	struct belay__list *out = NULL;

	belay__lock_take(&slab->lock, BELAY__RANK_LEAF);
	while (cache->count > keep)
		give_locked(slab, cache->slots[--cache->count]);
	remove_empty_locked(slab, reserve, &out);
	belay__lock_give(&slab->lock, BELAY__RANK_LEAF);
	unmap_chunks(&out);
}

static bool fill_locked(struct belay__slab_cache *cache)
{
	void *slot;

	while (cache->count < BATCH && (slot = take_locked(cache->slab)))
		cache->slots[cache->count++] = slot;
	return cache->count > 0;
}

static void poison(const struct belay__slab *slab, struct chunk *chunk)
{
	for (uint32_t i = 0; i < capacity(slab); i++)
		BELAY__POISON(chunk->slots + i * slab->size + BELAY__SLAB_HEAD,
			      slab->size - BELAY__SLAB_HEAD);
}

/* Of several threads that find no slot each may add a chunk: then there are a few more. */
static bool fill(struct belay__slab_cache *cache)
{
	struct belay__slab *slab = cache->slab;
	struct chunk *chunk = NULL;

	for (;;) {
		bool filled;

		belay__lock_take(&slab->lock, BELAY__RANK_LEAF);
		if (chunk)
			add_chunk_locked(slab, chunk);
		filled = fill_locked(cache);
		belay__lock_give(&slab->lock, BELAY__RANK_LEAF);
		if (filled)
			return true;
		chunk = map_chunk();
		if (!chunk)
			return false;
		poison(slab, chunk);
	}
}

/* Destructors of other keys may still come and use a cache, which is then made again: POSIX has
 * ours run once more after them. */
static void flush_at_exit(void *caches)
{
	for (int i = 0; i < BELAY__SLABS_MAX; i++)
		if (belay__slab_caches[i].slab)
			flush(&belay__slab_caches[i], 0, RESERVE);
	belay__slab_caches = NULL;
	belay__free(caches);
}

static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;
static bool have_exit_key;

static void make_exit_key(void)
{
	have_exit_key = pthread_key_create(&exit_key, flush_at_exit) == 0;
}

/* This thread's cache, to be flushed when it exits. NULL where that can't be arranged, or memory
 * has run out. */
static struct belay__slab_cache *cache_of(struct belay__slab *slab)
{
	struct belay__slab_cache *caches = belay__slab_caches;

	if (!caches) {
		pthread_once(&exit_once, make_exit_key);
		caches = have_exit_key ? belay__calloc(BELAY__SLABS_MAX, sizeof *caches) : NULL;
		if (!caches)
			return NULL;
		if (pthread_setspecific(exit_key, caches) != 0) {
			belay__free(caches);
			return NULL;
		}
		belay__slab_caches = caches;
	}
	caches[slab->id].slab = slab;
	return &caches[slab->id];
}

void *belay__slab_alloc_slow(struct belay__slab *slab)
{
	struct belay__slab_cache alone = {.slab = slab}, *cache = cache_of(slab);
	void *slot;

	if (!cache)
		cache = &alone;
	if (cache->count == 0 && !fill(cache))
		return NULL;
	slot = cache->slots[--cache->count];
	if (cache == &alone)
		flush(cache, 0, RESERVE);
	return slot;
}

void belay__slab_free_slow(struct belay__slab *slab, void *object)
{
	struct belay__slab_cache alone = {.slab = slab}, *cache = cache_of(slab);

	if (!cache)
		cache = &alone;
	if (cache->count == BELAY__SLAB_CACHE)
		flush(cache, BATCH, RESERVE);
	cache->slots[cache->count++] = object;
	if (cache == &alone)
		flush(cache, 0, RESERVE);
}

/* ---- All slots ------------------------------------------------------------------------------- */

static void visit_chunk(const struct belay__slab *slab, struct chunk *chunk,
			void (*visit)(void *arg, void *object), void *arg)
{
	for (uint32_t i = 0; i < chunk->fresh; i++)
		visit(arg, chunk->slots + i * slab->size);
}

void belay__slab_visit(struct belay__slab *slab, void (*visit)(void *arg, void *object), void *arg)
{
	struct belay__list *link;

	belay__lock_take(&slab->lock, BELAY__RANK_LEAF);
	link = slab->chunks;
	if (link)
		do
			visit_chunk(slab, belay__container(link, struct chunk, all), visit, arg);
		while ((link = link->next) != slab->chunks);
	belay__lock_give(&slab->lock, BELAY__RANK_LEAF);
}

size_t belay__slab_total(struct belay__slab *slab)
{
	size_t total;

	belay__lock_take(&slab->lock, BELAY__RANK_LEAF);
	total = slab->total;
	belay__lock_give(&slab->lock, BELAY__RANK_LEAF);
	return total;
}

void belay__slab_trim(struct belay__slab *slab)
{
	struct belay__slab_cache none = {.slab = slab};
	bool cached = belay__slab_caches && belay__slab_caches[slab->id].slab;

	flush(cached ? &belay__slab_caches[slab->id] : &none, 0, 0);
}
