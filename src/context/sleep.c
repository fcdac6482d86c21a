/* SPDX-License-Identifier: MIT
 *
 * sleep.c - a wait for a time alone.
 */
#include "context/context.h"
#include "wait/timer.h"

#include <errno.h>

int belay_sleep(belay_ctx *ctx, int64_t ns)
{
	struct belay__wait_timer timer;
	struct belay__waiter waiter;
	struct belay__wait *winner;
	int err = belay_err(ctx);

	if (err < 0 || ns <= 0)
		return err;
	if (belay__clock_start() < 0)
		return -ENOMEM;
	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_SLEEP;
	belay__wait_timer_arm(&timer, &waiter, belay__moment(ns));
	winner = belay__block(ctx, &waiter);
	belay__timer_disarm(&timer.timer);
	return winner ? 0 : belay_err(ctx);
}
