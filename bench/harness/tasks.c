/* SPDX-License-Identifier: MIT
 *
 * tasks.c - work inside of a task, crews of tasks, and what the scheduler did for it.
 */
#include "tasks.h"

#include <belay.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct part {
	bench_part *fn;
	void *arg;
	int i;
};

static int run_part(belay_ctx *ctx, void *arg)
{
	struct part *part = arg;

	(void)ctx;
	part->fn(part->arg, part->i);
	return 0;
}

/* Parts from..n-1 in tasks, and the one before them right here. */
static void run_crew(int from, int n, bench_part *fn, void *arg)
{
	belay_group *group = belay_group_new(belay_background());
	struct part *parts = bench_calloc((size_t)n, sizeof *parts);

	bench_must(group != NULL);
	for (int i = from; i < n; i++) {
		parts[i] = (struct part){fn, arg, i};
		bench_must(belay_group_go(group, run_part, &parts[i]) == 0);
	}
	if (from > 0)
		fn(arg, from - 1);
	bench_must(belay_group_wait(group) == 0);
	free(parts);
}

void bench_tasks(int n, bench_part *fn, void *arg)
{
	run_crew(0, n, fn, arg);
}

void bench_thread_and_tasks(int n, bench_part *fn, void *arg)
{
	run_crew(1, n, fn, arg);
}

struct inside {
	void (*work)(void *arg);
	void *arg;
};

static void run_inside(void *arg, int i)
{
	struct inside *inside = arg;

	(void)i;
	inside->work(inside->arg);
}

void bench_inside(void (*work)(void *arg), void *arg)
{
	struct inside inside = {work, arg};

	bench_tasks(1, run_inside, &inside);
}

/* ---- Counted --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t place;
} counters[] = {
	{"switches", offsetof(struct belay_numbers, switches)},
	{"parks", offsetof(struct belay_numbers, parks)},
	{"steals", offsetof(struct belay_numbers, steals)},
	{"kicks", offsetof(struct belay_numbers, kicks)},
	{"sleeps", offsetof(struct belay_numbers, sleeps)},
	{"spins", offsetof(struct belay_numbers, spins)},
};

static uint64_t counter(const struct belay_numbers *stats, size_t i)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + counters[i].place, sizeof value);
	return value;
}

struct measured {
	bench_work *work;
	void *arg;
	double took;
	long n; /* operations, those of all tries */
};

static void count_and_work(void *arg, long n)
{
	struct measured *measured = arg;

	measured->n += n;
	measured->work(measured->arg, n);
}

static void measure(void *arg)
{
	struct measured *measured = arg;
	struct belay_numbers before, after;

	belay_stats(&before, sizeof before);
	measured->took = bench_here(count_and_work, measured);
	belay_stats(&after, sizeof after);
	for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
		bench_tell(counters[i].name,
			   1000 * (double)(counter(&after, i) - counter(&before, i)) /
				   (double)measured->n);
}

double bench_here_inside(bench_work *work, void *arg)
{
	struct measured measured = {work, arg, 0, 0};

	bench_inside(measure, &measured);
	return measured.took;
}
