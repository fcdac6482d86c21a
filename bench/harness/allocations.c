/* SPDX-License-Identifier: MIT
 *
 * allocations.c - counts how often a program asks for memory. Put before the C library by
 * LD_PRELOAD; what the C library asks of itself is not seen, and not meant.
 *
 * Locking: none; one counter, of which only the sum matters.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The C library's own names for what is replaced here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_long count;

static void note(void)
{
	atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
}

EXPORT long allocations_so_far(void);
EXPORT long allocations_so_far(void)
{
	return atomic_load_explicit(&count, memory_order_relaxed);
}

EXPORT void *malloc(size_t size)
{
	note();
	return __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size)
{
	note();
	return __libc_calloc(n, size);
}

EXPORT void *realloc(void *old, size_t size)
{
	note();
	return __libc_realloc(old, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	note();
	return __libc_memalign(alignment, size);
}

EXPORT int posix_memalign(void **ret, size_t alignment, size_t size)
{
	void *p;

	note();
	p = __libc_memalign(alignment, size);
	if (p)
		*ret = p;
	return p ? 0 : ENOMEM;
}

EXPORT void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	note();
	return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
}
