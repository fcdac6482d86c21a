/* SPDX-License-Identifier: MIT
 *
 * dropped.c - headers that should have carried a context, and were malformed.
 *
 * Memory      The counters are relaxed: each is true by itself, and nothing depends on them. They
 *             share a cache line, which only malformed requests fight over.
 */
#include "http/dropped.h"

#include <stdatomic.h>

static _Atomic uint64_t counts[BELAY__DROPPED_KINDS];

void belay__drop(enum belay__dropped kind)
{
	atomic_fetch_add_explicit(&counts[kind], 1, memory_order_relaxed);
}

uint64_t belay__dropped_count(enum belay__dropped kind)
{
	return atomic_load_explicit(&counts[kind], memory_order_relaxed);
}

const char *belay__dropped_name(enum belay__dropped kind)
{
	static const char *const names[BELAY__DROPPED_KINDS] = {
		"traceparent", "tracestate",	  "x-trace-id",
		"baggage",     "request-timeout", "grpc-timeout",
	};

	return names[kind];
}
