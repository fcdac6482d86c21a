/* SPDX-License-Identifier: MIT
 *
 * sleep.c - a wait for a time alone.
 */
#include "context/context.h"
#include "wait/timer.h"

int belay_sleep(belay_ctx *ctx, int64_t ns)
{
	struct belay__timeout timeout;
	struct belay__waiter waiter;
	int err = belay_err(ctx);

	if (err < 0 || ns <= 0)
		return err;
	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_SLEEP;
	waiter.sole = !belay_done(ctx);
	belay__timeout_init(&timeout, &waiter, belay__moment(ns));
	return belay__block_until(ctx, &waiter, &timeout) ? 0 : belay_err(ctx);
}
