/* SPDX-License-Identifier: MIT
 *
 * test_sleepers.c - tasks that wait until a moment at the most: very many of them, beside tasks
 * that never rest, and where the time and another reason to go on meet.
 */
#include "check.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

static belay_ctx *bg(void) { return belay_background(); }

static uint64_t timers(void)
{
	struct belay_numbers now;

	belay_stats(&now, sizeof now);
	return now.timers;
}

/* One of those that running waits for; where there is no memory for it, one less. */
static bool start(void (*fn)(belay_ctx *ctx, void *arg), void *arg, belay_wg *running)
{
	belay_wg_add(running, 1);
	if (check(belay_go(bg(), fn, arg) == 0))
		return true;
	belay_wg_done(running);
	return false;
}

/* ---- Many ------------------------------------------------------------------------------------ */

struct crowd {
	belay_wg running;
	atomic_int early;
};

static void sleep_for_odd_times(belay_ctx *ctx, void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < 5; i++) {
		uint64_t odd = ((uintptr_t)&crowd >> 12) * 7919 + (uint64_t)i * 104729;
		int64_t ns = (int64_t)(odd % (uint64_t)BELAY_MS(3)) + 1;
		int64_t started = belay_now();

		if (belay_sleep(ctx, ns) != 0 || belay_now() - started < ns)
			atomic_fetch_add(&crowd->early, 1);
	}
	belay_wg_done(&crowd->running);
}

static void all_of_many_wake_and_none_early(void **state)
{
	enum { N = 500 };
	struct crowd crowd = {BELAY_WG_INIT, 0};

	for (int i = 0; i < N; i++)
		start(sleep_for_odd_times, &crowd, &crowd.running);
	assert_int_equal(belay_wg_wait(bg(), &crowd.running), 0);
	assert_int_equal(atomic_load(&crowd.early), 0);
	assert_int_equal(timers(), 0);
}

/* ---- Beside tasks that never rest ------------------------------------------------------------ */

enum { SLEEPERS = 1000 };

struct restless {
	belay_wg running;
	atomic_bool over;
	int64_t moment;
	atomic_int awake;
};

static void yield_until_over(belay_ctx *ctx, void *arg)
{
	struct restless *restless = arg;

	while (!atomic_load(&restless->over))
		belay_yield();
	belay_wg_done(&restless->running);
}

static void sleep_a_little(belay_ctx *ctx, void *arg)
{
	struct restless *restless = arg;

	check(belay_sleep(ctx, BELAY_MS(1)) == 0);
	atomic_store(&restless->over, true);
	belay_wg_done(&restless->running);
}

/* With one worker: were its poller never looked at, this would not end. */
static void tasks_that_yield_for_ever_keep_no_sleeper_waiting(void **state)
{
	struct restless restless = {BELAY_WG_INIT, false};

	setenv("BELAY_WORKERS", "1", 1);
	start(yield_until_over, &restless, &restless.running);
	start(yield_until_over, &restless, &restless.running);
	if (!start(sleep_a_little, &restless, &restless.running))
		atomic_store(&restless.over, true);
	assert_int_equal(belay_wg_wait(bg(), &restless.running), 0);
}

/* ---- Beside turns that are long -------------------------------------------------------------- */

static atomic_int rounds_after;

static void compute_and_yield(belay_ctx *ctx, void *arg)
{
	struct restless *restless = arg;

	while (!atomic_load(&restless->over)) {
		int64_t end = belay_now() + BELAY_MS(1);

		while (belay_now() < end)
			;
		if (belay_now() > restless->moment + BELAY_MS(1))
			atomic_fetch_add(&rounds_after, 1);
		belay_yield();
	}
	belay_wg_done(&restless->running);
}

static void sleep_until_moment(belay_ctx *ctx, void *arg)
{
	struct restless *restless = arg;

	check(belay_sleep(ctx, restless->moment - belay_now()) == 0);
	if (atomic_fetch_add(&restless->awake, 1) == SLEEPERS - 1)
		atomic_store(&restless->over, true);
	belay_wg_done(&restless->running);
}

/* All of them come in line before the one that computes has had many turns more: not some at each
 * of its turns. */
static void very_many_that_are_due_wait_for_few_long_turns(void **state)
{
	struct restless restless = {BELAY_WG_INIT, .moment = belay_now() + BELAY_MS(50)};
	int started = 0;

	setenv("BELAY_WORKERS", "1", 1);
	atomic_store(&rounds_after, 0);
	for (int i = 0; i < SLEEPERS; i++)
		started += start(sleep_until_moment, &restless, &restless.running);
	if (started == SLEEPERS)
		start(compute_and_yield, &restless, &restless.running);
	assert_int_equal(belay_wg_wait(bg(), &restless.running), 0);
	assert_in_range(atomic_load(&rounds_after), 0, 40);
}

/* ---- Beside new tasks that go on for ever ---------------------------------------------------- */

static void compute_and_spawn(belay_ctx *ctx, void *arg)
{
	struct restless *restless = arg;
	int64_t end = belay_now() + BELAY_US(100);

	if (!atomic_load(&restless->over))
		start(compute_and_spawn, restless, &restless->running);
	while (belay_now() < end)
		;
	belay_wg_done(&restless->running);
}

static void yield_a_hundred_times(belay_ctx *ctx, void *arg)
{
	struct restless *restless = arg;

	for (int i = 0; i < 100; i++)
		belay_yield();
	check(belay_sleep(ctx, BELAY_MS(1)) == 0);
	atomic_store(&restless->over, true);
	belay_wg_done(&restless->running);
}

/* Were new tasks always preferred, this would not end. */
static void new_tasks_without_end_keep_no_other_waiting(void **state)
{
	struct restless restless = {BELAY_WG_INIT, false};

	setenv("BELAY_WORKERS", "1", 1);
	if (start(yield_a_hundred_times, &restless, &restless.running))
		start(compute_and_spawn, &restless, &restless.running);
	assert_int_equal(belay_wg_wait(bg(), &restless.running), 0);
}

static int clear_workers(void **state)
{
	unsetenv("BELAY_WORKERS");
	return 0;
}

/* ---- Where two reasons meet ------------------------------------------------------------------ */

struct meeting {
	belay_ctx *ctx;
	belay_chan *ch;
	belay_wg running;
	atomic_int slept, cancelled, received, timed_out;
};

static void sleep_until_cancelled(belay_ctx *ctx, void *arg)
{
	struct meeting *m = arg;
	int r = belay_sleep(m->ctx, BELAY_US(60));

	atomic_fetch_add(r == 0 ? &m->slept : &m->cancelled, 1);
	check(r == 0 || r == belay_err(m->ctx));
	belay_wg_done(&m->running);
}

/* The moment of the cancel goes through that of the sleeps' end from round to round. */
static void a_sleep_that_is_cancelled_at_its_end_ends_once(void **state)
{
	enum { TASKS = 8, ROUNDS = 300 };
	struct meeting m = {.running = BELAY_WG_INIT};
	int started = 0;

	for (int round = 0; round < ROUNDS; round++) {
		int64_t end = belay_now() + BELAY_US(round % 100);

		m.ctx = belay_with_cancel(bg());
		for (int i = 0; i < TASKS; i++)
			started += start(sleep_until_cancelled, &m, &m.running);
		while (belay_now() < end)
			belay_yield();
		belay_cancel(m.ctx);
		assert_int_equal(belay_wg_wait(bg(), &m.running), 0);
		belay_end(m.ctx);
	}
	assert_int_equal(m.slept + m.cancelled, started);
	assert_int_equal(timers(), 0);
}

static void receive_for_a_while(belay_ctx *ctx, void *arg)
{
	struct meeting *m = arg;
	int got = 0;

	for (int i = 0; i < 500; i++) {
		int which = belay_select(ctx, BELAY_RECV(m->ch, &got),
					 BELAY_TIMEOUT(BELAY_US(i % 40)));

		check(which == 0 || which == 1);
		atomic_fetch_add(which == 0 ? &m->received : &m->timed_out, 1);
	}
	belay_wg_done(&m->running);
}

/* The senders are a thread, so that elements come from elsewhere. */
static void a_receive_that_times_out_when_an_element_comes_loses_none(void **state)
{
	enum { TASKS = 4 };
	struct meeting m = {.running = BELAY_WG_INIT, .ch = belay_chan_new(sizeof(int), 0)};
	int sent = 0, started = 0;

	assert_non_null(m.ch);
	for (int i = 0; i < TASKS; i++)
		started += start(receive_for_a_while, &m, &m.running);
	while (atomic_load(&m.received) + atomic_load(&m.timed_out) < started * 500)
		if (belay_try_send(m.ch, &sent) == 0)
			sent++;
		else
			belay_yield();
	assert_int_equal(belay_wg_wait(bg(), &m.running), 0);
	assert_int_equal(atomic_load(&m.received), sent);
	assert_int_equal(timers(), 0);
	belay_chan_unref(m.ch);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(all_of_many_wake_and_none_early),
	cmocka_unit_test_teardown(tasks_that_yield_for_ever_keep_no_sleeper_waiting, clear_workers),
	cmocka_unit_test_teardown(very_many_that_are_due_wait_for_few_long_turns, clear_workers),
	cmocka_unit_test_teardown(new_tasks_without_end_keep_no_other_waiting, clear_workers),
	cmocka_unit_test(a_sleep_that_is_cancelled_at_its_end_ends_once),
	cmocka_unit_test(a_receive_that_times_out_when_an_element_comes_loses_none))
