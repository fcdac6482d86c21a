/* SPDX-License-Identifier: MIT
 *
 * alloc.h - the house's one way to malloc, so that tests can make any allocation fail.
 */
#ifndef BELAY_SRC_BASE_ALLOC_H
#define BELAY_SRC_BASE_ALLOC_H

#include <stddef.h>
#include <string.h>

/* As malloc, calloc, realloc, aligned_alloc, strdup and free; NULL where memory, or the test's
 * patience, runs out. */
void *belay__malloc(size_t size);
void *belay__calloc(size_t count, size_t size);
void *belay__realloc(void *block, size_t size);
void *belay__aligned_alloc(size_t alignment, size_t size);
char *belay__strdup(const char *s);
void belay__free(void *block);

/* As memset(bytes, 0, size), called: where gcc knows a size of more than 80 it makes a rep stos of
 * it, which is so slow to begin that the library's would be done. */
static inline void belay__clear(void *bytes, size_t size)
{
	__asm__("" : "+r"(size));
	memset(bytes, 0, size);
}

/* The seam for tests: a program that defines this (tests/support/fuse.h does) is asked before each
 * allocation of all of Belay's libraries in it. Weak: elsewhere it is NULL and nobody is asked. */
__attribute__((weak, visibility("default"))) int belay__fuse_blows(void);

/* True where this allocation is to fail. What every other allocator of the house asks first: slabs,
 * stacks, threads. */
static inline int belay__alloc_fails(void)
{
	return __builtin_expect(belay__fuse_blows != NULL, 0) && belay__fuse_blows();
}

#endif
