/* SPDX-License-Identifier: MIT
 *
 * stop.c - what the rooms have to forget when belay_shutdown() has stopped all threads.
 *
 * A stack that is only ever pushed to. Release and acquire: who finds an entry finds its next.
 */
#include "base/stop.h"

#include <stddef.h>

static _Atomic(struct belay__stop *) stops;

void belay__stop_register(struct belay__stop *stop)
{
	/* Relaxed: whether it was this call does not depend on anything else. */
	if (atomic_load_explicit(&stop->registered, memory_order_relaxed) ||
	    atomic_exchange_explicit(&stop->registered, 1, memory_order_relaxed))
		return;
	stop->next = atomic_load_explicit(&stops, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&stops, &stop->next, stop,
						      memory_order_release, memory_order_relaxed))
		;
}

void belay__stop_all(void)
{
	struct belay__stop *stop = atomic_load_explicit(&stops, memory_order_acquire);

	for (; stop; stop = stop->next)
		stop->fn();
}
