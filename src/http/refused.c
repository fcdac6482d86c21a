/* SPDX-License-Identifier: MIT
 *
 * refused.c - requests that could not be understood, or not taken.
 *
 * Memory      The counters are relaxed: each is true by itself, and nothing depends on them.
 */
#include "http/refused.h"

#include <stdatomic.h>

enum { KINDS = 6 };

static const int statuses[KINDS] = {400, 408, 417, 431, 505, 0};
static _Atomic uint64_t counts[KINDS];

void belay__count_refused(int status)
{
	unsigned i = 0;

	while (i < KINDS - 1 && statuses[i] != status)
		i++;
	atomic_fetch_add_explicit(&counts[i], 1, memory_order_relaxed);
}

void belay__refused_visit(void (*visit)(void *arg, int status, uint64_t count), void *arg)
{
	for (unsigned i = 0; i < KINDS; i++)
		visit(arg, statuses[i], atomic_load_explicit(&counts[i], memory_order_relaxed));
}
