/* SPDX-License-Identifier: MIT
 *
 * reported.c - a program that has something to report: "reported WORD..." does what each word says,
 * then ends. The lines that the reports name are those marked so.
 */
#include <belay.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static belay_chan *over;

static void await_over(void)
{
	belay_recv(belay_background(), over, NULL);
}

static void tell_over(void)
{
	belay_send(belay_background(), over, NULL);
}

/* ---- Hogs ------------------------------------------------------------------------------------ */

/* By the thread's own clock: the machine may have others to serve. */
static void compute(void)
{
	struct timespec used;

	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	while (used.tv_sec == 0 && used.tv_nsec < 50000000);
}

static void hold(belay_ctx *ctx, void *arg)
{
	compute();
	tell_over();
}

static void sleep_on(belay_ctx *ctx, void *arg)
{
	const struct timespec time = {.tv_nsec = 50000000};

	nanosleep(&time, NULL);
	tell_over();
}

static void share(belay_ctx *ctx, void *arg)
{
	int64_t until = belay_now() + BELAY_MS(60);

	while (belay_now() < until)
		belay_yield();
	tell_over();
}

static void hog(void)
{
	belay_go(belay_background(), hold, NULL); /* the hog */
	await_over();
	belay_go(belay_background(), sleep_on, NULL); /* the sleeping hog */
	await_over();
	belay_go(belay_background(), share, NULL); /* no hog */
	await_over();
}

static void end_at_once(belay_ctx *ctx, void *arg)
{
	tell_over();
}

/* The workers are new ones afterwards. */
static void restart(void)
{
	belay_go(belay_background(), end_at_once, NULL);
	await_over();
	belay_shutdown();
}

/* On demand, while it lasts. */
static void hold_and_report(belay_ctx *ctx, void *arg)
{
	const struct timespec time = {.tv_nsec = 50000000};

	nanosleep(&time, NULL);
	printf("%zu\n", belay_report(stdout));
	tell_over();
}

static void demand(void)
{
	belay_go(belay_background(), hold_and_report, NULL); /* the one in mid-run */
	await_over();
}

/* ---- Stacks ---------------------------------------------------------------------------------- */

static void use(size_t size)
{
	char *bytes = __builtin_alloca(size);

	memset(bytes, 0x5a, size);
	__asm__ volatile("" : : "r"(bytes) : "memory");
}

static void deeper(belay_ctx *ctx, void *arg)
{
	use(1000000);
	tell_over();
}

static void shallow(belay_ctx *ctx, void *arg)
{
	tell_over();
}

static void deep(belay_ctx *ctx, void *arg)
{
	use(100000);
	tell_over();
}

/* Stacks that a deep task has used are used again by shallow ones. */
static void stack(void)
{
	const struct belay_task_options large = {.stack_size = 4 << 20};

	for (int i = 0; i < 10; i++) {
		belay_go(belay_background(), deep, NULL); /* the deep ones */
		await_over();
		belay_go(belay_background(), shallow, NULL); /* the shallow ones */
		await_over();
		belay_go_with(belay_background(), deeper, NULL, &large); /* the deeper ones */
		await_over();
	}
}

/* ---- Leaks ----------------------------------------------------------------------------------- */

static void leak(void)
{
	static belay_ctx *ctx;

	ctx = belay_with_cancel(belay_background());
	(void)ctx;
}

static void wait_for_ever(belay_ctx *ctx, void *arg)
{
	belay_recv(ctx, NULL, NULL);
}

static void leave(void)
{
	const struct belay_task_options large = {.stack_size = 4 << 20};

	belay_go_with(belay_background(), wait_for_ever, NULL, &large); /* the one left */
}

/* More of them than fit into a pipe when they are named. */
enum { MANY = 3000, AT_ONCE = 100 };

static void wait_for_end(belay_ctx *ctx, void *arg)
{
	belay_wait(ctx);
}

/* Reads a report, and starts others all the while. */
static void drain(belay_ctx *ctx, void *arg)
{
	char some[4096];

	while (belay_read(ctx, *(int *)arg, some, sizeof some) > 0)
		for (int i = 0; i < AT_ONCE; i++)
			belay_go(ctx, wait_for_end, NULL);
	tell_over();
}

static void pour(void)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	FILE *out;
	int ends[2];

	if (pipe(ends) < 0)
		return;
	out = fdopen(ends[1], "w");
	for (int i = 0; i < MANY; i++)
		belay_go(ctx, wait_for_end, NULL);
	belay_go(ctx, drain, &ends[0]);
	belay_report(out);
	fclose(out);
	await_over();
	close(ends[0]);
	puts("poured");
	belay_end(ctx);
}

int main(int argc, char **argv)
{
	over = belay_chan_new(0, 0);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "hog"))
			hog();
		else if (!strcmp(argv[i], "restart"))
			restart();
		else if (!strcmp(argv[i], "demand"))
			demand();
		else if (!strcmp(argv[i], "stack"))
			stack();
		else if (!strcmp(argv[i], "leak"))
			leak();
		else if (!strcmp(argv[i], "leave"))
			leave();
		else if (!strcmp(argv[i], "pour"))
			pour();
	}
	belay_chan_unref(over);
	belay_shutdown();
	return 0;
}
