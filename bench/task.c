/* SPDX-License-Identifier: MIT
 *
 * task.c - what it costs to start a task and see it end, and, to compare, a thread.
 */
#include "bench.h"

#include <pthread.h>

static void nothing(belay_ctx *ctx, void *arg)
{
	(void)ctx;
	(void)arg;
}

static int nothing_in_a_group(belay_ctx *ctx, void *arg)
{
	(void)ctx;
	(void)arg;
	return 0;
}

static void *nothing_in_a_thread(void *arg)
{
	return arg;
}

static void tasks_of_a_group(void *arg, long n)
{
	belay_group *group = belay_group_new(arg);

	belay_group_limit(group, 1000);
	while (n-- > 0)
		if (belay_group_go(group, nothing_in_a_group, NULL) != 0)
			abort();
	belay_group_wait(group);
}

static int start_each_and_yield(belay_ctx *ctx, void *arg)
{
	long *left = arg;

	while ((*left)-- > 0) {
		if (belay_go(ctx, nothing, NULL) != 0)
			abort();
		belay_yield();
	}
	return 0;
}

static void tasks_of_a_task(void *arg, long n)
{
	belay_group *group = belay_group_new(arg);

	belay_group_go(group, start_each_and_yield, &n);
	belay_group_wait(group);
}

static void threads(void *arg, long n)
{
	pthread_t thread;

	while (n-- > 0)
		if (pthread_create(&thread, NULL, nothing_in_a_thread, arg) != 0 ||
		    pthread_join(thread, NULL) != 0)
			abort();
}

int main(void)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	bench_heading();
	bench("tasks of a group, started by a thread", tasks_of_a_group, ctx, 50000);
	bench("tasks started by a task that yields to each", tasks_of_a_task, ctx, 50000);
	bench("threads, one after another", threads, NULL, 2000);
	belay_end(ctx);
	belay_shutdown();
}
