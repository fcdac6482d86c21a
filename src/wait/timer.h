/* SPDX-License-Identifier: MIT
 *
 * timer.h - something that happens at a moment, on the clock thread.
 *
 * A timer is embedded in its owner. At its moment (never before it) the clock thread, holding the
 * lock of its shard, takes it off the wheel and calls claim(); where that returns true it calls
 * fire() once the lock is given back. claim() must make sure that the owner stays until fire() is
 * through (take a reference); where it returns false the clock does not touch the timer again.
 */
#ifndef BELAY_SRC_WAIT_TIMER_H
#define BELAY_SRC_WAIT_TIMER_H

#include "wait/wheel.h"

#include <belay/time.h>

#include <stdbool.h>
#include <stdint.h>

struct belay__timer;

/* What a kind of timer does, as above. */
struct belay__timer_ops {
	bool (*claim)(struct belay__timer *timer);
	void (*fire)(struct belay__timer *timer);
};

struct belay__timer {
	struct belay__wheel_entry entry;
	const struct belay__timer_ops *ops;
	uint16_t shard;              /* of the clock: its number; constant once initialised       */
	bool armed;                  /* stands in the shard's wheel; guarded by its lock          */
};

/* Starts the clock thread where it does not run yet. 0; -ENOMEM, -EAGAIN, -EMFILE, -ENFILE. */
int belay__clock_start(void);

/* Must have been called, and the clock started, before the first use; takes no lock. */
void belay__timer_init(struct belay__timer *timer, const struct belay__timer_ops *ops);

/* Arms timer, which is not armed, for the moment when. */
void belay__timer_arm(struct belay__timer *timer, int64_t when);

/* Takes it off. True: it will not fire. False: it was not armed, or claim() has been called. On
 * return the clock either does not touch the timer again or has won its claim. May be called with a
 * node's lock held. */
bool belay__timer_disarm(struct belay__timer *timer);

/* How many are armed; any thread. */
size_t belay__timer_count(void);

/* now + ns, or BELAY_FOREVER where that is past the end of the clock. */
int64_t belay__moment(int64_t ns);

/* when - now, or the least there is where that is less: deadlines may be of any age. */
static inline int64_t belay__until(int64_t when)
{
	int64_t left;

	return __builtin_sub_overflow(when, belay_now(), &left) ? INT64_MIN : left;
}

#endif
