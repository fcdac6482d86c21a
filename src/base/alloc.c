/* SPDX-License-Identifier: MIT
 *
 * alloc.c - malloc, which a test may make fail.
 */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { CACHED = 1024 };

void *belay__malloc(size_t size)
{
	return belay__alloc_fails() ? NULL : malloc(size);
}

/* glibc's calloc(3), before 2.41, passes by the thread's own cache of small blocks: there malloc(3)
 * and memset(3) are faster, which gcc would make a calloc(3) of where it sees both. */
void *belay__calloc(size_t count, size_t size)
{
	size_t bytes;
	void *block;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > CACHED)
		return belay__alloc_fails() ? NULL : calloc(count, size);
	block = belay__malloc(bytes);
	__asm__("" : "+r"(block));
	return block ? memset(block, 0, bytes) : NULL;
}

void *belay__realloc(void *block, size_t size)
{
	return belay__alloc_fails() ? NULL : realloc(block, size);
}

void *belay__aligned_alloc(size_t alignment, size_t size)
{
	return belay__alloc_fails() ? NULL : aligned_alloc(alignment, size);
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
