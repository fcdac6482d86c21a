/* SPDX-License-Identifier: MIT
 *
 * stack.c - the stacks of tasks: addresses, of which memory is committed as they are touched.
 *
 * Ordinary ones are 244 KiB with their guards, and carved from mappings of 64 and more, so that a
 * million of them stay under vm.max_map_count. One of another size has a mapping of its own.
 *
 * Guards      are 64 KiB, since a frame of more than the guard can step over it, and few libraries
 *             were compiled so that none does (-fstack-clash-protection). They are made with
 *             MADV_GUARD_INSTALL, which splits no mapping, where the kernel has it (6.13), with
 *             mprotect elsewhere. They take no memory but the entries of page tables: eight stacks
 *             share a table of those, and would if their guards were smaller.
 * Odd stride  Stacks are an odd number of pages apart: else the pages in use, at the top of each,
 *             would compete for few sets of the TLB.
 * Huge pages  are refused: one would commit two megabytes for a task that uses four kilobytes.
 */
#include "task/stack.h"

#include "base/sanitizer.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef BELAY_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND               false
#define VALGRIND_STACK_REGISTER(from, to) 0
#define VALGRIND_STACK_DEREGISTER(id)     ((void)(id))
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef PIDFD_SELF
#define PIDFD_SELF (-10000)
#endif

enum { SLOT = 244 << 10, AHEAD_MOST = 64 };

static size_t page_size, slot_size;

/* Before main(), and so before any other thread. */
__attribute__((constructor)) static void ask_page_size(void)
{
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	slot_size = (SLOT / page_size | 1) * page_size;
}

size_t belay__page_size(void)
{
	return page_size;
}

size_t belay__stack_ordinary(void)
{
	return slot_size - BELAY__STACK_GUARD;
}

/* ---- Mappings and guards --------------------------------------------------------------------- */

static char *map(size_t size)
{
	char *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (mapping == MAP_FAILED)
		return NULL;
	madvise(mapping, size, MADV_NOHUGEPAGE);
	return mapping;
}

/* Does all at once what madvise(2) does one by one, each time interrupting the other processors.
 * False: it has done some, or nothing, as where the kernel (or valgrind) lacks it. */
static bool advise_all(const struct iovec *ranges, size_t n, int advice)
{
	static _Atomic bool lacks_it; /* a hint: relaxed */
	size_t size = 0;
	ssize_t done;

	if (RUNNING_ON_VALGRIND || atomic_load_explicit(&lacks_it, memory_order_relaxed))
		return false;
	for (size_t i = 0; i < n; i++)
		size += ranges[i].iov_len;
	done = syscall(SYS_process_madvise, PIDFD_SELF, ranges, n, advice, 0);
	if (done < 0)
		atomic_store_explicit(&lacks_it, true, memory_order_relaxed);
	return done == (ssize_t)size;
}

static bool guard(char *at)
{
	return madvise(at, BELAY__STACK_GUARD, MADV_GUARD_INSTALL) == 0 ||
	       mprotect(at, BELAY__STACK_GUARD, PROT_NONE) == 0;
}

static bool guard_all(char *mapping)
{
	struct iovec guards[BELAY__STACKS];

	for (size_t i = 0; i < BELAY__STACKS; i++)
		guards[i] = (struct iovec){mapping + i * slot_size, BELAY__STACK_GUARD};
	if (advise_all(guards, BELAY__STACKS, MADV_GUARD_INSTALL))
		return true;
	for (size_t i = 0; i < BELAY__STACKS; i++)
		if (!guard(guards[i].iov_base))
			return false;
	return true;
}

static void init(struct belay__stack *stack, char *low, size_t size)
{
	stack->low = low;
	stack->used = false;
	stack->units = (uint32_t)(size >> 12);
	stack->valgrind_id = VALGRIND_STACK_REGISTER(low, low + size);
}

/* ---- Ordinary ones --------------------------------------------------------------------------- */

/* What has been asked for ahead. Guarded by the caller's lock, as all of these. */
static struct {
	char *low;
	unsigned left, made; /* mappings: there, and handed out */
} ahead;

static size_t mapping_size(void)
{
	return BELAY__STACKS * slot_size;
}

/* As many as there have been, so that a million take few calls: each has to wait until no thread is
 * at a page fault, and keeps them from any. Where addresses are limited, fewer. */
static bool map_ahead(void)
{
	unsigned n = ahead.made == 0 ? 1 : ahead.made < AHEAD_MOST ? ahead.made : AHEAD_MOST;

	while (n > 0 && !(ahead.low = map(n * mapping_size())))
		n /= 2;
	ahead.left = n;
	return n > 0;
}

char *belay__stacks_map(void)
{
	char *mapping;

	if (ahead.left == 0 && !map_ahead())
		return NULL;
	mapping = ahead.low;
	if (!guard_all(mapping))
		return NULL;
	ahead.low += mapping_size();
	ahead.left--;
	ahead.made++;
	return mapping;
}

void belay__stacks_unmap(char *mapping)
{
	munmap(mapping, mapping_size());
	ahead.made--;
}

void belay__stacks_trim(void)
{
	if (ahead.left > 0)
		munmap(ahead.low, ahead.left * mapping_size());
	ahead.left = 0;
}

void belay__stack_init(struct belay__stack *stack, char *mapping, unsigned i)
{
	init(stack, mapping + i * slot_size + BELAY__STACK_GUARD, belay__stack_ordinary());
}

void belay__stack_fini(struct belay__stack *stack)
{
	VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
	BELAY__UNPOISON(stack->low, belay__stack_size(stack));
}

/* ---- Of another size ------------------------------------------------------------------------- */

bool belay__stack_map(struct belay__stack *stack, size_t size)
{
	char *mapping = map(BELAY__STACK_GUARD + size);

	if (!mapping)
		return false;
	if (!guard(mapping)) {
		munmap(mapping, BELAY__STACK_GUARD + size);
		return false;
	}
	init(stack, mapping + BELAY__STACK_GUARD, size);
	return true;
}

void belay__stack_unmap(struct belay__stack *stack)
{
	belay__stack_fini(stack);
	munmap(stack->low - BELAY__STACK_GUARD, BELAY__STACK_GUARD + belay__stack_size(stack));
}

/* ---- Both ------------------------------------------------------------------------------------ */

void belay__stacks_clear(struct belay__stack *const stacks[], unsigned n)
{
	struct iovec ranges[BELAY__STACKS];

	for (unsigned i = 0; i < n; i++) {
		ranges[i] = (struct iovec){stacks[i]->low, belay__stack_size(stacks[i])};
		stacks[i]->used = false;
	}
	if (n == 0 || advise_all(ranges, n, MADV_DONTNEED))
		return;
	for (unsigned i = 0; i < n; i++)
		madvise(ranges[i].iov_base, ranges[i].iov_len, MADV_DONTNEED);
}
