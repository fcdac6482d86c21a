/* SPDX-License-Identifier: MIT
 *
 * membarrier.c - membarrier(2), and what is done without it.
 */
#include "base/membarrier.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Relaxed: who has not seen yet that it fails finds out himself. */
static _Atomic bool have_it;

static bool membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0) == 0;
}

/* Before main(), as long as there is one thread: with more of them it takes milliseconds. */
__attribute__((constructor)) static void ask_for_it(void)
{
	atomic_store_explicit(&have_it, membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED),
			      memory_order_relaxed);
}

bool belay__have_membarrier(void)
{
	return atomic_load_explicit(&have_it, memory_order_relaxed);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Processors keep a store to themselves for less than a microsecond. By the clock: a signal ends a
 * sleep, and a filter of system calls may refuse it. */
static void wait_instead(void)
{
	const struct timespec long_enough = {.tv_nsec = 10000000};
	int64_t end = now() + long_enough.tv_nsec;

	while (now() < end)
		nanosleep(&long_enough, NULL);
}

bool belay__membarrier(void)
{
	int saved = errno;
	bool done = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);

	if (!done) {
		atomic_store_explicit(&have_it, false, memory_order_relaxed);
		wait_instead();
	}
	errno = saved;
	return done;
}
