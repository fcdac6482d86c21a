/* SPDX-License-Identifier: MIT
 *
 * test_without_cancel.c - a child that keeps the values and nothing else.
 */
#include "check.h"

#include <belay.h>
#include <errno.h>

static int outer_value, inner_value;
static const belay_key outer = {.name = "outer"};
static const belay_key inner = {.name = "inner"};

static void assert_never_done(belay_ctx *ctx)
{
	belay_cause cause;

	assert_int_equal(belay_err(ctx), 0);
	assert_false(belay_deadline(ctx, NULL));
	assert_null(belay_done(ctx));
	assert_int_equal(belay_cause_of(ctx, &cause), -EAGAIN);
	assert_int_equal(belay_wait(ctx), -EDEADLK);
}

/* semantics 1.32 */
static void it_has_no_deadline_done_channel_error_or_cause(void **state)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), BELAY_S(3600));
	belay_ctx *without = belay_without_cancel(parent);

	assert_never_done(without);
	belay_end(without);
	belay_end(parent);
}

/* semantics 1.32 */
static void its_parents_end_does_not_reach_it(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *before = belay_without_cancel(parent);
	belay_ctx *after;

	belay_cancel_cause(parent, 1, "over");
	after = belay_without_cancel(parent);
	assert_never_done(before);
	assert_never_done(after);
	belay_end(parent);
	assert_never_done(before);
	assert_never_done(after);
	belay_end(before);
	belay_end(after);
}

/* semantics 1.32 */
static void its_parents_expiry_does_not_reach_it(void **state)
{
	belay_ctx *parent = belay_with_timeout_cause(belay_background(), 0, 1, "late");
	belay_ctx *without = belay_without_cancel(parent);

	assert_never_done(without);
	belay_end(without);
	belay_end(parent);
}

/* semantics 1.32 */
static void values_stay_visible_through_it_in_every_order(void **state)
{
	belay_ctx *cancel = belay_with_cancel(belay_background());
	belay_ctx *value = belay_with_value(cancel, &outer, &outer_value);
	belay_ctx *without = belay_without_cancel(value);
	belay_ctx *below = belay_with_value(without, &inner, &inner_value);

	belay_cancel(cancel);
	assert_ptr_equal(belay_value(without, &outer), &outer_value);
	assert_ptr_equal(belay_value(below, &outer), &outer_value);
	assert_ptr_equal(belay_value(below, &inner), &inner_value);
	assert_null(belay_value(without, &inner));
	assert_never_done(below);
	belay_end(cancel);
	belay_end(value);
	belay_end(without);
	assert_ptr_equal(belay_value(below, &outer), &outer_value);
	belay_end(below);
}

/* semantics 1.32 */
static void a_value_below_it_is_never_done(void **state)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), 0);
	belay_ctx *without = belay_without_cancel(parent);
	belay_ctx *value = belay_with_value(without, &outer, NULL);
	belay_ctx *twice = belay_without_cancel(value);

	assert_never_done(value);
	assert_never_done(twice);
	belay_end(twice);
	belay_end(value);
	belay_end(without);
	belay_end(parent);
}

/* semantics 1.33 */
static void what_is_derived_from_it_can_be_cancelled_by_itself(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *without = belay_without_cancel(parent);
	belay_ctx *child = belay_with_cancel(without);
	belay_cause cause;

	belay_cancel(parent);
	assert_int_equal(belay_err(child), 0);
	assert_true(belay_cancel_cause(child, 3, "by itself"));
	assert_int_equal(belay_err(child), -ECANCELED);
	assert_int_equal(belay_cause_of(child, &cause), 0);
	assert_int_equal(cause.code, 3);
	assert_never_done(without);
	belay_end(child);
	belay_end(without);
	belay_end(parent);
}

/* semantics 1.33 */
static void what_is_derived_from_it_can_time_out_by_itself(void **state)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), 0);
	belay_ctx *without = belay_without_cancel(parent);
	int64_t when = belay_now() + BELAY_MS(1), told = 0;
	belay_ctx *child = belay_with_deadline(without, when);

	assert_true(belay_deadline(child, &told));
	assert_true(told == when);
	assert_int_equal(belay_wait(child), -ETIME);
	assert_never_done(without);
	belay_end(child);
	belay_end(without);
	belay_end(parent);
}

/* semantics 1.33 */
static void a_deadline_below_it_may_be_later_than_the_parents(void **state)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), BELAY_S(10));
	belay_ctx *without = belay_without_cancel(parent);
	belay_ctx *child = belay_with_timeout(without, BELAY_S(1000));
	int64_t outer_when, inner_when;

	assert_true(belay_deadline(parent, &outer_when));
	assert_true(belay_deadline(child, &inner_when));
	assert_true(inner_when > outer_when);
	belay_end(parent);
	assert_int_equal(belay_err(child), 0);
	belay_end(child);
	belay_end(without);
}

BELAY_TEST_MAIN(cmocka_unit_test(it_has_no_deadline_done_channel_error_or_cause),
		cmocka_unit_test(its_parents_end_does_not_reach_it),
		cmocka_unit_test(its_parents_expiry_does_not_reach_it),
		cmocka_unit_test(values_stay_visible_through_it_in_every_order),
		cmocka_unit_test(a_value_below_it_is_never_done),
		cmocka_unit_test(what_is_derived_from_it_can_be_cancelled_by_itself),
		cmocka_unit_test(what_is_derived_from_it_can_time_out_by_itself),
		cmocka_unit_test(a_deadline_below_it_may_be_later_than_the_parents))
