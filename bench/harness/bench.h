/* SPDX-License-Identifier: MIT
 *
 * bench.h - what the programs of bench/ are made of: arguments, clocks, threads, figures.
 *
 * A program is one peer of one group. `PROGRAM list` prints the works it knows; `PROGRAM WORK
 * [NAME=NUMBER]...` does one of them once, in a fresh process, and prints its figures, a line each:
 *
 *     FIGURE VALUE          a number
 *     FIGURE X VALUE        a point of a curve
 *
 * bench/run starts the programs, round after round, and knows what the figures mean. What a program
 * checks and finds wrong aborts it.
 */
#ifndef BELAY_BENCH_BENCH_H
#define BELAY_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The program ----------------------------------------------------------------------------- */

struct bench_entry {
	const char *name;
	void (*work)(void);
};

/* main(): does what the arguments say. The entries end with one that has no name. */
int bench_main(int argc, char **argv, const struct bench_entry *entries);

/* The number after NAME=, or what to take where it was not given. */
long bench_arg(const char *name, long fallback);

/* A figure, and a point of a curve. */
void bench_tell(const char *figure, double value);
void bench_tell_at(const char *curve, long x, double value);

/* What is false was not done, and its time is worth nothing. */
#define bench_must(what) ((what) ? (void)0 : bench_fail(__FILE__, __LINE__, #what))
__attribute__((noreturn)) void bench_fail(const char *file, int line, const char *what);

/* For the compiler: somebody looks at *p, and may have changed it and anything else. */
static inline void bench_keep(void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* calloc() that doesn't fail. */
void *bench_calloc(size_t n, size_t size);

/* ---- Time ------------------------------------------------------------------------------------ */

/* Nanoseconds: the monotonic clock, and the processor time of all the process's threads. */
int64_t bench_now(void);
int64_t bench_cpu_now(void);

/* Does n operations. */
typedef void bench_work(void *arg, long n);

/* Processor time for one operation, in nanoseconds: work is called with more and more operations
 * until one call takes `ms` milliseconds (an argument of the program), and that call counts. It is
 * the time of all threads, so that nobody's helpers work for nothing. */
double bench_cpu(bench_work *work, void *arg);

/* The same by so many threads at once, each of which does n operations; on the clock on the wall,
 * and divided by the operations of all. */
double bench_wall(int threads, bench_work *work, void *arg);

/* What the work is measured by, which its argument `wall` says: the clock on the wall, or the time
 * of all processors. The calling thread, or task, does all n operations, with whose help it
 * likes. */
double bench_here(bench_work *work, void *arg);

/* The processors that this process may use. */
int bench_processors(void);

/* Runs fn(arg, i) for each i < threads, in a thread each; returns when all have. */
typedef void bench_part(void *arg, int i);
void bench_threads(int threads, bench_part *fn, void *arg);

/* ---- Samples and memory ---------------------------------------------------------------------- */

/* Sorts the samples, and the one that a share p of them (0..1) does not exceed. */
void bench_sort(int64_t *samples, size_t n);
int64_t bench_percentile(const int64_t *sorted, size_t n, double p);

/* 0..n-1 in an order that looks like chance, and is the same each time. */
uint32_t *bench_shuffled(size_t n);

/* Bytes of memory that the process has now, shared ones included. */
long bench_resident(void);

/* The same and the page tables, of which thinly spread stacks need many. */
long bench_footprint(void);

/* How often memory was asked for (malloc, mmap and the like) since the start; -1 where
 * liballocations.so was not put before the C library (LD_PRELOAD). */
long bench_allocations(void);

#ifdef __cplusplus
}
#endif

#endif
