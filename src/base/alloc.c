/* SPDX-License-Identifier: MIT
 *
 * alloc.c - malloc, which a test may make fail.
 */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

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
