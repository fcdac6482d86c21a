/* SPDX-License-Identifier: MIT
 *
 * slab.h - objects of one size, all of which can be looked at.
 *
 * The first word of an object is a reference count, and 0 while its slot is free. So somebody who
 * visits the slots may try to take a reference to whatever is in them; memory goes back to the
 * system only while nobody visits.
 *
 * A thread takes and gives slots through a small cache of its own: that much is inline. So is
 * giving up the only reference without a locked instruction; visits, which are rare, pay for that.
 */
#ifndef BELAY_SRC_BASE_SLAB_H
#define BELAY_SRC_BASE_SLAB_H

#include "base/alloc.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/sanitizer.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BELAY__SLAB_CACHE = 32, BELAY__SLABS_MAX = 4 };
enum { BELAY__SLAB_HEAD = 2 * sizeof(void *) }; /* of a free slot: its 0, and a link */

/* Zeroed but for id and size. */
struct belay__slab {
	unsigned id;     /* below BELAY__SLABS_MAX, one for each slab of the process */
	size_t size;     /* of an object: a multiple of 8, at least 16 */
	struct belay__lock lock;
	struct belay__list *chunks, *partial; /* rings: all, and those with a free slot */
	size_t empty;    /* chunks with no slot taken */
	size_t total;    /* slots that were ever taken, in the chunks that there are */
};

struct belay__slab_cache {
	struct belay__slab *slab;
	unsigned count;
	void *slots[BELAY__SLAB_CACHE];
};

/* What a thread has. */
struct belay__slab_thread {
	struct belay__list link;   /* in the ring of all threads */
	_Atomic bool dropping;
	struct belay__slab_cache caches[BELAY__SLABS_MAX]; /* by the slabs' ids */
};

/* This thread's; NULL: none yet. */
extern _Thread_local struct belay__slab_thread *belay__slab_self;

/* How many visit, plus one where the system lacks what belay__slab_drop() needs of it. */
extern _Atomic uint32_t belay__slab_visitors;

void *belay__slab_alloc_slow(struct belay__slab *slab);
void belay__slab_free_slow(struct belay__slab *slab, void *object);

/* A slot whose first word is 0 and whose rest is whatever it was; NULL: out of memory. */
static inline void *belay__slab_alloc(struct belay__slab *slab)
{
	struct belay__slab_thread *self = belay__slab_self;
	void *slot;

	if (belay__alloc_fails())
		return NULL;
	if (self && self->caches[slab->id].count > 0)
		slot = self->caches[slab->id].slots[--self->caches[slab->id].count];
	else
		slot = belay__slab_alloc_slow(slab);
	if (slot)
		BELAY__UNPOISON(slot, slab->size);
	return slot;
}

/* Gives it back; its first word must be 0. */
static inline void belay__slab_free(struct belay__slab *slab, void *object)
{
	struct belay__slab_thread *self = belay__slab_self;
	struct belay__slab_cache *cache = self ? &self->caches[slab->id] : NULL;

	BELAY__POISON((char *)object + BELAY__SLAB_HEAD, slab->size - BELAY__SLAB_HEAD);
	if (cache && cache->slab && cache->count < BELAY__SLAB_CACHE)
		cache->slots[cache->count++] = object;
	else
		belay__slab_free_slow(slab, object);
}

/* Gives up the only reference there is to an object, where nobody can come by one but a visitor.
 * False: it has not, since there are more, or somebody visits: then an atomic subtraction will. The
 * protocol with the visitors stands in slab.c. Acquire of refs pairs with the releases of those who
 * had references before; of visitors, with the release in the end of a visit: who does not see the
 * visitor any more sees what he has taken. */
static inline bool belay__slab_drop(_Atomic uint32_t *refs)
{
	struct belay__slab_thread *self = belay__slab_self;
	bool dropped = false;

	if (!self)
		return false;
	atomic_store_explicit(&self->dropping, true, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&belay__slab_visitors, memory_order_acquire) == 0 &&
	    atomic_load_explicit(refs, memory_order_acquire) == 1) {
		atomic_store_explicit(refs, 0, memory_order_relaxed);
		dropped = true;
	}
	atomic_store_explicit(&self->dropping, false, memory_order_release);
	return dropped;
}

/* Calls visit(arg, object) for every slot that ever was taken, free or not. Holds the slab's lock:
 * visit may take no other and must be short. Interrupts all threads of the process for a moment. */
void belay__slab_visit(struct belay__slab *slab, void (*visit)(void *arg, void *object), void *arg);

/* How many slots belay__slab_visit() would visit: an upper bound of what is in use. */
size_t belay__slab_total(struct belay__slab *slab);

/* Gives the memory back to the system that has no object in it; this thread's cache is emptied, the
 * others' slots stay. Without it a little is kept for what comes next. */
void belay__slab_trim(struct belay__slab *slab);

#endif
