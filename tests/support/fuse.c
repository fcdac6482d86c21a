/* SPDX-License-Identifier: MIT
 *
 * fuse.c - counts allocations down to the one that fails.
 *
 * Memory      Shared with the children that a test forks: an allocation is one of the test's also
 *             where a child of its makes it. Relaxed throughout: who arms the fuse does so while
 *             the threads that it counts are at rest, or doesn't care.
 */
#include "fuse.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

struct fuse {
	/* Allocations until the one that fails; 0 or less: it has, or none is to. */
	atomic_long left;
	atomic_bool rest; /* those after it fail too */
	atomic_uint failed, uses;
};

static struct fuse *fuse;

/* Before the constructors of any library allocate. */
__attribute__((constructor(101))) static void share(void)
{
	fuse = mmap(NULL, sizeof *fuse, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fuse == MAP_FAILED)
		abort();
}

void check_fuse_arm(long n, bool rest)
{
	atomic_store_explicit(&fuse->failed, 0, memory_order_relaxed);
	atomic_store_explicit(&fuse->rest, rest, memory_order_relaxed);
	atomic_store_explicit(&fuse->left, n, memory_order_relaxed);
}

void belay__fail_nth(long n)
{
	atomic_fetch_add_explicit(&fuse->uses, 1, memory_order_relaxed);
	check_fuse_arm(n, false);
}

void belay__fail_from_nth(long n)
{
	atomic_fetch_add_explicit(&fuse->uses, 1, memory_order_relaxed);
	check_fuse_arm(n, true);
}

long belay__fail_left(void)
{
	return atomic_load_explicit(&fuse->left, memory_order_relaxed);
}

unsigned belay__fail_count(void)
{
	return atomic_load_explicit(&fuse->failed, memory_order_relaxed);
}

unsigned check_fuse_uses(void)
{
	return atomic_load_explicit(&fuse->uses, memory_order_relaxed);
}

/* Two may find 1 left: the one that takes it fails, the other makes it less than none. */
static bool blows(void)
{
	if (atomic_load_explicit(&fuse->left, memory_order_relaxed) > 0 &&
	    atomic_fetch_sub_explicit(&fuse->left, 1, memory_order_relaxed) == 1)
		return true;
	return belay__fail_left() <= 0 && atomic_load_explicit(&fuse->rest, memory_order_relaxed);
}

int belay__fuse_blows(void)
{
	if (!fuse || !blows())
		return false;
	atomic_fetch_add_explicit(&fuse->failed, 1, memory_order_relaxed);
	return true;
}
