/* SPDX-License-Identifier: MIT
 *
 * tasks.h - what the programs of Belay's tasks and channels share: work that is done inside of a
 * task, and crews.
 *
 * A crew does the parts of one work at the same time, and what is one work between threads is the
 * same code as between tasks. When a crew returns, all of its parts have ended, so what they shared
 * may be given up.
 */
#ifndef BELAY_BENCH_TASKS_H
#define BELAY_BENCH_TASKS_H

#include "bench.h"

/* Runs fn(arg, i) for each i < n at the same time; returns when all have ended. bench_threads() is
 * one. */
typedef void bench_crew(int n, bench_part *fn, void *arg);

/* Each in a task. */
void bench_tasks(int n, bench_part *fn, void *arg);

/* The first by the calling thread, the others in a task each. */
void bench_thread_and_tasks(int n, bench_part *fn, void *arg);

/* Does work(arg) in a task; returns when it has ended. */
void bench_inside(void (*work)(void *arg), void *arg);

/* bench_here(), inside of a task: what starts from there has no thread to wait for. Tells what the
 * scheduler did for each 1,000 operations, by the names of struct belay_numbers. */
double bench_here_inside(bench_work *work, void *arg);

#endif
