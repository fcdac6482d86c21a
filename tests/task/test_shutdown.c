/* SPDX-License-Identifier: MIT
 *
 * test_shutdown.c - belay_shutdown(): what is ready runs on, then all threads are gone.
 */
#include "check.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

static belay_ctx *bg(void) { return belay_background(); }

static void count(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void before_anything_it_does_nothing(void **state)
{
	belay_shutdown();
	belay_shutdown();
}

static void all_threads_and_descriptors_are_gone(void **state)
{
	unsigned threads = check_threads(), descriptors = check_descriptors();
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_S(3600));
	atomic_int ran = 0;

	assert_int_equal(belay_go(ctx, count, &ran), 0);
	assert_true(check_threads() > threads);
	belay_end(ctx);
	belay_shutdown();
	assert_int_equal(ran, 1);
	assert_true(check_until(check_threads() == threads));
	assert_int_equal(check_descriptors(), descriptors);
}

static void yield_then_count(belay_ctx *ctx, void *arg)
{
	for (int i = 0; i < 20; i++)
		belay_yield();
	count(ctx, arg);
	check(belay_go(ctx, count, arg) == 0);
}

static void every_task_that_is_ready_runs_on_until_it_waits(void **state)
{
	enum { N = 500 };
	atomic_int ran = 0;

	for (int i = 0; i < N; i++)
		assert_int_equal(belay_go(bg(), yield_then_count, &ran), 0);
	belay_shutdown();
	assert_int_equal(ran, 2 * N);
}

static void count_blocking(void *arg)
{
	count(NULL, arg);
}

static void block_then_count(belay_ctx *ctx, void *arg)
{
	check(belay_blocking(ctx, count_blocking, arg) == 0);
	count(ctx, arg);
}

static void what_blocks_on_a_thread_of_the_pool_is_waited_for(void **state)
{
	enum { N = 30 };
	atomic_int ran = 0;

	for (int i = 0; i < N; i++)
		assert_int_equal(belay_go(bg(), block_then_count, &ran), 0);
	belay_shutdown();
	assert_int_equal(ran, 2 * N);
}

static void shut_down(void *arg)
{
	belay_shutdown();
	count(NULL, arg);
}

static void shut_down_here_and_there(belay_ctx *ctx, void *arg)
{
	shut_down(arg);
	check(belay_blocking(ctx, shut_down, arg) == 0);
}

static void from_a_task_and_from_what_it_runs_elsewhere_it_does_nothing(void **state)
{
	atomic_int ran = 0;

	assert_int_equal(belay_go(bg(), shut_down_here_and_there, &ran), 0);
	assert_true(check_until(atomic_load(&ran) == 2));
}

struct waiting {
	belay_chan *ch;
	atomic_int before, after;
};

static void wait_for_nothing(belay_ctx *ctx, void *arg)
{
	struct waiting *waiting = arg;

	atomic_fetch_add(&waiting->before, 1);
	belay_recv(ctx, waiting->ch, NULL);
	atomic_fetch_add(&waiting->after, 1);
}

/* Their contexts are background's, which is not counted, so that nothing of them is left behind. */
static void a_task_that_waits_is_never_resumed(void **state)
{
	enum { N = 10 };
	static struct waiting waiting;

	waiting = (struct waiting){.ch = NULL};
	for (int i = 0; i < N; i++)
		assert_int_equal(belay_go(bg(), wait_for_nothing, &waiting), 0);
	belay_shutdown();
	assert_int_equal(waiting.before, N);
	assert_int_equal(waiting.after, 0);
}

static void belay_can_be_used_again_afterwards(void **state)
{
	for (int i = 1; i <= 20; i++) {
		belay_ctx *ctx = check_live(belay_with_timeout(bg(), BELAY_MS(1)));
		belay_chan *ch = check_made(belay_chan_new(sizeof(int), 1));
		atomic_int ran = 0;

		assert_int_equal(belay_go(ctx, count, &ran), 0);
		assert_int_equal(belay_send(bg(), ch, &i), 0);
		assert_int_equal(belay_wait(ctx), -ETIME);
		belay_end(ctx);
		belay_chan_unref(ch);
		belay_shutdown();
		assert_int_equal(ran, 1);
	}
}

static void contexts_and_channels_outlive_it(void **state)
{
	static const belay_key key = {.name = "key"};
	belay_ctx *ctx = check_live(belay_with_cancel(bg()));
	belay_ctx *value = check_live(belay_with_value(ctx, &key, &ctx));
	belay_chan *ch = check_made(belay_chan_new(sizeof(int), 1));
	int got = 0;

	assert_int_equal(belay_send(bg(), ch, &(int){3}), 0);
	belay_shutdown();
	assert_ptr_equal(belay_value(value, &key), &ctx);
	assert_true(belay_cancel(ctx));
	assert_int_equal(belay_err(value), -ECANCELED);
	assert_int_equal(belay_recv(bg(), ch, &got), 0);
	assert_int_equal(got, 3);
	belay_chan_unref(ch);
	belay_end(value);
	belay_end(ctx);
}

static void a_deadline_set_before_it_is_kept_after_it_once_the_clock_runs(void **state)
{
	belay_ctx *ctx = check_live(belay_with_timeout(bg(), BELAY_MS(20))), *other;

	belay_shutdown();
	other = check_live(belay_with_timeout(bg(), BELAY_MS(30)));
	assert_int_equal(belay_wait(ctx), -ETIME);
	assert_int_equal(belay_wait(other), -ETIME);
	belay_end(other);
	belay_end(ctx);
}

static void end_of_after(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void an_after_func_of_a_done_context_still_runs(void **state)
{
	belay_ctx *ctx = belay_with_cancel(bg());
	atomic_int ran = 0;
	belay_after *after = belay_after_func(ctx, end_of_after, &ran);

	belay_end(ctx);
	belay_shutdown();
	assert_int_equal(ran, 1);
	assert_false(belay_after_stop(after));
}

struct flood {
	atomic_int there, spawned;
};

static void ebb(belay_ctx *ctx, void *arg)
{
	struct flood *flood = arg;

	atomic_fetch_sub(&flood->there, 1);
}

/* Two for each turn of its own, so that they would become ever more. */
static void spawn_until_the_end(belay_ctx *ctx, void *arg)
{
	struct flood *flood = arg;

	while (belay_err(ctx) == 0) {
		atomic_fetch_add(&flood->spawned, 1);
		if (atomic_load(&flood->there) < 1000)
			for (int i = 0; i < 2; i++)
				if (check(belay_go(ctx, ebb, flood) == 0))
					atomic_fetch_add(&flood->there, 1);
		belay_yield();
	}
}

static void tasks_that_start_others_for_ever_come_to_rest_once_their_context_has_ended(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(bg()));
	struct flood flood = {0};

	for (int i = 0; i < 10; i++)
		assert_int_equal(belay_go(ctx, spawn_until_the_end, &flood), 0);
	assert_true(check_until(atomic_load(&flood.spawned) > 1000));
	belay_end(ctx);
	belay_shutdown();
	assert_int_equal(flood.there, 0);
}

struct left {
	belay_chan *ch;
	atomic_int waiting, resumed;
};

static void receive(belay_ctx *ctx, void *arg)
{
	struct left *left = arg;
	int number;

	atomic_fetch_add(&left->waiting, 1);
	belay_recv(ctx, left->ch, &number);
	atomic_fetch_add(&left->resumed, 1);
}

static void sleep_on(belay_ctx *ctx, void *arg)
{
	struct left *left = arg;

	atomic_fetch_add(&left->waiting, 1);
	belay_sleep(ctx, BELAY_MS(20));
	atomic_fetch_add(&left->resumed, 1);
}

/* As every main does whose context is ended when its scope is left, after belay_shutdown(). The
 * tasks' stacks are never freed, so what they wait with outlives the test: it is static. */
static void tasks_left_waiting_may_be_woken_and_never_resume(void **state)
{
	static struct left left;
	belay_ctx *ctx = check_live(belay_with_cancel(bg()));
	int number = 5, before;

	left.ch = check_made(belay_chan_new(sizeof number, 0));
	assert_int_equal(belay_go(bg(), receive, &left), 0);
	assert_int_equal(belay_go(ctx, receive, &left), 0);
	assert_int_equal(belay_go(bg(), sleep_on, &left), 0);
	assert_true(check_until(atomic_load(&left.waiting) == 3));
	belay_shutdown();
	before = left.resumed; /* a sleeper whose time was up sooner */
	assert_true(before <= 1);
	assert_int_equal(belay_send(bg(), left.ch, &number), 0); /* to a receiver that is no more */
	belay_cancel(ctx);
	assert_int_equal(belay_sleep(bg(), BELAY_MS(30)), 0); /* the clock wakes the sleeper */
	belay_shutdown();
	assert_int_equal(left.resumed, before);
	belay_unref(ctx);
	belay_unref(ctx); /* the task's own, which it will never give up */
}

/* ---- Beside the clock ------------------------------------------------------------------------ */

struct awaited {
	belay_ctx *ctx;
	atomic_int ran;
};

static void wait_then_count(belay_ctx *ctx, void *arg)
{
	struct awaited *awaited = arg;

	belay_wait(awaited->ctx);
	atomic_fetch_add(&awaited->ran, 1);
}

/* The clock wakes main among the tasks, and may be at it still when main shuts down. */
static void whom_a_deadline_wakes_goes_on_where_it_has_passed(void **state)
{
	enum { ROUNDS = 60, TASKS = 200 };

	check_needs_memory();
	for (int round = 0; round < ROUNDS; round++) {
		struct awaited awaited = {.ctx = belay_with_timeout(bg(), BELAY_MS(2))};

		for (int i = 0; i < TASKS; i++)
			assert_int_equal(belay_go(bg(), wait_then_count, &awaited), 0);
		belay_wait(awaited.ctx);
		belay_shutdown();
		assert_int_equal(awaited.ran, TASKS);
		belay_end(awaited.ctx);
	}
}

static atomic_bool returned;

static void shut_down_in_hook(struct belay_hook *hook)
{
	belay_shutdown();
	atomic_store(&returned, true);
}

/* The clock would wait for itself. */
static void in_a_hook_that_a_deadline_runs_it_does_nothing(void **state)
{
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(1));
	struct belay_hook hook;

	atomic_store(&returned, false);
	belay_hook_add(ctx, &hook, shut_down_in_hook);
	assert_true(check_until(atomic_load(&returned)));
	belay_hook_remove(&hook);
	belay_end(ctx);
}

BELAY_TEST_MAIN(cmocka_unit_test(before_anything_it_does_nothing),
		cmocka_unit_test(all_threads_and_descriptors_are_gone),
		cmocka_unit_test(every_task_that_is_ready_runs_on_until_it_waits),
		cmocka_unit_test(what_blocks_on_a_thread_of_the_pool_is_waited_for),
		cmocka_unit_test(from_a_task_and_from_what_it_runs_elsewhere_it_does_nothing),
		cmocka_unit_test(a_task_that_waits_is_never_resumed),
		cmocka_unit_test(belay_can_be_used_again_afterwards),
		cmocka_unit_test(contexts_and_channels_outlive_it),
		cmocka_unit_test(a_deadline_set_before_it_is_kept_after_it_once_the_clock_runs),
		cmocka_unit_test(an_after_func_of_a_done_context_still_runs),
		cmocka_unit_test(
			tasks_that_start_others_for_ever_come_to_rest_once_their_context_has_ended),
		cmocka_unit_test(in_a_hook_that_a_deadline_runs_it_does_nothing),
		cmocka_unit_test(whom_a_deadline_wakes_goes_on_where_it_has_passed),
		cmocka_unit_test(tasks_left_waiting_may_be_woken_and_never_resume))
