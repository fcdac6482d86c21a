/* SPDX-License-Identifier: MIT
 *
 * alloc.c - malloc with a fuse.
 */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Allocations until the one that fails; 0 or less: none does. Relaxed: a test sets it while the
 * threads that it counts are at rest. */
static _Atomic long fuse;

void belay__fail_nth(long n)
{
	atomic_store_explicit(&fuse, n, memory_order_relaxed);
}

long belay__fail_left(void)
{
	return atomic_load_explicit(&fuse, memory_order_relaxed);
}

int belay__alloc_fails(void)
{
	if (__builtin_expect(atomic_load_explicit(&fuse, memory_order_relaxed) <= 0, 1))
		return 0;
	return atomic_fetch_sub_explicit(&fuse, 1, memory_order_relaxed) == 1;
}

void *belay__malloc(size_t size)
{
	return belay__alloc_fails() ? NULL : malloc(size);
}

void *belay__calloc(size_t count, size_t size)
{
	return belay__alloc_fails() ? NULL : calloc(count, size);
}

void *belay__realloc(void *block, size_t size)
{
	return belay__alloc_fails() ? NULL : realloc(block, size);
}

char *belay__strdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = belay__malloc(size);

	return copy ? memcpy(copy, s, size) : NULL;
}

void belay__free(void *block)
{
	free(block);
}
