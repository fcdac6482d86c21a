/* SPDX-License-Identifier: MIT
 *
 * processors.c - how many processors there are.
 */
#include "base/processors.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

/* The C library asks /sys, and leaves an errno where that is not mounted. Relaxed: it is the same
 * for all who ask. */
unsigned belay__processors(void)
{
	static _Atomic unsigned known; /* 0: not yet */
	unsigned count = atomic_load_explicit(&known, memory_order_relaxed);
	int saved = errno;
	long answer;

	if (count > 0)
		return count;
	answer = sysconf(_SC_NPROCESSORS_CONF);
	count = answer < 1 ? 1 : (unsigned)answer;
	atomic_store_explicit(&known, count, memory_order_relaxed);
	errno = saved;
	return count;
}

unsigned belay__processors_allowed(void)
{
	int saved = errno;
	cpu_set_t set;
	unsigned count;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		count = (unsigned)CPU_COUNT(&set);
	else
		count = belay__processors(); /* more than a set can hold */
	errno = saved;
	return count < 1 ? 1 : count;
}
