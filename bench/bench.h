/* SPDX-License-Identifier: MIT
 *
 * bench.h - what one operation costs, as the smallest, median and largest of several rounds.
 *
 * A figure belongs to the machine and the day it was taken on. The smallest is the least disturbed
 * one; a largest far from it says that the machine was busy.
 */
#ifndef BELAY_BENCH_BENCH_H
#define BELAY_BENCH_BENCH_H

#include <belay.h>

#include <stdio.h>
#include <stdlib.h>

enum { BENCH_ROUNDS = 11 };

static inline int bench__compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Calls work(arg, n), which does n operations, once to warm up and then BENCH_ROUNDS times, and
 * prints a line of nanoseconds for one operation. */
static inline void bench(const char *name, void (*work)(void *arg, long n), void *arg, long n)
{
	double ns[BENCH_ROUNDS];

	work(arg, n);
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		int64_t start = belay_now();

		work(arg, n);
		ns[i] = (double)(belay_now() - start) / (double)n;
	}
	qsort(ns, BENCH_ROUNDS, sizeof *ns, bench__compare);
	printf("%-52s %10.1f %10.1f %10.1f ns\n", name, ns[0], ns[BENCH_ROUNDS / 2],
	       ns[BENCH_ROUNDS - 1]);
}

static inline void bench_heading(void)
{
	printf("%-52s %10s %10s %10s\n", "for one operation", "smallest", "median", "largest");
}

#endif
