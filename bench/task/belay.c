/* SPDX-License-Identifier: MIT
 *
 * belay.c - Belay's tasks: to start and join them, to change over, to sleep, to wait by the
 * million, and to call what blocks.
 */
#include "tasks.h"

#include <belay.h>
#include <errno.h>

/* ---- Started and joined ---------------------------------------------------------------------- */

struct offspring {
	belay_wg running;
	long ran;
};

static void nothing(belay_ctx *ctx, void *arg)
{
	struct offspring *offspring = arg;

	(void)ctx;
	__atomic_fetch_add(&offspring->ran, 1, __ATOMIC_RELAXED);
	bench_must(belay_wg_done(&offspring->running) == 0);
}

/* So many at a time. */
static void start_and_join(long at_a_time, long n)
{
	struct offspring offspring = {BELAY_WG_INIT, 0};
	long wanted = n;

	while (n > 0) {
		for (long i = 0; i < at_a_time && n > 0; i++, n--) {
			bench_must(belay_wg_add(&offspring.running, 1) == 0);
			bench_must(belay_go(belay_background(), nothing, &offspring) == 0);
		}
		bench_must(belay_wg_wait(belay_background(), &offspring.running) == 0);
	}
	bench_must(offspring.ran == wanted);
}

static void start_some(void *arg, long n)
{
	start_and_join(*(long *)arg, n);
}

static void work_spawn(void)
{
	long at_a_time = bench_arg("at_a_time", 1);

	bench_tell("ns", bench_here_inside(start_some, &at_a_time));
}

static void work_spawn_outside(void)
{
	long at_a_time = bench_arg("at_a_time", 1);

	bench_tell("ns", bench_here(start_some, &at_a_time));
}

/* ---- Changing over --------------------------------------------------------------------------- */

static void yield_often(void *arg, int i)
{
	(void)i;
	for (long left = *(long *)arg; left > 0; left--)
		belay_yield();
}

/* Two a processor, which do nothing else; n turns in all. */
static void yield_to_each_other(void *arg, long n)
{
	int tasks = *(int *)arg;
	long each = n / tasks + 1;

	bench_tasks(tasks, yield_often, &each);
}

static void work_yield(void)
{
	int tasks = 2 * bench_processors();

	bench_tell("ns", bench_here_inside(yield_to_each_other, &tasks));
}

/* ---- Sleeping -------------------------------------------------------------------------------- */

static void sleep_often(void *arg, int i)
{
	(void)i;
	for (long left = *(long *)arg; left > 0; left--)
		bench_must(belay_sleep(belay_background(), BELAY_MS(1)) == 0);
}

static void work_sleep(void)
{
	int tasks = (int)bench_arg("tasks", 100000);
	long times = bench_arg("times", 10);
	int64_t start = bench_cpu_now();

	bench_tasks(tasks, sleep_often, &times);
	bench_tell("ns", (double)(bench_cpu_now() - start) / (double)(tasks * times));
}

/* ---- Many that wait -------------------------------------------------------------------------- */

struct crowd {
	belay_chan *ch; /* nobody ever sends */
	belay_wg arriving, leaving;
	long n;
};

static void wait_in_receive(belay_ctx *ctx, void *arg)
{
	struct crowd *crowd = arg;

	bench_must(belay_wg_done(&crowd->arriving) == 0);
	bench_must(belay_recv(ctx, crowd->ch, NULL) == -ECANCELED);
	bench_must(belay_wg_done(&crowd->leaving) == 0);
}

static void fill(struct crowd *crowd, belay_ctx *ctx)
{
	bench_must(belay_wg_add(&crowd->arriving, (size_t)crowd->n) == 0);
	bench_must(belay_wg_add(&crowd->leaving, (size_t)crowd->n) == 0);
	for (long i = 0; i < crowd->n; i++)
		bench_must(belay_go(ctx, wait_in_receive, crowd) == 0);
	bench_must(belay_wg_wait(belay_background(), &crowd->arriving) == 0);
}

static void tell_crowd(void *arg)
{
	struct crowd *crowd = arg;
	belay_ctx *ctx = belay_with_cancel(belay_background());
	long before = bench_footprint();
	int64_t start = bench_now();

	fill(crowd, ctx);
	bench_tell("make", (double)(bench_now() - start) / 1e6);
	bench_tell("live", (double)(bench_footprint() - before) / (double)crowd->n);
	start = bench_now();
	belay_cancel(ctx);
	bench_must(belay_wg_wait(belay_background(), &crowd->leaving) == 0);
	bench_tell("cancel", (double)(bench_now() - start) / 1e6);
	belay_end(ctx);
}

static void work_crowd(void)
{
	struct crowd crowd = {belay_chan_new(0, 0), BELAY_WG_INIT, BELAY_WG_INIT,
			      bench_arg("live", 10000)};

	bench_must(crowd.ch != NULL);
	bench_inside(tell_crowd, &crowd);
	belay_chan_unref(crowd.ch); /* who has left the wait group has left the channel */
}

/* ---- What blocks ----------------------------------------------------------------------------- */

static void count(void *arg)
{
	++*(long *)arg;
}

static void call_what_blocks(void *arg, long n)
{
	long called = 0;

	(void)arg;
	for (long i = 0; i < n; i++)
		bench_must(belay_blocking(belay_background(), count, &called) == 0);
	bench_must(called == n);
}

static void work_blocking(void)
{
	bench_tell("ns", bench_here_inside(call_what_blocks, NULL));
}

int main(int argc, char **argv)
{
	static const struct bench_entry entries[] = {
		{"spawn", work_spawn},
		{"spawn_outside", work_spawn_outside},
		{"yield", work_yield},
		{"sleep", work_sleep},
		{"crowd", work_crowd},
		{"few", work_crowd}, /* as many as there can be threads */
		{"blocking", work_blocking},
		{NULL, NULL},
	};
	int status = bench_main(argc, argv, entries);

	belay_shutdown();
	return status;
}
