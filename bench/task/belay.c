/* SPDX-License-Identifier: MIT
 *
 * belay.c - Belay's tasks: to start one, to change over, and what one that waits takes up.
 */
#include "bench.h"

#include <belay.h>

enum { AT_A_TIME = 1000 };

static int nothing(belay_ctx *ctx, void *arg)
{
	(void)ctx;
	__atomic_fetch_add((long *)arg, 1, __ATOMIC_RELAXED);
	return 0;
}

static void start_and_join(void *arg, long n)
{
	long ran = 0, wanted = n;

	(void)arg;
	while (n > 0) {
		belay_group *group = belay_group_new(belay_background());

		for (int i = 0; i < AT_A_TIME && n > 0; i++, n--)
			bench_must(belay_group_go(group, nothing, &ran) == 0);
		bench_must(belay_group_wait(group) == 0);
	}
	bench_must(ran == wanted);
}

static void work_start(void)
{
	bench_tell("ns", bench_wall(1, start_and_join, NULL));
}

static int start_as_a_task(belay_ctx *ctx, void *arg)
{
	start_and_join(ctx, *(long *)arg);
	return 0;
}

static void start_from_inside(void *arg, long n)
{
	belay_group *group = belay_group_new(belay_background());

	(void)arg;
	bench_must(belay_group_go(group, start_as_a_task, &n) == 0);
	bench_must(belay_group_wait(group) == 0);
}

static void work_start_inside(void)
{
	bench_tell("ns", bench_wall(1, start_from_inside, NULL));
}

/* Two tasks that do nothing but yield to each other; pinned to one processor, so by one worker. */
static int yield_often(belay_ctx *ctx, void *arg)
{
	(void)ctx;
	for (long left = *(long *)arg; left > 0; left--)
		belay_yield();
	return 0;
}

static void yield_to_each_other(void *arg, long n)
{
	belay_group *group = belay_group_new(belay_background());

	(void)arg;
	bench_must(belay_group_go(group, yield_often, &n) == 0);
	bench_must(belay_group_go(group, yield_often, &n) == 0);
	bench_must(belay_group_wait(group) == 0);
}

static void work_yield(void)
{
	bench_tell("ns", bench_cpu(yield_to_each_other, NULL));
}

static belay_wg waiting = BELAY_WG_INIT;

static int wait_for_the_end(belay_ctx *ctx, void *arg)
{
	(void)arg;
	bench_must(belay_wg_done(&waiting) == 0);
	belay_wait(ctx);
	return 0;
}

static void work_memory(void)
{
	long n = bench_arg("tasks", 10000), before;
	belay_group *group = belay_group_new(belay_background());

	start_and_join(NULL, 1);
	before = bench_resident();
	bench_must(belay_wg_add(&waiting, (size_t)n) == 0);
	for (long i = 0; i < n; i++)
		bench_must(belay_group_go(group, wait_for_the_end, NULL) == 0);
	bench_must(belay_wg_wait(belay_background(), &waiting) == 0);
	bench_tell("live", (double)(bench_resident() - before) / (double)n);
	belay_cancel(belay_group_ctx(group));
	bench_must(belay_group_wait(group) == 0);
}

int main(int argc, char **argv)
{
	static const struct bench_entry entries[] = {
		{"start", work_start},
		{"start_inside", work_start_inside},
		{"yield", work_yield},
		{"memory", work_memory},
		{NULL, NULL},
	};
	int status = bench_main(argc, argv, entries);

	belay_shutdown();
	return status;
}
