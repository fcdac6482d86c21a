/* SPDX-License-Identifier: MIT
 *
 * slab.c - objects of one size, from chunks, through a small cache a thread.
 *
 * Locking     slab->lock guards chunks, free and the counts. A cache belongs to its thread.
 * Layout      A free slot's first word stays 0 (the promise to those who walk); its second word
 *             links it to the next free one. The rest is poisoned for the address sanitizer.
 */
#include "base/slab.h"

#include "base/alloc.h"
#include "base/sanitizer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_SIZE = 64 << 10, LINE = 64, HEAD = 2 * sizeof(void *) };

struct belay__slab_chunk {
	struct belay__slab_chunk *next;
	_Alignas(LINE) char slots[];
};

static _Thread_local struct {
	struct belay__slab *slab;
	unsigned count;
	void *slots[BELAY__SLAB_CACHE];
} caches[BELAY__SLABS_MAX];

static void **link_of(void *slot)
{
	return (void **)slot + 1;
}

static size_t slots_per_chunk(const struct belay__slab *slab)
{
	return (CHUNK_SIZE - sizeof(struct belay__slab_chunk)) / slab->size;
}

static void give_locked(struct belay__slab *slab, void *slot)
{
	*link_of(slot) = slab->free;
	slab->free = slot;
	slab->free_count++;
}

static void *take_locked(struct belay__slab *slab)
{
	void *slot = slab->free;

	if (slot) {
		slab->free = *link_of(slot);
		slab->free_count--;
	}
	return slot;
}

static bool add_chunk_locked(struct belay__slab *slab)
{
	struct belay__slab_chunk *chunk = aligned_alloc(LINE, CHUNK_SIZE);

	if (!chunk)
		return false;
	memset(chunk, 0, CHUNK_SIZE);
	chunk->next = slab->chunks;
	slab->chunks = chunk;
	for (size_t i = slots_per_chunk(slab); i-- > 0;) {
		char *slot = chunk->slots + i * slab->size;

		give_locked(slab, slot);
		BELAY__POISON(slot + HEAD, slab->size - HEAD);
	}
	slab->total += slots_per_chunk(slab);
	return true;
}

/* ---- The cache of a thread ------------------------------------------------------------------- */

static void flush(struct belay__slab *slab, unsigned keep)
{
	belay__lock_take(&slab->lock, BELAY__RANK_LEAF);
	while (caches[slab->id].count > keep)
		give_locked(slab, caches[slab->id].slots[--caches[slab->id].count]);
	belay__lock_give(&slab->lock, BELAY__RANK_LEAF);
}

static bool refill(struct belay__slab *slab)
{
	void *slot;

	belay__lock_take(&slab->lock, BELAY__RANK_LEAF);
	if (slab->free || add_chunk_locked(slab))
		while (caches[slab->id].count < BELAY__SLAB_CACHE / 2 && (slot = take_locked(slab)))
			caches[slab->id].slots[caches[slab->id].count++] = slot;
	belay__lock_give(&slab->lock, BELAY__RANK_LEAF);
	return caches[slab->id].count > 0;
}

/* Destructors of other keys may still come and use a cache, which is then adopted again: POSIX has
 * ours run once more after them. */
static void flush_at_exit(void *unused)
{
	for (int i = 0; i < BELAY__SLABS_MAX; i++)
		if (caches[i].slab) {
			flush(caches[i].slab, 0);
			caches[i].slab = NULL;
		}
}

static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

static void make_exit_key(void)
{
	pthread_key_create(&exit_key, flush_at_exit);
}

/* The first use by a thread: have its cache flushed when it exits. Where that can't be arranged the
 * slots in it are lost to the others, nothing worse. */
static void adopt(struct belay__slab *slab)
{
	caches[slab->id].slab = slab;
	pthread_once(&exit_once, make_exit_key);
	pthread_setspecific(exit_key, caches);
}

void *belay__slab_alloc(struct belay__slab *slab)
{
	void *slot;

	if (belay__alloc_fails())
		return NULL;
	if (caches[slab->id].count == 0) {
		if (!caches[slab->id].slab)
			adopt(slab);
		if (!refill(slab))
			return NULL;
	}
	slot = caches[slab->id].slots[--caches[slab->id].count];
	BELAY__UNPOISON(slot, slab->size);
	return slot;
}

void belay__slab_free(struct belay__slab *slab, void *object)
{
	BELAY__POISON((char *)object + HEAD, slab->size - HEAD);
	if (!caches[slab->id].slab)
		adopt(slab);
	if (caches[slab->id].count == BELAY__SLAB_CACHE)
		flush(slab, BELAY__SLAB_CACHE / 2);
	caches[slab->id].slots[caches[slab->id].count++] = object;
}

/* ---- All slots ------------------------------------------------------------------------------- */

void belay__slab_visit(struct belay__slab *slab, void (*visit)(void *arg, void *object), void *arg)
{
	belay__lock_take(&slab->lock, BELAY__RANK_LEAF);
	for (struct belay__slab_chunk *chunk = slab->chunks; chunk; chunk = chunk->next)
		for (size_t i = 0; i < slots_per_chunk(slab); i++)
			visit(arg, chunk->slots + i * slab->size);
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

static void free_chunks_locked(struct belay__slab *slab)
{
	struct belay__slab_chunk *chunk;

	while ((chunk = slab->chunks)) {
		slab->chunks = chunk->next;
		BELAY__UNPOISON(chunk, CHUNK_SIZE);
		free(chunk);
	}
	slab->free = NULL;
	slab->free_count = slab->total = 0;
}

void belay__slab_trim(struct belay__slab *slab)
{
	if (caches[slab->id].slab)
		flush(slab, 0);
	belay__lock_take(&slab->lock, BELAY__RANK_LEAF);
	if (slab->free_count == slab->total)
		free_chunks_locked(slab);
	belay__lock_give(&slab->lock, BELAY__RANK_LEAF);
}
