/* SPDX-License-Identifier: MIT
 *
 * stack.c - the stacks of tasks: 256 KiB of addresses each, committed as they are touched.
 *
 * Stacks are carved from mappings of 64, so that a million of them stay under vm.max_map_count.
 * Below each is a guard page, made with MADV_GUARD_INSTALL (which splits no mapping) where the
 * kernel has it (6.13), with mprotect elsewhere. Huge pages are refused: one would commit two
 * megabytes for a task that uses four kilobytes. Freed stacks are used again last in, first out,
 * while they are warm in the cache; past WARM of them the pages go back to the system.
 *
 * Locking     pool.lock guards everything here but the stacks' contents.
 */
#include "task/stack.h"

#include "base/alloc.h"
#include "base/lock.h"
#include "base/sanitizer.h"

#include <stdbool.h>
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

enum { STACKS = 64, WARM = 256 };

struct mapping {
	struct mapping *next;
	char *base;
	struct belay__stack stacks[STACKS];
};

static struct {
	struct belay__lock lock;
	struct mapping *mappings;
	struct belay__stack *free;
	size_t free_count, in_use;
} pool;

static bool guard(char *page, size_t size)
{
	return madvise(page, size, MADV_GUARD_INSTALL) == 0 ||
	       mprotect(page, size, PROT_NONE) == 0;
}

static bool guard_all(struct mapping *mapping, size_t page)
{
	for (int i = 0; i < STACKS; i++) {
		char *bottom = mapping->base + (size_t)i * BELAY__STACK_SIZE;

		if (!guard(bottom, page))
			return false;
		mapping->stacks[i].low = bottom + page;
		mapping->stacks[i].size = BELAY__STACK_SIZE - page;
	}
	return true;
}

static bool map(struct mapping *mapping)
{
	size_t size = (size_t)STACKS * BELAY__STACK_SIZE;

	mapping->base = mmap(NULL, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (mapping->base == MAP_FAILED)
		return false;
	madvise(mapping->base, size, MADV_NOHUGEPAGE);
	if (guard_all(mapping, (size_t)sysconf(_SC_PAGESIZE)))
		return true;
	munmap(mapping->base, size);
	return false;
}

static void give_locked(struct belay__stack *stack)
{
	stack->next_free = pool.free;
	pool.free = stack;
	pool.free_count++;
}

static bool grow_locked(void)
{
	struct mapping *mapping = belay__calloc(1, sizeof *mapping);

	if (!mapping)
		return false;
	if (!map(mapping)) {
		belay__free(mapping);
		return false;
	}
	mapping->next = pool.mappings;
	pool.mappings = mapping;
	for (int i = STACKS; i-- > 0;) {
		struct belay__stack *stack = &mapping->stacks[i];

		stack->valgrind_id =
			VALGRIND_STACK_REGISTER(stack->low, stack->low + stack->size);
		give_locked(stack);
	}
	return true;
}

static struct belay__stack *take_locked(const struct belay_site *site)
{
	struct belay__stack *stack;

	if (!pool.free && !grow_locked())
		return NULL;
	stack = pool.free;
	pool.free = stack->next_free;
	pool.free_count--;
	pool.in_use++;
	stack->site = site;
	stack->in_use = true;
	return stack;
}

/* What the last task of a stack left poisoned, its outermost frames, was never returned from. */
struct belay__stack *belay__stack_take(const struct belay_site *site)
{
	struct belay__stack *stack;

	if (belay__alloc_fails())
		return NULL;
	belay__lock_take(&pool.lock, BELAY__RANK_LEAF);
	stack = take_locked(site);
	belay__lock_give(&pool.lock, BELAY__RANK_LEAF);
	if (stack)
		BELAY__UNPOISON(stack->low, stack->size);
	return stack;
}

void belay__stack_give(struct belay__stack *stack)
{
	bool cold;

	belay__lock_take(&pool.lock, BELAY__RANK_LEAF);
	cold = pool.free_count >= WARM;
	belay__lock_give(&pool.lock, BELAY__RANK_LEAF);
	if (cold)
		madvise(stack->low, stack->size, MADV_DONTNEED);
	belay__lock_take(&pool.lock, BELAY__RANK_LEAF);
	stack->in_use = false;
	pool.in_use--;
	give_locked(stack);
	belay__lock_give(&pool.lock, BELAY__RANK_LEAF);
}

size_t belay__stack_count(void)
{
	size_t count;

	belay__lock_take(&pool.lock, BELAY__RANK_LEAF);
	count = pool.in_use;
	belay__lock_give(&pool.lock, BELAY__RANK_LEAF);
	return count;
}

static void report_locked(FILE *out)
{
	for (struct mapping *mapping = pool.mappings; mapping; mapping = mapping->next)
		for (int i = 0; i < STACKS; i++) {
			const struct belay_site *site = mapping->stacks[i].site;

			if (!mapping->stacks[i].in_use)
				continue;
			if (site)
				fprintf(out, "  task started at %s:%d in %s()\n", site->file,
					site->line, site->func);
			else
				fprintf(out, "  task started at an unknown line\n");
		}
}

void belay__stack_report(FILE *out)
{
	belay__lock_take(&pool.lock, BELAY__RANK_LEAF);
	report_locked(out);
	belay__lock_give(&pool.lock, BELAY__RANK_LEAF);
}

static void unmap_all_locked(void)
{
	struct mapping *mapping;

	while ((mapping = pool.mappings)) {
		pool.mappings = mapping->next;
		for (int i = 0; i < STACKS; i++) {
			VALGRIND_STACK_DEREGISTER(mapping->stacks[i].valgrind_id);
			BELAY__UNPOISON(mapping->stacks[i].low, mapping->stacks[i].size);
		}
		munmap(mapping->base, (size_t)STACKS * BELAY__STACK_SIZE);
		belay__free(mapping);
	}
	pool.free = NULL;
	pool.free_count = 0;
}

void belay__stack_trim(void)
{
	belay__lock_take(&pool.lock, BELAY__RANK_LEAF);
	if (pool.in_use == 0)
		unmap_all_locked();
	belay__lock_give(&pool.lock, BELAY__RANK_LEAF);
}
