/* SPDX-License-Identifier: MIT
 *
 * latency.c - how long things have taken of late: a quantile over a moving window.
 *
 * Times are counted in buckets, eight from each power of two to the next, of two windows of 5
 * seconds: one that is filled, and the one before it. The quantile is looked for in both together,
 * by whoever comes first after 100 ms.
 *
 * Memory      All accesses are relaxed: each counter is true by itself, and what is added while a
 *             window is emptied may be lost or stay, which changes an estimate by as little as one
 *             request does. Who moves refresh_at on is the one that rotates and looks.
 */
#include "http/latency.h"

#include <belay/time.h>

#include <stddef.h>

#define WINDOW BELAY_S(5)
#define FRESH BELAY_MS(100)

enum { FEWEST = 20, FRACTION = BELAY__LATENCY_FRACTION, BUCKETS = BELAY__LATENCY_BUCKETS };

/* ---- Buckets --------------------------------------------------------------------------------- */

/* Below FRACTION each number has its own; from there on the exponent and the next three bits. */
static size_t bucket_of(int64_t ns)
{
	uint64_t n = ns > 0 ? (uint64_t)ns : 0;
	unsigned exponent;

	if (n < FRACTION)
		return (size_t)n;
	exponent = 63 - (unsigned)__builtin_clzll(n);
	return (exponent - 2) * FRACTION + (n >> (exponent - 3)) % FRACTION;
}

static int64_t lower_bound_of(size_t bucket)
{
	if (bucket < FRACTION)
		return (int64_t)bucket;
	return (int64_t)(FRACTION + bucket % FRACTION) << (bucket / FRACTION - 1);
}

static uint64_t count_of(const struct belay__latency *l, size_t bucket)
{
	return (uint64_t)atomic_load_explicit(&l->counts[0][bucket], memory_order_relaxed) +
	       atomic_load_explicit(&l->counts[1][bucket], memory_order_relaxed);
}

static int64_t find_quantile(const struct belay__latency *l)
{
	uint64_t all = 0, below = 0;
	size_t bucket = 0;

	for (size_t i = 0; i < BUCKETS; i++)
		all += count_of(l, i);
	if (all < FEWEST)
		return 0;
	while (bucket < BUCKETS - 1 &&
	       (double)(below + count_of(l, bucket)) < l->quantile * (double)all)
		below += count_of(l, bucket++);
	return lower_bound_of(bucket);
}

/* ---- Windows --------------------------------------------------------------------------------- */

static void empty(struct belay__latency *l, unsigned window)
{
	for (size_t i = 0; i < BUCKETS; i++)
		atomic_store_explicit(&l->counts[window][i], 0, memory_order_relaxed);
}

/* After a time without requests both are old. */
static void rotate(struct belay__latency *l, int64_t now)
{
	int64_t at = atomic_load_explicit(&l->rotate_at, memory_order_relaxed);
	unsigned other = !atomic_load_explicit(&l->current, memory_order_relaxed);

	if (now < at)
		return;
	empty(l, other);
	if (at != 0 && now - at >= WINDOW)
		empty(l, !other);
	atomic_store_explicit(&l->current, other, memory_order_relaxed);
	atomic_store_explicit(&l->rotate_at, now + WINDOW, memory_order_relaxed);
}

static void refresh(struct belay__latency *l, int64_t now)
{
	int64_t at = atomic_load_explicit(&l->refresh_at, memory_order_relaxed);

	if (now < at || !atomic_compare_exchange_strong_explicit(&l->refresh_at, &at, now + FRESH,
								 memory_order_relaxed,
								 memory_order_relaxed))
		return;
	rotate(l, now);
	atomic_store_explicit(&l->estimate, find_quantile(l), memory_order_relaxed);
}

void belay__latency_add(struct belay__latency *l, int64_t now, int64_t ns)
{
	unsigned window;

	refresh(l, now);
	window = atomic_load_explicit(&l->current, memory_order_relaxed);
	atomic_fetch_add_explicit(&l->counts[window][bucket_of(ns)], 1, memory_order_relaxed);
}

int64_t belay__latency_estimate(struct belay__latency *l, int64_t now)
{
	refresh(l, now);
	return atomic_load_explicit(&l->estimate, memory_order_relaxed);
}
