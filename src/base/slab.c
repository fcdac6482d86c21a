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
 *             asked for memory, and given it back, without the lock. threads.lock guards the ring
 *             of threads and the table of slabs. A fork(2) takes all of them, so that the child
 *             finds nothing half done by threads that it doesn't have.
 * Dropping    belay__slab_drop() reads a count of 1 and stores 0: a visitor's reference must not
 *             come between. So it says that it is dropping, then looks for visitors; a visitor says
 *             that he visits, then looks who is dropping, and waits for them to be through. Either
 *             sees the other, since the visitor has all threads run a barrier (membarrier.h). A
 *             thread that is new in the ring came after the visitor's look, and by the lock sees
 *             him. Where that barrier fails after it has worked nobody drops any more.
 */
#include "base/slab.h"

#include "base/membarrier.h"
#include "base/ring.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

enum { CHUNK = 256 << 10, RESERVE = 4, BATCH = BELAY__SLAB_CACHE / 2 };

struct chunk {
	struct belay__list all, partial; /* in the slab's rings; partial only while it is one */
	void *free;                      /* slots, linked through their second word */
	uint32_t taken, fresh;           /* slots: in use or in a cache; ever taken */
	_Alignas(8) char slots[];
};

_Thread_local struct belay__slab_thread *belay__slab_self;

/* Until membarrier(2) is known to work nobody drops without an atomic subtraction. */
_Atomic uint32_t belay__slab_visitors = 1;

static struct {
	struct belay__lock lock;
	struct belay__list *ring;
	struct belay__slab *slabs[BELAY__SLABS_MAX]; /* that a thread has used; NULL: none yet */
} threads;

/* belay__slab_visitors counts visitors alone. Guarded by threads.lock. */
static bool can_drop;

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

	belay__lock_take(&slab->lock, BELAY__RANK_SLAB);
	while (cache->count > keep)
		give_locked(slab, cache->slots[--cache->count]);
	remove_empty_locked(slab, reserve, &out);
	belay__lock_give(&slab->lock, BELAY__RANK_SLAB);
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

		belay__lock_take(&slab->lock, BELAY__RANK_SLAB);
		if (chunk)
			add_chunk_locked(slab, chunk);
		filled = fill_locked(cache);
		belay__lock_give(&slab->lock, BELAY__RANK_SLAB);
		if (filled)
			return true;
		chunk = map_chunk();
		if (!chunk)
			return false;
		poison(slab, chunk);
	}
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void leave(struct belay__slab_thread *thread)
{
	belay__lock_take(&threads.lock, BELAY__RANK_SLABS);
	belay__ring_remove(&threads.ring, &thread->link);
	belay__lock_give(&threads.lock, BELAY__RANK_SLABS);
}

/* Destructors of other keys may still come and use a slab: then all is made again, and POSIX has
 * this run once more after them. */
static void leave_at_exit(void *arg)
{
	struct belay__slab_thread *self = arg;

	for (int i = 0; i < BELAY__SLABS_MAX; i++)
		if (self->caches[i].slab)
			flush(&self->caches[i], 0, RESERVE);
	belay__slab_self = NULL;
	leave(self);
	belay__free(self);
}

static pthread_key_t exit_key;
static bool have_exit_key;

static void lock_all(void)
{
	belay__lock_take(&threads.lock, BELAY__RANK_SLABS);
	for (int i = 0; i < BELAY__SLABS_MAX; i++)
		if (threads.slabs[i])
			belay__lock_take(&threads.slabs[i]->lock, BELAY__RANK_SLAB);
}

static void unlock_all(void)
{
	for (int i = 0; i < BELAY__SLABS_MAX; i++)
		if (threads.slabs[i])
			belay__lock_give(&threads.slabs[i]->lock, BELAY__RANK_SLAB);
	belay__lock_give(&threads.lock, BELAY__RANK_SLABS);
}

/* In the child of a fork(2) no other thread is left that could be dropping, or visit. */
static void unlock_child(void)
{
	struct belay__list *link = threads.ring;

	atomic_store_explicit(&belay__slab_visitors, can_drop ? 0 : 1, memory_order_relaxed);
	if (link)
		do
			atomic_store_explicit(&belay__container(link, struct belay__slab_thread,
								link)->dropping,
					      false, memory_order_relaxed);
		while ((link = link->next) != threads.ring);
	unlock_all();
}

static void start_threads(void)
{
	have_exit_key = pthread_key_create(&exit_key, leave_at_exit) == 0;
	if (pthread_atfork(lock_all, unlock_all, unlock_child) != 0 || !belay__have_membarrier())
		return;
	belay__lock_take(&threads.lock, BELAY__RANK_SLABS);
	can_drop = true;
	atomic_fetch_sub_explicit(&belay__slab_visitors, 1, memory_order_relaxed);
	belay__lock_give(&threads.lock, BELAY__RANK_SLABS);
}

/* NULL: out of memory, or of what it takes to learn of its exit. */
static struct belay__slab_thread *thread_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct belay__slab_thread *self;

	pthread_once(&once, start_threads);
	self = have_exit_key ? belay__calloc(1, sizeof *self) : NULL;
	if (!self)
		return NULL;
	if (pthread_setspecific(exit_key, self) != 0) {
		belay__free(self);
		return NULL;
	}
	belay__lock_take(&threads.lock, BELAY__RANK_SLABS);
	belay__ring_append(&threads.ring, &self->link);
	belay__lock_give(&threads.lock, BELAY__RANK_SLABS);
	return self;
}

static void open_cache(struct belay__slab_thread *self, struct belay__slab *slab)
{
	belay__lock_take(&threads.lock, BELAY__RANK_SLABS);
	threads.slabs[slab->id] = slab;
	belay__lock_give(&threads.lock, BELAY__RANK_SLABS);
	self->caches[slab->id].slab = slab;
}

static struct belay__slab_cache *cache_of(struct belay__slab *slab)
{
	if (!belay__slab_self)
		belay__slab_self = thread_new();
	if (!belay__slab_self)
		return NULL;
	if (!belay__slab_self->caches[slab->id].slab)
		open_cache(belay__slab_self, slab);
	return &belay__slab_self->caches[slab->id];
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

static void drop_no_more(void)
{
	belay__lock_take(&threads.lock, BELAY__RANK_SLABS);
	if (can_drop) {
		can_drop = false;
		atomic_fetch_add_explicit(&belay__slab_visitors, 1, memory_order_relaxed);
	}
	belay__lock_give(&threads.lock, BELAY__RANK_SLABS);
}

/* A few instructions, unless its thread has lost its processor there. */
static void await_drop(struct belay__slab_thread *thread)
{
	for (unsigned round = 0;
	     atomic_load_explicit(&thread->dropping, memory_order_acquire); round++)
		belay__lock_pause(round);
}

/* Nobody drops any more without looking. */
static void begin_visit(void)
{
	struct belay__list *link;
	int saved = errno;

	atomic_fetch_add_explicit(&belay__slab_visitors, 1, memory_order_seq_cst);
	if (!belay__membarrier())
		drop_no_more();
	belay__lock_take(&threads.lock, BELAY__RANK_SLABS);
	link = threads.ring;
	if (link)
		do
			await_drop(belay__container(link, struct belay__slab_thread, link));
		while ((link = link->next) != threads.ring);
	belay__lock_give(&threads.lock, BELAY__RANK_SLABS);
	errno = saved;
}

static void end_visit(void)
{
	atomic_fetch_sub_explicit(&belay__slab_visitors, 1, memory_order_release);
}

static void visit_chunk(const struct belay__slab *slab, struct chunk *chunk,
			void (*visit)(void *arg, void *object), void *arg)
{
	for (uint32_t i = 0; i < chunk->fresh; i++)
		visit(arg, chunk->slots + i * slab->size);
}

void belay__slab_visit(struct belay__slab *slab, void (*visit)(void *arg, void *object), void *arg)
{
	struct belay__list *link;

	begin_visit();
	belay__lock_take(&slab->lock, BELAY__RANK_SLAB);
	link = slab->chunks;
	if (link)
		do
			visit_chunk(slab, belay__container(link, struct chunk, all), visit, arg);
		while ((link = link->next) != slab->chunks);
	belay__lock_give(&slab->lock, BELAY__RANK_SLAB);
	end_visit();
}

size_t belay__slab_total(struct belay__slab *slab)
{
	size_t total;

	belay__lock_take(&slab->lock, BELAY__RANK_SLAB);
	total = slab->total;
	belay__lock_give(&slab->lock, BELAY__RANK_SLAB);
	return total;
}

void belay__slab_trim(struct belay__slab *slab)
{
	struct belay__slab_cache none = {.slab = slab};
	bool cached = belay__slab_self && belay__slab_self->caches[slab->id].slab;

	flush(cached ? &belay__slab_self->caches[slab->id] : &none, 0, 0);
}
