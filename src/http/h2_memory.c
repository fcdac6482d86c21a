/* SPDX-License-Identifier: MIT
 *
 * h2_memory.c - the memory of nghttp2's sessions, which bears its loss.
 *
 * Where an allocation fails in the middle of a call nghttp2 (as of 1.52) may free an item and keep
 * it in a queue, or free it twice. So each block is in a list of ours, and from the first failure
 * on a session is starved: what it frees stays, nothing is asked of it any more, and in place of
 * being taken apart it is dropped, all of its blocks at once. Its connection is closed.
 *
 * Locking     the connection's lock, as for the session.
 */
#include "http/h2.h"

#include "base/alloc.h"

#include <string.h>

struct block {
	struct belay__list link;
	max_align_t bytes[];
};

static struct block *block_of(void *bytes)
{
	return (struct block *)(void *)((char *)bytes - offsetof(struct block, bytes));
}

/* The bytes of a block that has just been made, or NULL. */
static void *keep(struct belay__h2_memory *memory, struct block *block)
{
	if (!block) {
		memory->starved = true;
		return NULL;
	}
	belay__list_append(&memory->blocks, &block->link);
	return block->bytes;
}

static void *mem_malloc(size_t size, void *arg)
{
	return keep(arg, belay__malloc(offsetof(struct block, bytes) + size));
}

static void *mem_calloc(size_t count, size_t size, void *arg)
{
	size_t total;
	void *bytes;

	if (__builtin_mul_overflow(count, size, &total))
		return keep(arg, NULL);
	bytes = mem_malloc(total, arg);
	return bytes ? memset(bytes, 0, total) : NULL;
}

static void mem_free(void *bytes, void *arg)
{
	struct belay__h2_memory *memory = arg;

	if (!bytes || memory->starved)
		return;
	belay__list_remove(&block_of(bytes)->link);
	belay__free(block_of(bytes));
}

/* A block that can't grow stays as it is, and where it is. */
static void *mem_realloc(void *bytes, size_t size, void *arg)
{
	struct belay__h2_memory *memory = arg;
	struct block *block = bytes ? block_of(bytes) : NULL, *grown;

	if (memory->starved)
		return NULL;
	if (!block)
		return mem_malloc(size, arg);
	belay__list_remove(&block->link);
	grown = belay__realloc(block, offsetof(struct block, bytes) + size);
	if (!grown)
		belay__list_append(&memory->blocks, &block->link);
	return keep(memory, grown);
}

void belay__h2_memory_init(struct belay__h2_memory *memory)
{
	memory->calls = (nghttp2_mem){memory, mem_malloc, mem_free, mem_calloc, mem_realloc};
	memory->starved = false;
	belay__list_init(&memory->blocks);
}

void belay__h2_memory_drop(struct belay__h2_memory *memory)
{
	struct belay__list *link;

	while ((link = belay__list_pop(&memory->blocks)))
		belay__free(belay__container(link, struct block, link));
}
