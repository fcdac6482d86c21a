/* SPDX-License-Identifier: MIT
 *
 * latency.h - how long things have taken of late: a quantile over a moving window.
 */
#ifndef BELAY_SRC_HTTP_LATENCY_H
#define BELAY_SRC_HTTP_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

enum {
	BELAY__LATENCY_FRACTION = 8, /* buckets from each power of two to the next */
	BELAY__LATENCY_BUCKETS = 64 * BELAY__LATENCY_FRACTION,
};

/* All zeros but quantile: nothing is known. Any thread; nobody waits. */
struct belay__latency {
	double quantile;
	_Atomic uint32_t counts[2][BELAY__LATENCY_BUCKETS];
	_Atomic unsigned current;   /* which of them is counted in        */
	_Atomic int64_t rotate_at;  /* when the other one is emptied, and takes over */
	_Atomic int64_t refresh_at; /* when estimate is to be found again */
	_Atomic int64_t estimate;
};

void belay__latency_add(struct belay__latency *l, int64_t now, int64_t ns);

/* The quantile over the last 5 to 10 seconds, as it was at most 100 ms ago: the lower bound of its
 * bucket, which is less by an eighth at most. 0: fewer than 20 were added. */
int64_t belay__latency_estimate(struct belay__latency *l, int64_t now);

#endif
