/* SPDX-License-Identifier: MIT
 *
 * slab.h - objects of one size, all of which can be looked at.
 *
 * Memory of a slab is type-stable: as long as the process runs (until belay__slab_trim()) every
 * slot keeps its place, and its first word, a reference count, is valid and 0 while the slot is
 * free. So somebody who walks over the slots may try to take a reference to whatever is in them.
 */
#ifndef BELAY_SRC_BASE_SLAB_H
#define BELAY_SRC_BASE_SLAB_H

#include "base/lock.h"

#include <stddef.h>

enum { BELAY__SLAB_CACHE = 32, BELAY__SLABS_MAX = 4 };

struct belay__slab {
	unsigned id;     /* below BELAY__SLABS_MAX, one for each slab of the process */
	size_t size;     /* of an object, at least 16 */
	struct belay__lock lock;
	struct belay__slab_chunk *chunks;
	void *free;      /* slots, linked through their second word */
	size_t free_count, total;
};

/* A slot whose first word is 0 and whose rest is whatever it was; NULL: out of memory. */
void *belay__slab_alloc(struct belay__slab *slab);

/* Gives it back; its first word must be 0. */
void belay__slab_free(struct belay__slab *slab, void *object);

/* Calls visit(arg, object) for every slot, free or not. Holds the slab's lock: visit may take no
 * other and must be short. */
void belay__slab_visit(struct belay__slab *slab, void (*visit)(void *arg, void *object), void *arg);

/* How many slots there are in all: an upper bound of what is in use. */
size_t belay__slab_total(struct belay__slab *slab);

/* Gives the memory back to the system where no object is in use and no other thread caches a
 * slot. */
void belay__slab_trim(struct belay__slab *slab);

#endif
