/* SPDX-License-Identifier: MIT
 *
 * pthread.c - the threads of the system: the same as with tasks, and no more of them than it lets
 * one have. A thread needs no help to block, and 100,000 that sleep are more than a system allows.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

static void *nothing(void *arg)
{
	__atomic_fetch_add((long *)arg, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void start_and_join(void *arg, long n)
{
	long at_a_time = *(long *)arg, ran = 0, wanted = n;
	pthread_t *threads = bench_calloc((size_t)at_a_time, sizeof *threads);

	while (n > 0) {
		long started = 0;

		for (; started < at_a_time && n > 0; started++, n--)
			bench_must(pthread_create(&threads[started], NULL, nothing, &ran) == 0);
		while (started > 0)
			pthread_join(threads[--started], NULL);
	}
	bench_must(ran == wanted);
	free(threads);
}

static void work_spawn(void)
{
	long at_a_time = bench_arg("at_a_time", 1);

	bench_tell("ns", bench_here(start_and_join, &at_a_time));
}

static void yield_often(void *arg, int i)
{
	(void)i;
	for (long left = *(long *)arg; left > 0; left--)
		sched_yield();
}

static void yield_to_each_other(void *arg, long n)
{
	int threads = *(int *)arg;
	long each = n / threads + 1;

	bench_threads(threads, yield_often, &each);
}

static void work_yield(void)
{
	int threads = 2 * bench_processors();

	bench_tell("ns", bench_here(yield_to_each_other, &threads));
}

/* ---- Many that wait -------------------------------------------------------------------------- */

/* For an element that never comes, until it is called off. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t element, arrived;
	long waiting;
	int called_off;
} crowd = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static void *wait_in_receive(void *arg)
{
	pthread_mutex_lock(&crowd.lock);
	crowd.waiting++;
	pthread_cond_signal(&crowd.arrived);
	while (!crowd.called_off)
		pthread_cond_wait(&crowd.element, &crowd.lock);
	pthread_mutex_unlock(&crowd.lock);
	return arg;
}

static void fill(pthread_t *threads, long n)
{
	for (long i = 0; i < n; i++)
		bench_must(pthread_create(&threads[i], NULL, wait_in_receive, NULL) == 0);
	pthread_mutex_lock(&crowd.lock);
	while (crowd.waiting < n)
		pthread_cond_wait(&crowd.arrived, &crowd.lock);
	pthread_mutex_unlock(&crowd.lock);
}

static void call_off(pthread_t *threads, long n)
{
	pthread_mutex_lock(&crowd.lock);
	crowd.called_off = 1;
	pthread_cond_broadcast(&crowd.element);
	pthread_mutex_unlock(&crowd.lock);
	for (long i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

/* Without what the kernel keeps of each thread, its stack of at least 16 KiB and more. */
static void work_few(void)
{
	long n = bench_arg("live", 10000), before;
	pthread_t *threads = bench_calloc((size_t)n, sizeof *threads);
	int64_t start;

	before = bench_footprint();
	start = bench_now();
	fill(threads, n);
	bench_tell("make", (double)(bench_now() - start) / 1e6);
	bench_tell("live", (double)(bench_footprint() - before) / (double)n);
	start = bench_now();
	call_off(threads, n);
	bench_tell("cancel", (double)(bench_now() - start) / 1e6);
	free(threads);
}

int main(int argc, char **argv)
{
	static const struct bench_entry entries[] = {
		{"spawn", work_spawn},
		{"yield", work_yield},
		{"few", work_few},
		{NULL, NULL},
	};

	return bench_main(argc, argv, entries);
}
