/* SPDX-License-Identifier: MIT
 *
 * alloc.h - the house's one way to malloc, so that tests can make the n-th allocation fail.
 */
#ifndef BELAY_SRC_BASE_ALLOC_H
#define BELAY_SRC_BASE_ALLOC_H

#include <stddef.h>

/* As malloc, calloc, realloc and free; NULL where memory, or the test's patience, runs out. */
void *belay__malloc(size_t size);
void *belay__calloc(size_t count, size_t size);
void *belay__realloc(void *block, size_t size);
char *belay__strdup(const char *s);
void belay__free(void *block);

/* For tests: the n-th allocation from now on fails (1: the next one), and it alone; 0: none does.
 * Counts every allocation in the process: heap, slab and stack pool alike. */
void belay__fail_nth(long n);

/* For tests: how many allocations are left up to the one that fails; 0 or less: it has failed, or
 * none was to. */
long belay__fail_left(void);

/* True where this allocation is the one to fail. What every allocator of the house asks first. */
int belay__alloc_fails(void);

#endif
