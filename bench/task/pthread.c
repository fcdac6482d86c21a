/* SPDX-License-Identifier: MIT
 *
 * pthread.c - the threads of the system: the same as with tasks, and no more than it lets one have.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { AT_A_TIME = 1000 };

static void *nothing(void *arg)
{
	__atomic_fetch_add((long *)arg, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void start_and_join(void *arg, long n)
{
	pthread_t threads[AT_A_TIME];
	long ran = 0, wanted = n;

	(void)arg;
	while (n > 0) {
		int started = 0;

		for (; started < AT_A_TIME && n > 0; started++, n--)
			bench_must(pthread_create(&threads[started], NULL, nothing, &ran) == 0);
		while (started > 0)
			pthread_join(threads[--started], NULL);
	}
	bench_must(ran == wanted);
}

static void work_start(void)
{
	bench_tell("ns", bench_wall(1, start_and_join, NULL));
}

static void yield_often(void *arg, int i)
{
	(void)i;
	for (long left = *(long *)arg; left > 0; left--)
		sched_yield();
}

static void yield_to_each_other(void *arg, long n)
{
	(void)arg;
	bench_threads(2, yield_often, &n);
}

static void work_yield(void)
{
	bench_tell("ns", bench_cpu(yield_to_each_other, NULL));
}

static pthread_barrier_t waiting, over;

static void *wait_for_the_end(void *arg)
{
	pthread_barrier_wait(&waiting);
	pthread_barrier_wait(&over);
	return arg;
}

/* Without what the kernel keeps of each thread, its stack of at least 16 KiB and more. */
static void work_memory(void)
{
	long n = bench_arg("tasks", 10000), before = bench_resident();
	pthread_t *threads = bench_calloc((size_t)n, sizeof *threads);

	pthread_barrier_init(&waiting, NULL, (unsigned)n + 1);
	pthread_barrier_init(&over, NULL, (unsigned)n + 1);
	for (long i = 0; i < n; i++)
		bench_must(pthread_create(&threads[i], NULL, wait_for_the_end, NULL) == 0);
	pthread_barrier_wait(&waiting);
	bench_tell("live", (double)(bench_resident() - before) / (double)n);
	pthread_barrier_wait(&over);
	for (long i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

int main(int argc, char **argv)
{
	static const struct bench_entry entries[] = {
		{"start", work_start},
		{"yield", work_yield},
		{"memory", work_memory},
		{NULL, NULL},
	};

	return bench_main(argc, argv, entries);
}
