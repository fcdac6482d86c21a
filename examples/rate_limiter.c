/* SPDX-License-Identifier: MIT
 *
 * rate_limiter.c - so many calls a second, and a few more at once after a pause: a token bucket.
 *
 *     rate_limiter [CALLS [A_SECOND]]
 *
 * The bucket is a channel with room for the burst. A task puts a permit into it every period, and
 * throws it away where there is no room; a call takes one out, or waits for the next as long as its
 * context allows. First come, first served: a channel's receivers stand in line.
 */
#include "explain.h"

#include <errno.h>
#include <signal.h>

enum {
	BURST = 3
};

/* That there is one is all that counts. */
typedef char permit;

BELAY_CHAN(permit_chan, permit);

struct limiter {
	permit_chan *permits;
	int64_t period;
	belay_group *group;
};

static int refill(belay_ctx *ctx, void *arg)
{
	struct limiter *limiter = arg;
	const permit one = 0;
	int err;

	while ((err = belay_sleep(ctx, limiter->period)) == 0)
		permit_chan_try_send(limiter->permits, &one);
	return err;
}

static void fill(permit_chan *permits)
{
	const permit one = 0;

	while (permit_chan_try_send(permits, &one) == 0)
		;
}

/* The refill has no end of its own: the group's context tells it to stop. */
static void limiter_stop(struct limiter *limiter)
{
	belay_cancel(belay_group_ctx(limiter->group));
	belay_group_wait(limiter->group);
	permit_chan_unref(limiter->permits);
}

/* 0, and limiter_stop() ends it; or an error. The limiter must stay where it is until then. */
static int limiter_start(struct limiter *limiter, belay_ctx *ctx, unsigned burst, int64_t period)
{
	int err;

	limiter->period = period;
	limiter->permits = permit_chan_new(burst);
	if (!limiter->permits)
		return -ENOMEM;
	limiter->group = belay_group_new(ctx);
	if (!limiter->group) {
		permit_chan_unref(limiter->permits);
		return -ENOMEM;
	}
	fill(limiter->permits);
	err = belay_group_go(limiter->group, refill, limiter);
	if (err < 0)
		limiter_stop(limiter);
	return err;
}

/* Blocks until a call may be made. 0, or the context's error. */
static int limiter_wait(belay_ctx *ctx, struct limiter *limiter)
{
	return permit_chan_recv(ctx, limiter->permits, NULL);
}

/* ---- Two who call ---------------------------------------------------------------------------- */

static int call_often(belay_ctx *ctx, unsigned calls, int64_t period)
{
	struct limiter limiter;
	int64_t began = belay_now(), least;
	int err = limiter_start(&limiter, ctx, BURST, period);

	if (err < 0)
		return err;
	for (unsigned i = 0; i < calls && err == 0; i++)
		err = limiter_wait(ctx, &limiter);
	limiter_stop(&limiter);
	least = calls > BURST ? (calls - BURST) * period : 0;
	if (err == 0)
		printf("%u calls took %s than %g ms\n", calls,
		       belay_now() - began < least ? "less" : "no less",
		       (double)least / BELAY_MS(1));
	return err;
}

/* Who can't wait for its turn is told so by its own context; the next permit is still there for
 * somebody else. */
static int call_in_a_hurry(belay_ctx *ctx)
{
	BELAY_SCOPED belay_ctx *hurry = belay_with_timeout(ctx, BELAY_MS(10));
	struct limiter limiter;
	int err = limiter_start(&limiter, ctx, 1, BELAY_S(3600));

	if (err < 0)
		return err;
	err = limiter_wait(ctx, &limiter);
	if (err == 0)
		printf("in a hurry: %s\n", belay_strerror(limiter_wait(hurry, &limiter)));
	limiter_stop(&limiter);
	return err;
}

int main(int argc, char **argv)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	unsigned calls = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10;
	double a_second = argc > 2 ? strtod(argv[2], NULL) : 100;
	int err = call_often(ctx, calls, BELAY_S(1 / a_second)), status;

	if (err == 0)
		err = call_in_a_hurry(ctx);
	status = explain("rate_limiter", ctx, err);
	belay_end(ctx);
	belay_shutdown();
	return status;
}
