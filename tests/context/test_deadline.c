/* SPDX-License-Identifier: MIT
 *
 * test_deadline.c - deadlines: kept, inherited, shortened, never lengthened, never early.
 */
#include "check.h"

#include "few_descriptors.h"

#include <belay.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

static const belay_key key = {.name = "key"};

static int64_t deadline_of(belay_ctx *ctx)
{
	int64_t when = -1;

	assert_true(belay_deadline(ctx, &when));
	return when;
}

/* semantics 1.18 */
static void expiry_gives_etime(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_MS(1));

	assert_int_equal(belay_wait(ctx), -ETIME);
	assert_int_equal(belay_err(ctx), -ETIME);
	assert_int_equal(belay_try_recv(belay_done(ctx), NULL), -EPIPE);
	belay_end(ctx);
}

/* semantics 1.18 */
static void expiry_reaches_through_values_and_children(void **state)
{
	belay_ctx *ctx = belay_with_deadline(belay_background(), belay_now() + BELAY_MS(1));
	belay_ctx *value = belay_with_value(ctx, &key, NULL);
	belay_ctx *deeper = belay_with_value(value, &key, NULL);
	belay_ctx *child = belay_with_cancel(deeper);

	assert_int_equal(belay_wait(child), -ETIME);
	assert_int_equal(belay_wait(deeper), -ETIME);
	assert_int_equal(belay_err(value), -ETIME);
	belay_end(child);
	belay_end(deeper);
	belay_end(value);
	belay_end(ctx);
}

static void a_deadline_never_comes_early(void **state)
{
	for (int i = 0; i < 50; i++) {
		int64_t when = belay_now() + BELAY_US(i * 77);
		belay_ctx *ctx = belay_with_deadline(belay_background(), when);

		assert_int_equal(belay_wait(ctx), -ETIME);
		assert_true(belay_now() >= when);
		belay_end(ctx);
	}
}

static void deadlines_expire_whatever_the_order_they_were_set_in(void **state)
{
	static const int ms[] = {31, 2, 17, 1, 300, 64, 65, 3, 129, 0, 5};
	enum { N = sizeof ms / sizeof *ms };
	belay_ctx *all[N];

	for (int i = 0; i < N; i++)
		all[i] = belay_with_timeout(belay_background(), BELAY_MS(ms[i]));
	for (int i = 0; i < N; i++)
		assert_int_equal(belay_wait(all[i]), -ETIME);
	for (int i = 0; i < N; i++)
		belay_end(all[i]);
}

/* semantics 1.19 */
static void a_deadline_now_or_in_the_past_is_done_on_return(void **state)
{
	const int64_t moments[] = {belay_now(), belay_now() - BELAY_S(5), 0, -1, INT64_MIN};

	for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
		belay_ctx *ctx = belay_with_deadline(belay_background(), moments[i]);

		assert_int_equal(belay_err(ctx), -ETIME);
		assert_int_equal(belay_try_recv(belay_done(ctx), NULL), -EPIPE);
		assert_false(belay_cancel(ctx));
		assert_int_equal(belay_err(ctx), -ETIME);
		belay_end(ctx);
	}
}

/* semantics 1.19 */
static void a_timeout_of_zero_or_less_is_done_on_return(void **state)
{
	const int64_t spans[] = {0, -1, -BELAY_S(1), INT64_MIN};

	for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
		belay_ctx *ctx = belay_with_timeout(belay_background(), spans[i]);
		belay_cause cause;

		assert_int_equal(belay_err(ctx), -ETIME);
		assert_false(belay_cancel_cause(ctx, 8, "too late"));
		assert_int_equal(belay_cause_of(ctx, &cause), 0);
		assert_int_equal(cause.code, -ETIME);
		belay_end(ctx);
	}
}

/* A hook that keeps the clock's thread, so that deadlines pass which it has not seen yet. It
 * blocks, which a hook must not do, to stand for a machine that is too busy for the clock. */
struct late_clock {
	struct belay_hook hook;
	pthread_t test;
	atomic_bool held, let_go;
};

static void hold_clock(struct belay_hook *hook)
{
	struct late_clock *late = (struct late_clock *)hook;

	if (pthread_equal(pthread_self(), late->test))
		return; /* the deadline had passed before the hook was added */
	atomic_store(&late->held, true);
	check(check_until(atomic_load(&late->let_go)));
}

/* Returns the context whose end the clock is held in. */
static belay_ctx *make_clock_late(struct late_clock *late)
{
	belay_ctx *holder;

	*late = (struct late_clock){.test = pthread_self()};
	holder = check_live(belay_with_timeout(belay_background(), BELAY_MS(1)));
	while (!belay_hook_add(holder, &late->hook, hold_clock)) {
		belay_end(holder);
		holder = check_live(belay_with_timeout(belay_background(), BELAY_MS(10)));
	}
	assert_true(check_until(atomic_load(&late->held)));
	return holder;
}

/* semantics 1.19 */
static void it_is_done_on_return_also_where_the_clock_is_late_for_its_parent(void **state)
{
	struct late_clock late;
	belay_ctx *holder = make_clock_late(&late);
	belay_ctx *parent, *child, *dated, *deadless;
	int64_t when;

	parent = check_live(belay_with_timeout(belay_background(), BELAY_US(1)));
	assert_true(belay_deadline(parent, &when));
	assert_true(check_until(belay_now() > when + 1));
	child = check_live(belay_with_timeout(parent, 0));
	dated = check_live(belay_with_deadline(parent, when + 1));
	deadless = check_live(belay_with_cancel(parent));
	assert_int_equal(belay_err(child), -ETIME);
	assert_int_equal(belay_err(dated), -ETIME);
	atomic_store(&late.let_go, true);
	assert_int_equal(belay_wait(deadless), -ETIME);
	assert_int_equal(belay_err(parent), -ETIME);
	assert_true(deadline_of(child) == when);
	assert_true(deadline_of(dated) == when);
	assert_false(belay_hook_remove(&late.hook));
	belay_end(deadless);
	belay_end(dated);
	belay_end(child);
	belay_end(parent);
	belay_end(holder);
}

/* semantics 1.20 */
static void a_deadline_later_than_the_parents_is_the_parents(void **state)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), BELAY_S(1000));
	belay_ctx *child = belay_with_timeout(parent, BELAY_S(2000));
	belay_ctx *same = belay_with_deadline(parent, deadline_of(parent));
	belay_ctx *through = belay_with_value(child, &key, NULL);

	assert_true(deadline_of(child) == deadline_of(parent));
	assert_true(deadline_of(same) == deadline_of(parent));
	assert_true(deadline_of(through) == deadline_of(parent));
	assert_int_equal(belay_err(child), 0);
	assert_true(belay_cancel(child));
	assert_int_equal(belay_err(child), -ECANCELED);
	assert_int_equal(belay_err(parent), 0);
	belay_end(through);
	belay_end(same);
	belay_end(child);
	belay_end(parent);
}

static void an_earlier_deadline_than_the_parents_is_its_own(void **state)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), BELAY_S(2000));
	int64_t when = belay_now() + BELAY_S(1000);
	belay_ctx *child = belay_with_deadline(parent, when);

	assert_true(deadline_of(child) == when);
	assert_true(deadline_of(parent) > when);
	belay_end(child);
	assert_int_equal(belay_err(parent), 0);
	belay_end(parent);
}

static void a_child_inherits_the_deadline(void **state)
{
	int64_t when = belay_now() + BELAY_S(1000);
	belay_ctx *parent = belay_with_deadline(belay_background(), when);
	belay_ctx *child = belay_with_cancel(parent);

	assert_true(deadline_of(child) == when);
	belay_end(child);
	belay_end(parent);
}

static void an_expiring_child_leaves_its_parent_live(void **state)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), BELAY_S(3600));
	belay_ctx *child = belay_with_timeout(parent, BELAY_MS(1));

	assert_int_equal(belay_wait(child), -ETIME);
	assert_int_equal(belay_err(parent), 0);
	belay_end(child);
	belay_end(parent);
}

/* semantics 1.21 */
static void a_long_timeout_under_a_shorter_parent_ends_at_the_parents(void **state)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), BELAY_MS(2));
	belay_ctx *child = belay_with_timeout(parent, BELAY_S(3600));
	belay_cause cause;

	assert_int_equal(belay_wait(child), -ETIME);
	assert_int_equal(belay_err(parent), -ETIME);
	assert_int_equal(belay_cause_of(child, &cause), 0);
	assert_int_equal(cause.levels_up, 1);
	belay_end(child);
	belay_end(parent);
}

/* semantics 1.22 */
static void cancelled_before_its_deadline_a_context_is_canceled(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_MS(2));
	belay_ctx *long_one = belay_with_timeout(belay_background(), BELAY_S(3600));
	bool won = belay_cancel(ctx);

	assert_true(belay_cancel(long_one));
	assert_int_equal(belay_err(long_one), -ECANCELED);
	assert_int_equal(belay_sleep(belay_background(), BELAY_MS(5)), 0);
	assert_int_equal(belay_err(ctx), won ? -ECANCELED : -ETIME);
	belay_end(long_one);
	belay_end(ctx);
}

/* semantics 1.22 */
static void ending_before_the_deadline_frees_at_once(void **state)
{
	size_t before = belay_tree_count();

	for (int i = 0; i < 1000; i++)
		belay_end(belay_with_timeout(belay_background(), BELAY_S(3600)));
	assert_int_equal(belay_tree_count(), before);
}

static void giving_up_a_timed_contexts_last_reference_disarms_it(void **state)
{
	size_t before = belay_tree_count();

	belay_unref(belay_with_timeout(belay_background(), BELAY_S(3600)));
	assert_true(check_until(belay_tree_count() == before));
}

/* semantics 1.23 */
static void a_past_deadline_on_a_done_parent_is_the_parents_end(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *child;
	belay_cause cause;

	belay_cancel_cause(parent, 12, "parent first");
	child = belay_with_deadline_cause(parent, belay_now() - 1, 13, "child too");
	assert_int_equal(belay_err(child), -ECANCELED);
	assert_int_equal(belay_cause_of(child, &cause), 0);
	assert_int_equal(cause.code, 12);
	assert_string_equal(cause.message, "parent first");
	belay_end(child);
	belay_end(parent);
}

/* semantics 1.24 */
static void the_deadline_is_the_same_after_the_end(void **state)
{
	int64_t later = belay_now() + BELAY_S(3600), soon = belay_now() + BELAY_MS(1), past = 1;
	belay_ctx *cancelled = belay_with_deadline(belay_background(), later);
	belay_ctx *expired = belay_with_deadline(belay_background(), soon);
	belay_ctx *stillborn = belay_with_deadline(belay_background(), past);
	belay_ctx *none = belay_with_cancel(belay_background());

	belay_cancel(cancelled);
	belay_cancel(none);
	assert_int_equal(belay_wait(expired), -ETIME);
	assert_true(deadline_of(cancelled) == later);
	assert_true(deadline_of(expired) == soon);
	assert_true(deadline_of(stillborn) == past);
	assert_false(belay_deadline(none, NULL));
	belay_end(cancelled);
	belay_end(expired);
	belay_end(stillborn);
	belay_end(none);
}

/* semantics 1.24 */
static void a_deadline_under_an_ended_parent_is_still_told(void **state)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), BELAY_S(1000));
	belay_ctx *child = belay_with_cancel(parent);
	int64_t when = deadline_of(parent);

	belay_end(parent);
	assert_true(deadline_of(child) == when);
	belay_end(child);
}

/* semantics 1.26 */
static void a_timeout_that_overflows_the_clock_is_no_deadline(void **state)
{
	const int64_t spans[] = {BELAY_FOREVER, INT64_MAX - 1, INT64_MAX - 1000};

	for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
		belay_ctx *ctx = belay_with_timeout(belay_background(), spans[i]);

		assert_int_equal(belay_err(ctx), 0);
		assert_false(belay_deadline(ctx, NULL));
		assert_true(belay_cancel(ctx));
		assert_int_equal(belay_err(ctx), -ECANCELED);
		belay_end(ctx);
	}
}

/* semantics 1.26 */
static void a_deadline_of_forever_is_no_deadline(void **state)
{
	belay_ctx *ctx = belay_with_deadline(belay_background(), BELAY_FOREVER);
	belay_ctx *parent = belay_with_timeout(belay_background(), BELAY_S(1000));
	belay_ctx *child = belay_with_timeout(parent, BELAY_FOREVER);

	assert_int_equal(belay_err(ctx), 0);
	assert_false(belay_deadline(ctx, NULL));
	assert_true(deadline_of(child) == deadline_of(parent));
	belay_end(child);
	belay_end(parent);
	belay_end(ctx);
}

static void where_the_clock_cannot_start_a_deadline_is_a_failed_context(void **state)
{
	belay_ctx *ctx, *again;

	forbid_descriptors();
	ctx = belay_with_timeout(belay_background(), BELAY_S(3600));
	allow_descriptors();
	assert_int_equal(belay_err(ctx), -ENOMEM);
	belay_end(ctx);
	again = belay_with_timeout(belay_background(), BELAY_MS(1));
	assert_int_equal(belay_wait(again), -ETIME);
	belay_end(again);
}

static void a_far_deadline_is_told_to_the_nanosecond(void **state)
{
	int64_t when = INT64_MAX - 1;
	belay_ctx *ctx = belay_with_deadline(belay_background(), when);

	assert_true(deadline_of(ctx) == when);
	assert_int_equal(belay_err(ctx), 0);
	belay_end(ctx);
}

BELAY_TEST_MAIN(cmocka_unit_test(expiry_gives_etime),
		cmocka_unit_test(expiry_reaches_through_values_and_children),
		cmocka_unit_test(a_deadline_never_comes_early),
		cmocka_unit_test(deadlines_expire_whatever_the_order_they_were_set_in),
		cmocka_unit_test(a_deadline_now_or_in_the_past_is_done_on_return),
		cmocka_unit_test(a_timeout_of_zero_or_less_is_done_on_return),
		cmocka_unit_test(it_is_done_on_return_also_where_the_clock_is_late_for_its_parent),
		cmocka_unit_test(a_deadline_later_than_the_parents_is_the_parents),
		cmocka_unit_test(an_earlier_deadline_than_the_parents_is_its_own),
		cmocka_unit_test(a_child_inherits_the_deadline),
		cmocka_unit_test(an_expiring_child_leaves_its_parent_live),
		cmocka_unit_test(a_long_timeout_under_a_shorter_parent_ends_at_the_parents),
		cmocka_unit_test(cancelled_before_its_deadline_a_context_is_canceled),
		cmocka_unit_test(ending_before_the_deadline_frees_at_once),
		cmocka_unit_test(giving_up_a_timed_contexts_last_reference_disarms_it),
		cmocka_unit_test(a_past_deadline_on_a_done_parent_is_the_parents_end),
		cmocka_unit_test(the_deadline_is_the_same_after_the_end),
		cmocka_unit_test(a_deadline_under_an_ended_parent_is_still_told),
		cmocka_unit_test(a_timeout_that_overflows_the_clock_is_no_deadline),
		cmocka_unit_test(a_deadline_of_forever_is_no_deadline),
		cmocka_unit_test(where_the_clock_cannot_start_a_deadline_is_a_failed_context),
		cmocka_unit_test(a_far_deadline_is_told_to_the_nanosecond))
