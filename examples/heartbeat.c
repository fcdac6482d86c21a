/* SPDX-License-Identifier: MIT
 *
 * heartbeat.c - work that shows signs of life, and a supervisor that starts it anew.
 *
 *     heartbeat [PATIENCE_MS [STEPS]]
 *
 * A deadline can't tell slow from stuck. A heartbeat can: the worker sends one after each step, and
 * who watches waits for the next one only so long. The worker must not wait for the watcher: the
 * channel has room for one beat, and where it is full another one would say nothing new.
 */
#include "explain.h"

#include <errno.h>
#include <signal.h>

BELAY_CHAN(beat_chan, unsigned); /* the step that has been done */

struct attempt {
	unsigned number, steps, done;
	bool hangs;
	beat_chan *beats;
};

/* What it stands for takes a moment; or, the first time, never ends. Nobody ever sends on NULL. */
static int step(belay_ctx *ctx, const struct attempt *attempt)
{
	if (attempt->hangs && attempt->done == 3)
		return beat_chan_recv(ctx, NULL, NULL);
	return belay_sleep(ctx, BELAY_MS(1));
}

static int work(belay_ctx *ctx, void *arg)
{
	struct attempt *attempt = arg;
	int err = 0;

	while (attempt->done < attempt->steps && (err = step(ctx, attempt)) == 0) {
		attempt->done++;
		beat_chan_try_send(attempt->beats, &attempt->done);
	}
	beat_chan_close(attempt->beats);
	return err;
}

/* 0: the worker has come to its end, good or bad. -ETIMEDOUT: it has given no sign for too long.
 * That is not -ETIME, which only ever comes from a context. */
static int watch(belay_ctx *ctx, const struct attempt *attempt, int64_t patience)
{
	bool alive = true;
	unsigned done;

	while (alive) {
		int i = belay_select(ctx, beat_chan_case_recv_ok(attempt->beats, &done, &alive),
				     BELAY_TIMEOUT(patience));

		if (i == 1)
			return -ETIMEDOUT;
		if (i < 0)
			return i;
	}
	return 0;
}

static void report(const struct attempt *attempt, const belay_ctx *ctx)
{
	belay_cause cause;

	printf("attempt %u: %u of %u steps", attempt->number, attempt->done, attempt->steps);
	if (attempt->done < attempt->steps && belay_cause_of(ctx, &cause) == 0)
		printf("; told to stop: %s", cause.message);
	printf("\n");
}

/* The worker's group gets a context of its own, which outlives it: so its cause can be told. */
static int run(belay_ctx *parent, struct attempt *attempt, int64_t patience)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(parent);
	belay_group *group = belay_group_new(ctx);
	int err, failed;

	if (!group)
		return -ENOMEM;
	err = belay_group_go(group, work, attempt);
	if (err == 0)
		err = watch(ctx, attempt, patience);
	if (err == -ETIMEDOUT)
		belay_cancel_cause(ctx, err, "no sign of life for %g ms",
				   (double)patience / BELAY_MS(1));
	failed = belay_group_wait(group);
	report(attempt, ctx);
	return err < 0 ? err : failed;
}

static int supervise(belay_ctx *ctx, unsigned steps, int64_t patience)
{
	int err = -ETIMEDOUT;

	for (unsigned i = 1; i <= 3 && err == -ETIMEDOUT; i++) {
		struct attempt attempt = {.number = i, .steps = steps, .hangs = i == 1};

		attempt.beats = beat_chan_new(1);
		err = attempt.beats ? run(ctx, &attempt, patience) : -ENOMEM;
		beat_chan_unref(attempt.beats);
	}
	return err;
}

int main(int argc, char **argv)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	int64_t patience = BELAY_MS(argc > 1 ? strtod(argv[1], NULL) : 1000);
	unsigned steps = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;
	int status = explain("heartbeat", ctx, supervise(ctx, steps, patience));

	belay_end(ctx);
	belay_shutdown();
	return status;
}
