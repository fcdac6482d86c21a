/* SPDX-License-Identifier: MIT
 *
 * test_sleep.c - time: the clock, its units, and sleeping under a context.
 */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

static belay_ctx *bg(void) { return belay_background(); }

static void the_clock_is_the_monotonic_one_and_never_goes_back(void **state)
{
	int64_t last = belay_now();

	for (int i = 0; i < 10000; i++) {
		struct timespec ts;
		int64_t kernel, now;

		clock_gettime(CLOCK_MONOTONIC, &ts);
		kernel = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
		now = belay_now();
		assert_true(now >= last && now >= kernel);
		last = now;
	}
}

static void units_take_any_type_of_number(void **state)
{
	unsigned char small = 200;

	assert_true(BELAY_NS(5) == 5);
	assert_true(BELAY_US(5) == 5000);
	assert_true(BELAY_MS(5) == 5000000);
	assert_true(BELAY_S(5) == INT64_C(5000000000));
	assert_true(BELAY_S(100000) == INT64_C(100000000000000));
	assert_true(BELAY_MS(0.5) == 500000);
	assert_true(BELAY_S(1.5f) == 1500000000);
	assert_true(BELAY_NS(7.9) == 7);
	assert_true(BELAY_S(small) == INT64_C(200000000000));
	assert_true(BELAY_S(-2) == INT64_C(-2000000000));
	assert_true(BELAY_MS(1 + 1) == 2000000);
	assert_int_equal(sizeof(BELAY_S(1)), sizeof(int64_t));
	assert_true(BELAY_FOREVER == INT64_MAX);
}

static void sleeping_takes_at_least_its_time(void **state)
{
	for (int us = 1; us < 4000; us *= 3) {
		int64_t started = belay_now();

		assert_int_equal(belay_sleep(bg(), BELAY_US(us)), 0);
		assert_true(belay_now() - started >= BELAY_US(us));
	}
}

static void sleeping_no_time_returns_at_once(void **state)
{
	assert_int_equal(belay_sleep(bg(), 0), 0);
	assert_int_equal(belay_sleep(bg(), -BELAY_S(3600)), 0);
	assert_int_equal(belay_sleep(bg(), INT64_MIN), 0);
}

static void a_done_context_does_not_sleep(void **state)
{
	belay_ctx *cancelled = belay_with_cancel(bg()), *expired = belay_with_timeout(bg(), 0);

	belay_cancel(cancelled);
	assert_int_equal(belay_sleep(cancelled, BELAY_S(3600)), -ECANCELED);
	assert_int_equal(belay_sleep(expired, BELAY_FOREVER), -ETIME);
	assert_int_equal(belay_sleep(cancelled, 0), -ECANCELED);
	assert_int_equal(belay_sleep(NULL, BELAY_S(3600)), -EINVAL);
	belay_end(expired);
	belay_end(cancelled);
}

static void a_deadline_cuts_a_sleep_short(void **state)
{
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(2));

	assert_int_equal(belay_sleep(ctx, BELAY_S(3600)), -ETIME);
	assert_int_equal(belay_sleep(ctx, BELAY_FOREVER), -ETIME);
	belay_end(ctx);
}

struct sleeper {
	belay_ctx *ctx;
	int64_t ns;
	int result;
	atomic_bool asleep, over;
};

static void *sleep_on_a_thread(void *arg)
{
	struct sleeper *sleeper = arg;

	atomic_store(&sleeper->asleep, true);
	sleeper->result = belay_sleep(sleeper->ctx, sleeper->ns);
	atomic_store(&sleeper->over, true);
	return NULL;
}

static void sleep_in_a_task(belay_ctx *ctx, void *arg)
{
	sleep_on_a_thread(arg);
}

static void a_cancel_wakes_a_thread_and_a_task_that_sleep(void **state)
{
	for (int i = 0; i < 50; i++) {
		belay_ctx *ctx = belay_with_cancel(bg());
		struct sleeper a = {.ctx = ctx, .ns = BELAY_FOREVER}, b = a;
		pthread_t thread;

		b.ns = BELAY_S(3600);
		assert_int_equal(pthread_create(&thread, NULL, sleep_on_a_thread, &a), 0);
		assert_int_equal(belay_go(bg(), sleep_in_a_task, &b), 0);
		if (i % 2)
			assert_true(check_until(atomic_load(&a.asleep) && atomic_load(&b.asleep)));
		belay_cancel(ctx);
		pthread_join(thread, NULL);
		assert_true(check_until(atomic_load(&b.over)));
		assert_int_equal(a.result, -ECANCELED);
		assert_int_equal(b.result, -ECANCELED);
		belay_end(ctx);
	}
}

/* Did sleeping keep the worker, the second would never come to say that it is about to sleep. */
static void a_sleeping_task_leaves_its_worker_to_others(void **state)
{
	enum { N = 200 };
	belay_ctx *ctx = belay_with_cancel(bg());
	struct sleeper sleepers[N];

	setenv("BELAY_WORKERS", "1", 1);
	for (int i = 0; i < N; i++) {
		sleepers[i] = (struct sleeper){.ctx = ctx, .ns = BELAY_FOREVER};
		assert_int_equal(belay_go(bg(), sleep_in_a_task, &sleepers[i]), 0);
	}
	for (int i = 0; i < N; i++)
		assert_true(check_until(atomic_load(&sleepers[i].asleep)));
	belay_cancel(ctx);
	for (int i = 0; i < N; i++) {
		assert_true(check_until(atomic_load(&sleepers[i].over)));
		assert_int_equal(sleepers[i].result, -ECANCELED);
	}
	belay_end(ctx);
}

static int clear_workers(void **state)
{
	unsetenv("BELAY_WORKERS");
	return 0;
}

BELAY_TEST_MAIN(
	cmocka_unit_test(the_clock_is_the_monotonic_one_and_never_goes_back),
	cmocka_unit_test(units_take_any_type_of_number),
	cmocka_unit_test(sleeping_takes_at_least_its_time),
	cmocka_unit_test(sleeping_no_time_returns_at_once),
	cmocka_unit_test(a_done_context_does_not_sleep),
	cmocka_unit_test(a_deadline_cuts_a_sleep_short),
	cmocka_unit_test(a_cancel_wakes_a_thread_and_a_task_that_sleep),
	cmocka_unit_test_teardown(a_sleeping_task_leaves_its_worker_to_others, clear_workers))
