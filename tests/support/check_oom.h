/* SPDX-License-Identifier: MIT
 *
 * check_oom.h - makes each allocation of a piece of work fail in turn.
 */
#ifndef BELAY_TESTS_SUPPORT_CHECK_OOM_H
#define BELAY_TESTS_SUPPORT_CHECK_OOM_H

#include "check.h"
#include "fuse.h"

static inline long check_each_armed(void (*arm)(long n), void (*work)(void *arg), void *arg)
{
	long n = 0;
	bool fired = true;

	while (fired) {
		arm(++n);
		work(arg);
		fired = belay__fail_left() <= 0;
		belay__fail_nth(0);
	}
	return n - 1;
}

/* Calls work(arg) again and again, first with its first allocation failing, then its second, until
 * it gets through with none failing; returns how many failed. work uses check(), frees what it
 * made, and accepts success and out of memory alike; it must not leave threads behind that
 * allocate. */
static inline long check_each_alone(void (*work)(void *arg), void *arg)
{
	return check_each_armed(belay__fail_nth, work, arg);
}

/* The same, and then once more, with all that come after failing too. */
static inline long check_each_allocation(void (*work)(void *arg), void *arg)
{
	long alone = check_each_alone(work, arg);

	check_each_armed(belay__fail_from_nth, work, arg);
	return alone;
}

#endif
