/* SPDX-License-Identifier: MIT
 *
 * stack_use.c - BELAY_REPORT=stacks: how much of their stacks tasks have used.
 *
 * What lies below the frame in which a task begins is zero then: whole pages are given back to the
 * system, the rest of one is cleared. When the task has ended, the lowest byte that is not zero is
 * as deep as it got. The system knows which pages were touched (mincore(2)), so that those that
 * were not need no look, and get no memory.
 *
 * A task counts once it has ended. Frames that are never written to don't count; nor does, of what
 * ran below the frame where the task begins, anything but its depth: the frames of the scheduler
 * above it are added, since a stack must have room for them too.
 */
#include "task/stack_use.h"

#include "base/report.h"
#include "base/sanitizer.h"
#include "task/by_site.h"
#include "task/worker.h"

#include <stdint.h>
#include <sys/mman.h>

#ifdef BELAY_HAVE_VALGRIND
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_DEFINED(from, size) ((void)0)
#endif

/* Below the frame that clears and looks: what its own calls may use, and a red zone. */
enum { OWN = 512 };

enum { SOME = 64 }; /* pages that the system is asked of at once */

bool belay__stack_use_wanted;
static struct by_site uses;

/* ---- Clearing -------------------------------------------------------------------------------- */

static char *page_of(char *at)
{
	return (char *)((uintptr_t)at & ~(belay__page_size() - 1));
}

/* No call is made in between, or its frame would be cleared with the rest. */
BELAY__NO_SANITIZE static void clear_bytes(volatile char *from, const volatile char *to)
{
	while (from < to)
		*from++ = 0;
}

static void clear(char *low, char *top)
{
	char *page = page_of(top);

	if (page > low)
		madvise(low, (size_t)(page - low), MADV_DONTNEED);
	clear_bytes(page, top);
}

/* ---- Looking --------------------------------------------------------------------------------- */

/* The lowest byte of [from, to) that is not zero; to: none. */
BELAY__NO_SANITIZE static const char *first_used(const char *from, const char *to)
{
	VALGRIND_MAKE_MEM_DEFINED(from, (size_t)(to - from));
	while (from < to && *(const volatile char *)from == 0)
		from++;
	return from;
}

/* The first page of [low, top) that has memory; the first of all, where the system does not tell.
 * Some at a time: this runs on the stack that it looks at. */
static char *first_page(char *low, const char *top)
{
	unsigned char there[SOME];
	size_t page = belay__page_size(), i = 0;

	for (; low < top; low += page, i++) {
		size_t left = (size_t)(top - low), some = SOME * page;

		if (i % SOME == 0 && mincore(low, left < some ? left : some, there) < 0)
			return low;
		if (there[i % SOME] & 1)
			return low;
	}
	return low;
}

/* ---- Both ------------------------------------------------------------------------------------ */

/* Its stack is the one it has now, which it may have inherited. */
__attribute__((noinline)) void belay__stack_use_run(struct belay__task *task, void *arg)
{
	size_t size = belay__stack_size(&task->stack);
	char *low = task->stack.low, *top = low + size;
	char *here = (char *)__builtin_frame_address(0) - OWN;
	const char *deepest;

	clear(low, here);
	task->fn(task->ctx, arg);
	deepest = first_used(first_page(low, top), here);
	belay__by_site_note(&uses, atomic_load_explicit(&task->site, memory_order_relaxed),
			    top - deepest, (int64_t)size);
}

/* ---- The report ------------------------------------------------------------------------------ */

static void print_use(FILE *out, const struct belay__by_site_entry *use)
{
	fprintf(out, "  %lld of %lld bytes, of %llu task%s started at ", (long long)use->most,
		(long long)use->limit, (unsigned long long)use->count,
		use->count == 1 ? "" : "s");
	belay__site_print(out, use->site);
	fputc('\n', out);
}

static size_t report(FILE *out)
{
	return belay__by_site_print(&uses, out, "belay: the most stack that tasks have used:\n",
				    print_use);
}

__attribute__((constructor)) static void register_report(void)
{
	unsigned char there;

	belay__stack_use_wanted = belay__report_wanted("stacks");
	/* Bound now, not on a stack that is measured. */
	mincore(page_of((char *)&there), 1, &there);
	belay__report("stacks", report, "belay: no task has ended\n");
}
