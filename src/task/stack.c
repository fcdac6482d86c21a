/* SPDX-License-Identifier: MIT
 *
 * stack.c - the stacks of tasks: 256 KiB of addresses each, committed as they are touched.
 *
 * Stacks are carved from mappings of 64, so that a million of them stay under vm.max_map_count.
 * Below each is a guard page, made with MADV_GUARD_INSTALL (which splits no mapping) where the
 * kernel has it (6.13), with mprotect elsewhere. Huge pages are refused: one would commit two
 * megabytes for a task that uses four kilobytes.
 */
#include "task/stack.h"

#include "base/sanitizer.h"

#include <sys/mman.h>
#include <unistd.h>

#ifdef BELAY_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(from, to) 0
#define VALGRIND_STACK_DEREGISTER(id)     ((void)(id))
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

static const size_t mapping_size = (size_t)BELAY__STACKS * BELAY__STACK_SIZE;
static size_t page_size;

/* Before main(), and so before any other thread. */
__attribute__((constructor)) static void ask_page_size(void)
{
	page_size = (size_t)sysconf(_SC_PAGESIZE);
}

size_t belay__page_size(void)
{
	return page_size;
}

static bool guard(char *page)
{
	return madvise(page, page_size, MADV_GUARD_INSTALL) == 0 ||
	       mprotect(page, page_size, PROT_NONE) == 0;
}

static bool guard_all(char *mapping)
{
	for (int i = 0; i < BELAY__STACKS; i++)
		if (!guard(mapping + (size_t)i * BELAY__STACK_SIZE))
			return false;
	return true;
}

char *belay__stacks_map(void)
{
	char *mapping = mmap(NULL, mapping_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (mapping == MAP_FAILED)
		return NULL;
	madvise(mapping, mapping_size, MADV_NOHUGEPAGE);
	if (guard_all(mapping))
		return mapping;
	munmap(mapping, mapping_size);
	return NULL;
}

void belay__stacks_unmap(char *mapping)
{
	munmap(mapping, mapping_size);
}

void belay__stack_init(struct belay__stack *stack, char *mapping, unsigned i)
{
	stack->low = mapping + (size_t)i * BELAY__STACK_SIZE + page_size;
	stack->used = false;
	stack->valgrind_id =
		VALGRIND_STACK_REGISTER(stack->low, stack->low + belay__stack_size());
}

void belay__stack_fini(struct belay__stack *stack)
{
	VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
	BELAY__UNPOISON(stack->low, belay__stack_size());
}

void belay__stack_clear(struct belay__stack *stack)
{
	madvise(stack->low, belay__stack_size(), MADV_DONTNEED);
	stack->used = false;
}
