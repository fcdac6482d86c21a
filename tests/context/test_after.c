/* SPDX-License-Identifier: MIT
 *
 * test_after.c - after-funcs: once, only after the end, in a task of their own, or never.
 */
#include "check.h"

#include "scale.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

static const belay_key key = {.name = "key"};

/* What an after-func that ran has seen. */
struct seen {
	belay_ctx *ctx;
	atomic_int runs;
	pthread_t thread;
	int err;
};

static void note(void *arg)
{
	struct seen *seen = arg;

	seen->thread = pthread_self();
	seen->err = belay_err(seen->ctx);
	atomic_fetch_add(&seen->runs, 1);
}

/* semantics 1.39 */
static void it_runs_once_after_a_cancel(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct seen seen = {.ctx = ctx};
	belay_after *after = belay_after_func(ctx, note, &seen);

	assert_non_null(after);
	assert_int_equal(seen.runs, 0);
	belay_cancel(ctx);
	assert_true(check_until(atomic_load(&seen.runs) == 1));
	assert_int_equal(seen.err, -ECANCELED);
	belay_cancel(ctx);
	assert_false(belay_after_stop(after));
	belay_end(ctx);
	belay_shutdown();
	assert_int_equal(seen.runs, 1);
}

/* semantics 1.39 */
static void it_runs_once_after_expiry(void **state)
{
	belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), BELAY_MS(1)));
	belay_ctx *value = check_live(belay_with_value(ctx, &key, NULL));
	struct seen seen = {.ctx = value};
	belay_after *after = check_made(belay_after_func(value, note, &seen));

	assert_true(check_until(atomic_load(&seen.runs) == 1));
	assert_int_equal(seen.err, -ETIME);
	assert_false(belay_after_stop(after));
	belay_end(value);
	belay_end(ctx);
}

/* semantics 1.39 */
static void it_runs_at_once_where_the_context_is_done_already(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), 0);
	struct seen seen = {.ctx = ctx};
	belay_after *after = belay_after_func(ctx, note, &seen);

	assert_non_null(after);
	assert_true(check_until(atomic_load(&seen.runs) == 1));
	assert_false(belay_after_stop(after));
	belay_end(ctx);
}

/* semantics 1.39 */
static void it_runs_where_an_ancestor_ends(void **state)
{
	belay_ctx *top = check_live(belay_with_cancel(belay_background()));
	belay_ctx *low = check_live(belay_with_cancel(top));
	struct seen seen = {.ctx = low};
	belay_after *after = check_made(belay_after_func(low, note, &seen));

	belay_end(top);
	assert_true(check_until(atomic_load(&seen.runs) == 1));
	assert_false(belay_after_stop(after));
	belay_end(low);
}

/* An after-func that stays inside until it is let go. */
struct held {
	atomic_bool inside, let_go, left;
	belay_after *after;
	bool stopped;
};

static void stay(void *arg)
{
	struct held *held = arg;

	atomic_store(&held->inside, true);
	check(check_until(atomic_load(&held->let_go)));
	atomic_store(&held->left, true);
}

/* semantics 1.40 */
static void cancelling_does_not_wait_for_it(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	struct held held = {0};
	belay_after *after = check_made(belay_after_func(ctx, stay, &held));

	belay_cancel(ctx);
	assert_false(atomic_load(&held.left));
	atomic_store(&held.let_go, true);
	assert_true(check_until(atomic_load(&held.left)));
	assert_false(belay_after_stop(after));
	belay_end(ctx);
}

/* semantics 1.40 */
static void it_runs_on_another_thread_than_the_one_that_cancels(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	struct seen seen = {.ctx = ctx};
	belay_after *after = check_made(belay_after_func(ctx, note, &seen));

	belay_cancel(ctx);
	assert_true(check_until(atomic_load(&seen.runs) == 1));
	assert_false(pthread_equal(seen.thread, pthread_self()));
	assert_false(belay_after_stop(after));
	belay_end(ctx);
}

static void block_in_after(void *arg)
{
	belay_chan *ch = arg;
	int got = 0;

	check(belay_sleep(belay_background(), BELAY_US(10)) == 0);
	check(belay_recv(belay_background(), ch, &got) == 0);
	check(got == 7);
	check(belay_send(belay_background(), ch, &(int){8}) == 0);
}

/* semantics 1.40 */
static void it_may_block(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	belay_chan *ch = check_made(belay_chan_new(sizeof(int), 0));
	belay_after *after = check_made(belay_after_func(ctx, block_in_after, ch));
	int got = 0;

	belay_cancel(ctx);
	assert_int_equal(belay_send(belay_background(), ch, &(int){7}), 0);
	assert_int_equal(belay_recv(belay_background(), ch, &got), 0);
	assert_int_equal(got, 8);
	assert_false(belay_after_stop(after));
	belay_end(ctx);
	belay_shutdown();
	belay_chan_unref(ch);
}

/* semantics 1.41 */
static void stopped_before_the_end_it_never_runs(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct seen seen = {.ctx = ctx};
	belay_after *after = belay_after_func(ctx, note, &seen);

	assert_true(belay_after_stop(after));
	belay_end(ctx);
	belay_shutdown();
	assert_int_equal(seen.runs, 0);
}

/* semantics 1.41 */
static void stopped_after_the_start_it_returns_false(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	struct held held = {0};
	belay_after *after = check_made(belay_after_func(ctx, stay, &held));

	belay_cancel(ctx);
	assert_true(check_until(atomic_load(&held.inside)));
	assert_false(belay_after_stop(after));
	assert_false(atomic_load(&held.left));
	atomic_store(&held.let_go, true);
	belay_end(ctx);
	belay_shutdown();
	assert_true(held.left);
}

/* semantics 1.42 */
static void several_on_one_context_are_independent(void **state)
{
	enum { N = 10 };
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	struct seen seen[N];
	belay_after *after[N];

	for (int i = 0; i < N; i++) {
		seen[i] = (struct seen){.ctx = ctx};
		after[i] = check_made(belay_after_func(ctx, note, &seen[i]));
	}
	for (int i = 0; i < N; i += 2)
		assert_true(belay_after_stop(after[i]));
	belay_cancel(ctx);
	for (int i = 1; i < N; i += 2) {
		assert_true(check_until(atomic_load(&seen[i].runs) == 1));
		assert_false(belay_after_stop(after[i]));
	}
	belay_end(ctx);
	belay_shutdown();
	for (int i = 0; i < N; i++)
		assert_int_equal(seen[i].runs, i % 2);
}

static void stop_itself(void *arg)
{
	struct held *held = arg;

	check(check_until(atomic_load(&held->let_go)));
	held->stopped = belay_after_stop(held->after);
	atomic_store(&held->left, true);
}

/* semantics 1.43 */
static void it_may_stop_itself_and_is_told_false(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	struct held held = {.stopped = true};

	held.after = check_made(belay_after_func(ctx, stop_itself, &held));
	atomic_store(&held.let_go, true);
	belay_end(ctx);
	assert_true(check_until(atomic_load(&held.left)));
	assert_false(held.stopped);
}

/* semantics 1.43 */
static void stopping_does_not_wait(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	struct held held = {0};
	belay_after *after = check_made(belay_after_func(ctx, stay, &held));

	belay_cancel(ctx);
	assert_false(belay_after_stop(after));
	assert_false(atomic_load(&held.left));
	atomic_store(&held.let_go, true);
	assert_true(check_until(atomic_load(&held.left)));
	belay_end(ctx);
}

/* semantics 1.44 */
static void on_a_context_that_can_never_be_done_stop_returns_true(void **state)
{
	belay_ctx *without = belay_without_cancel(belay_background());
	struct seen seen = {.ctx = without};
	belay_after *on_root = belay_after_func(belay_background(), note, &seen);
	belay_after *on_todo = belay_after_func(belay_todo(), note, &seen);
	belay_after *on_without = belay_after_func(without, note, &seen);

	assert_true(belay_after_stop(on_root));
	assert_true(belay_after_stop(on_todo));
	assert_true(belay_after_stop(on_without));
	belay_end(without);
	assert_int_equal(seen.runs, 0);
}

static void a_real_function_stands_behind_the_macro(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	struct seen seen = {.ctx = ctx};
	belay_after *after = check_made((belay_after_func)(ctx, note, &seen));

	belay_cancel(ctx);
	assert_true(check_until(atomic_load(&seen.runs) == 1));
	assert_false((belay_after_stop)(after));
	belay_end(ctx);
}

static void it_keeps_the_context_until_it_is_stopped(void **state)
{
	size_t before = belay_tree_count();
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct seen seen = {.ctx = ctx};
	belay_after *after = belay_after_func(ctx, note, &seen);

	belay_unref(ctx);
	assert_true(belay_after_stop(after));
	assert_true(check_until(belay_tree_count() == before));
	assert_int_equal(seen.runs, 0);
}

static void *cancel_on_a_thread(void *ctx)
{
	belay_cancel(ctx);
	return NULL;
}

/* semantics 1.41 */
static void stop_races_the_end_and_tells_the_truth(void **state)
{
	const int rounds = (int)scaled(2000);
	int stopped = 0;

	for (int i = 0; i < rounds; i++) {
		belay_ctx *ctx = belay_with_cancel(belay_background());
		struct seen seen = {.ctx = belay_background()};
		belay_after *after = belay_after_func(ctx, note, &seen);
		pthread_t canceller;
		bool stop;

		assert_non_null(after);
		assert_int_equal(pthread_create(&canceller, NULL, cancel_on_a_thread, ctx), 0);
		if (i % 2)
			belay_yield();
		stop = belay_after_stop(after);
		stopped += stop;
		pthread_join(canceller, NULL);
		if (!stop)
			assert_true(check_until(atomic_load(&seen.runs) == 1));
		else
			assert_int_equal(atomic_load(&seen.runs), 0);
		belay_end(ctx);
	}
	assert_true(stopped <= rounds);
}

BELAY_TEST_MAIN(cmocka_unit_test(it_runs_once_after_a_cancel),
		cmocka_unit_test(it_runs_once_after_expiry),
		cmocka_unit_test(it_runs_at_once_where_the_context_is_done_already),
		cmocka_unit_test(it_runs_where_an_ancestor_ends),
		cmocka_unit_test(cancelling_does_not_wait_for_it),
		cmocka_unit_test(it_runs_on_another_thread_than_the_one_that_cancels),
		cmocka_unit_test(it_may_block),
		cmocka_unit_test(stopped_before_the_end_it_never_runs),
		cmocka_unit_test(stopped_after_the_start_it_returns_false),
		cmocka_unit_test(several_on_one_context_are_independent),
		cmocka_unit_test(it_may_stop_itself_and_is_told_false),
		cmocka_unit_test(stopping_does_not_wait),
		cmocka_unit_test(on_a_context_that_can_never_be_done_stop_returns_true),
		cmocka_unit_test(a_real_function_stands_behind_the_macro),
		cmocka_unit_test(it_keeps_the_context_until_it_is_stopped),
		cmocka_unit_test(stop_races_the_end_and_tells_the_truth))
