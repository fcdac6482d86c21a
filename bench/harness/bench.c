/* SPDX-License-Identifier: MIT
 *
 * bench.c - arguments, clocks, threads, figures.
 */
#include "bench.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char **arguments;

/* ---- The program ----------------------------------------------------------------------------- */

int bench_main(int argc, char **argv, const struct bench_entry *entries)
{
	const char *wanted = argc > 1 ? argv[1] : "";

	arguments = argc > 2 ? argv + 2 : argv + argc;
	for (const struct bench_entry *entry = entries; entry->name; entry++) {
		if (strcmp(wanted, "list") == 0)
			puts(entry->name);
		else if (strcmp(wanted, entry->name) == 0)
			return entry->work(), 0;
	}
	if (strcmp(wanted, "list") == 0)
		return 0;
	fprintf(stderr, "usage: %s list | WORK [NAME=NUMBER]...\n", argv[0]);
	return 2;
}

long bench_arg(const char *name, long fallback)
{
	size_t length = strlen(name);

	for (char **arg = arguments; *arg; arg++)
		if (strncmp(*arg, name, length) == 0 && (*arg)[length] == '=')
			return strtol(*arg + length + 1, NULL, 10);
	return fallback;
}

void bench_tell(const char *figure, double value)
{
	printf("%s %.9g\n", figure, value);
}

void bench_tell_at(const char *curve, long x, double value)
{
	printf("%s %ld %.9g\n", curve, x, value);
}

void bench_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

void *bench_calloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	bench_must(p != NULL);
	return p;
}

/* ---- Time ------------------------------------------------------------------------------------ */

static int64_t read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t bench_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t bench_cpu_now(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* The first try warms up, and never counts. */
enum { FIRST_TRY = 100 };

/* The next count to try: what should take a little longer than asked, and no leap into the dark. */
static long more(long n, int64_t took, int64_t least)
{
	double wanted = 1.1 * (double)n * (double)least / (double)(took > 0 ? took : 1);

	if (wanted > 100.0 * (double)n)
		wanted = 100.0 * (double)n;
	return (long)wanted > n ? (long)wanted : n + 1;
}

static int64_t least_time(void)
{
	return bench_arg("ms", 100) * INT64_C(1000000);
}

/* On the given clock, by the calling thread. */
static double repeat(int64_t (*clock)(void), bench_work *work, void *arg)
{
	int64_t least = least_time();

	for (long n = FIRST_TRY;;) {
		int64_t start = clock(), took;

		work(arg, n);
		took = clock() - start;
		if (took >= least && n > FIRST_TRY)
			return (double)took / (double)n;
		n = more(n, took, least);
	}
}

double bench_cpu(bench_work *work, void *arg)
{
	return repeat(bench_cpu_now, work, arg);
}

double bench_here(bench_work *work, void *arg)
{
	return repeat(bench_arg("wall", 0) ? bench_now : bench_cpu_now, work, arg);
}

int bench_processors(void)
{
	cpu_set_t set;

	bench_must(sched_getaffinity(0, sizeof set, &set) == 0);
	return CPU_COUNT(&set);
}

/* ---- Threads --------------------------------------------------------------------------------- */

struct crew {
	bench_part *fn;
	void *arg;
};

struct member {
	pthread_t thread;
	const struct crew *crew;
	int i;
};

static void *run_member(void *arg)
{
	struct member *member = arg;

	member->crew->fn(member->crew->arg, member->i);
	return NULL;
}

void bench_threads(int threads, bench_part *fn, void *arg)
{
	struct crew crew = {fn, arg};
	struct member *members = bench_calloc((size_t)threads, sizeof *members);

	for (int i = 0; i < threads; i++) {
		members[i].crew = &crew;
		members[i].i = i;
		bench_must(pthread_create(&members[i].thread, NULL, run_member, &members[i]) == 0);
	}
	for (int i = 0; i < threads; i++)
		pthread_join(members[i].thread, NULL);
	free(members);
}

/* All threads of one measurement. Each writes down when it began and ended by itself, so that
 * starting and joining them costs nothing. */
struct race {
	bench_work *work;
	void *arg;
	long n;
	pthread_barrier_t line;
	int64_t *start, *end;
};

static void run_race(void *arg, int i)
{
	struct race *race = arg;

	pthread_barrier_wait(&race->line);
	race->start[i] = bench_now();
	race->work(race->arg, race->n);
	race->end[i] = bench_now();
}

/* From the first start to the last end. */
static int64_t time_race(struct race *race, int threads)
{
	int64_t start = INT64_MAX, end = 0;

	pthread_barrier_init(&race->line, NULL, (unsigned)threads);
	bench_threads(threads, run_race, race);
	pthread_barrier_destroy(&race->line);
	for (int i = 0; i < threads; i++) {
		start = race->start[i] < start ? race->start[i] : start;
		end = race->end[i] > end ? race->end[i] : end;
	}
	return end - start;
}

double bench_wall(int threads, bench_work *work, void *arg)
{
	int64_t least = least_time(), took;
	struct race race = {.work = work, .arg = arg, .n = FIRST_TRY};

	race.start = bench_calloc((size_t)threads, sizeof *race.start);
	race.end = bench_calloc((size_t)threads, sizeof *race.end);
	while ((took = time_race(&race, threads)) < least || race.n == FIRST_TRY)
		race.n = more(race.n, took, least);
	free(race.start);
	free(race.end);
	return (double)took / ((double)race.n * threads);
}

/* ---- Samples and memory ---------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void bench_sort(int64_t *samples, size_t n)
{
	qsort(samples, n, sizeof *samples, compare);
}

int64_t bench_percentile(const int64_t *sorted, size_t n, double p)
{
	size_t i = (size_t)(p * (double)n);

	bench_must(n > 0);
	return sorted[i < n ? i : n - 1];
}

uint32_t *bench_shuffled(size_t n)
{
	uint32_t *order = bench_calloc(n, sizeof *order);
	uint64_t seed = 1;

	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n; i > 1; i--) {
		uint32_t j, last = order[i - 1];

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		j = (uint32_t)((seed >> 33) % i);
		order[i - 1] = order[j];
		order[j] = last;
	}
	return order;
}

/* The number of the line "NAME   NUMBER kB" of a file of /proc, in bytes. */
static long read_kib(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	size_t length = strlen(name);
	char line[256];
	long kib = -1;

	bench_must(file != NULL);
	while (kib < 0 && fgets(line, sizeof line, file))
		if (strncmp(line, name, length) == 0)
			kib = strtol(line + length, NULL, 10);
	fclose(file);
	bench_must(kib > 0);
	return kib * 1024;
}

/* The rollup counts pages; what /proc/self/status says is behind by some for each processor. */
long bench_resident(void)
{
	return read_kib("/proc/self/smaps_rollup", "Rss:");
}

long bench_footprint(void)
{
	return bench_resident() + read_kib("/proc/self/status", "VmPTE:");
}

long bench_allocations(void)
{
	long (*count)(void);

	*(void **)&count = dlsym(RTLD_DEFAULT, "allocations_so_far");
	return count ? count() : -1;
}
