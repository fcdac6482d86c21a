/* SPDX-License-Identifier: MIT
 *
 * stopped.c - a program to look into, with a task in each state: it stops in look_now(), and then
 * in look_inside(), which is part of main(); and dumps core in the one that its argument names.
 */
#include <belay.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static belay_chan *never;
static atomic_int there;
static atomic_bool over;

BELAY_KEY(user, const char *, .destroy = NULL);

__attribute__((noinline)) static void wait_deep_inside(belay_ctx *ctx, int depth)
{
	if (depth > 0)
		wait_deep_inside(ctx, depth - 1);
	else
		belay_recv(ctx, never, NULL);
	__asm__ volatile("");
}

static void receive(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add(&there, 1);
	wait_deep_inside(ctx, 3);
}

static void sleep_long(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add(&there, 1);
	belay_sleep(ctx, BELAY_S(3600));
}

static void compute_for_ever(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add(&there, 1);
	while (!atomic_load(&over))
		;
}

static void nothing(belay_ctx *ctx, void *arg)
{
}

__attribute__((noinline)) static void look_now(const char *dump)
{
	__asm__ volatile("");
	if (strcmp(dump, "look_now") == 0)
		abort();
}

static inline __attribute__((always_inline)) void look_inside(const char *dump)
{
	__asm__ volatile(""); /* looks inside */
	if (strcmp(dump, "look_inside") == 0)
		__builtin_trap();
}

static struct belay_numbers numbers(void)
{
	struct belay_numbers now;

	belay_stats(&now, sizeof now);
	return now;
}

/* One worker, so that what it does not come to stays new. */
int main(int argc, char **argv)
{
	const struct belay_task_options large = {.stack_size = 1 << 20};
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_ctx *value = with_user(ctx, "ada");
	belay_ctx *done = belay_with_cancel(value);
	const char *dump = argc > 1 ? argv[1] : "";

	setenv("BELAY_WORKERS", "1", 1);
	belay_cancel(done);
	never = belay_chan_new(0, 0);
	belay_go(ctx, receive, NULL);    /* receives */
	belay_go_with(ctx, sleep_long, NULL, &large); /* sleeps */
	while (numbers().parked < 2)
		belay_yield();
	belay_go(ctx, compute_for_ever, NULL); /* computes */
	while (atomic_load(&there) < 3)
		belay_yield();
	belay_go(ctx, nothing, NULL); /* never begins */
	look_now(dump);
	look_inside(dump);
	atomic_store(&over, true);
	belay_end(done);
	belay_end(value);
	belay_end(ctx);
	belay_chan_unref(never);
	belay_shutdown();
	return 0;
}
