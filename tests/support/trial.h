/* SPDX-License-Identifier: MIT
 *
 * trial.h - one test, in a process of its own, in which allocations fail.
 *
 * A test speaks of the good case, so that its assertions may fail where memory does; it then breaks
 * off: the process ends there and then, without cleaning up, while all else that it started still
 * stands. Of a test that passes all the same, what it leaves is judged as ever, and what it leaks
 * where a sanitizer knows. Anything else is a finding: a signal, a report of a sanitizer's, a wait
 * that never ends.
 */
#ifndef BELAY_TESTS_SUPPORT_TRIAL_H
#define BELAY_TESTS_SUPPORT_TRIAL_H

#include "check.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How a trial ended, as the status that its process exits with. */
enum trial_end {
	TRIAL_PASSED = 0,
	TRIAL_BROKE_OFF = 40, /* an assertion failed, or the test skipped          */
	TRIAL_GAVE_UP,        /* check_until() waited in vain                      */
	TRIAL_LEFT,           /* passed, but left a context, task, thread, ...     */
	TRIAL_LEAKED,         /* passed, but memory can be reached no more         */
	TRIAL_OWN_FUSE,       /* the test makes allocations fail by itself         */
	TRIAL_NEEDS_MEMORY,   /* check_needs_memory()                              */
};

/* What the process tells besides; in memory shared with it. Any thread of it may be the one that
 * ends it. */
struct trial_note {
	atomic_long allocations; /* how many the test made; -1: it did not get to say        */
	atomic_bool died;        /* it, or a child that it forked, by a crash or a sanitizer */
};

/* Runs the test with the nth allocation, and with rest all after it, failing; then ends this
 * process. It has had one thread till now. */
_Noreturn void trial_run(const struct CMUnitTest *test, long nth, bool rest,
			 struct trial_note *note);

/* For check.c. The first two end the process where it is a trial's; the third is how long a trial
 * waits for what needs memory that it didn't get, else what it is given. */
void trial_broke_off(void);
void trial_gave_up(void);
int64_t trial_patience_ns(int64_t patience);

#endif
