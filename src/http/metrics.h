/* SPDX-License-Identifier: MIT
 *
 * metrics.h - the inside of metrics: what is counted, for the one who counts and the one who
 * writes.
 */
#ifndef BELAY_SRC_HTTP_METRICS_H
#define BELAY_SRC_HTTP_METRICS_H

#include <belay/http_middleware.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BELAY__METRICS_BUCKETS = 14, /* of the histogram, and one for all that is longer */
	BELAY__METRICS_HEADS = 256,  /* of the table of series                          */
};

enum belay__cut {
	BELAY__CUT_CLIENT,
	BELAY__CUT_DEADLINE,
	BELAY__CUT_SHUTDOWN,
	BELAY__CUT_CANCELLED,
	BELAY__CUT_ERROR,
	BELAY__CUTS,
	BELAY__CUT_NONE = BELAY__CUTS,
};

/* A processor's counters of one series, on cache lines of their own. */
struct belay__tally {
	_Alignas(64) _Atomic uint64_t ns;
	_Atomic uint64_t received, sent;
	_Atomic uint64_t counts[BELAY__METRICS_BUCKETS + 1];
};

/* Requests of one route, method and status class. Never changed once it is in the table, but for
 * its counters; never taken out. */
struct belay__series {
	struct belay__tally *tallies; /* one a processor */
	struct belay__series *next;   /* under the same head */
	unsigned method, status_class;
	char route[];
};

/* A processor's counters of all requests. */
struct belay__totals {
	_Alignas(64) _Atomic int64_t in_flight; /* may be negative: a request may move on */
	_Atomic uint64_t cut[BELAY__CUTS];
	_Atomic uint64_t uncounted;
};

struct belay_metrics {
	unsigned processors;
	struct belay__totals *totals; /* one a processor */
	_Atomic(struct belay__series *) heads[BELAY__METRICS_HEADS];
};

/* metrics.c. What is said of bucket i, in nanoseconds: its requests took no longer. */
extern const int64_t belay__metrics_bounds[BELAY__METRICS_BUCKETS];
extern const char *const belay__metrics_methods[];

#endif
