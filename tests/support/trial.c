/* SPDX-License-Identifier: MIT
 *
 * trial.c - one test, in a process of its own, in which allocations fail.
 *
 * Without cmocka's runner, so that an assertion that fails makes cmocka exit(3); what is registered
 * with atexit(3) here comes first then, and ends the process before anything is torn down under
 * threads that still run.
 */
#include "trial.h"

#include "fuse.h"
#include "scale.h"
#include "standing.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATIENCE_S = 3, PATIENCE_IN_JUDGING_S = 12 };

/* Of the sanitizers' runtimes, where one is linked. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* Written before the test starts its first thread; judging is told to those that read it by the
 * test's having waited for them, or they are about to be stopped anyhow. */
static struct {
	pid_t pid; /* 0: this is no trial */
	long nth;
	bool rest, hasty, judging;
	unsigned uses;
	struct trial_note *note;
} trial;

/* ---- How it ends ----------------------------------------------------------------------------- */

static void note_allocations(void)
{
	long unknown = -1;

	atomic_compare_exchange_strong(&trial.note->allocations, &unknown,
				       trial.nth - belay__fail_left());
}

/* Not by _exit(2), where a thread sanitizer looks for threads that were not joined: a test that
 * broke off leaves some, and of others they are judged. */
_Noreturn static void leave(enum trial_end end)
{
	note_allocations();
	if (check_fuse_uses() != trial.uses)
		end = TRIAL_OWN_FUSE;
	fflush(stdout);
	for (;;)
		syscall(SYS_exit_group, end);
}

void trial_broke_off(void)
{
	if (trial.pid)
		leave(trial.judging ? TRIAL_LEFT : TRIAL_BROKE_OFF);
}

void trial_gave_up(void)
{
	if (trial.pid && !trial.judging)
		leave(TRIAL_GAVE_UP);
}

void check_needs_memory(void)
{
	if (trial.pid)
		leave(TRIAL_NEEDS_MEMORY);
}

void check_needs_memory_again(void)
{
	if (trial.rest)
		check_needs_memory();
}

/* A child that the test forked may exit as it likes. */
static void leave_at_exit(void)
{
	if (trial.pid == getpid())
		trial_broke_off();
}

static void note_death(void)
{
	atomic_store(&trial.note->died, true);
}

/* Once: the signal comes again as the handler returns, and is then deadly. */
static void crash(int number)
{
	(void)number;
	note_death();
}

/* Those of the sanitizers' stay theirs. */
static void watch_for_death(void)
{
	static const int deadly[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	struct sigaction action = {.sa_handler = crash, .sa_flags = (int)SA_RESETHAND};

	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(note_death);
		return;
	}
	for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
		sigaction(deadly[i], &action, NULL);
}

/* ---- The test -------------------------------------------------------------------------------- */

int64_t trial_patience_ns(int64_t patience)
{
	if (!trial.hasty)
		return patience;
	return BELAY_S(trial.judging ? PATIENCE_IN_JUDGING_S : PATIENCE_S) * (scale() > 1 ? 2 : 1);
}

static void run(const struct CMUnitTest *test)
{
	void *state = test->initial_state;

	if (test->setup_func && test->setup_func(&state) != 0)
		trial_broke_off();
	test->test_func(&state);
	if (test->teardown_func && test->teardown_func(&state) != 0)
		trial_broke_off();
}

/* A failed derivation is one static context, whose descriptor stays as long as the process. */
static void make_descriptor_of_failed_context(void)
{
	belay_ctx *ctx;

	check_fuse_arm(1, false);
	ctx = belay_with_cancel(belay_background());
	check_fuse_arm(0, false);
	belay_done_fd(ctx);
	belay_end(ctx);
}

void trial_run(const struct CMUnitTest *test, long nth, bool rest, struct trial_note *note)
{
	struct standing before;

	trial.pid = getpid();
	trial.nth = nth;
	trial.rest = rest;
	trial.hasty = nth != LONG_MAX;
	trial.note = note;
	trial.uses = check_fuse_uses();
	note->allocations = -1;
	note->died = false;
	atexit(leave_at_exit);
	watch_for_death();
	make_descriptor_of_failed_context();
	standing_note(&before);
	check_fuse_arm(nth, rest);
	run(test);
	note_allocations();
	check_fuse_arm(0, false);
	trial.judging = true;
	standing_judge(&before);
	if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check() != 0)
		leave(TRIAL_LEAKED);
	leave(TRIAL_PASSED);
}
