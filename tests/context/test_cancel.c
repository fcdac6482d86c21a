/* SPDX-License-Identifier: MIT
 *
 * test_cancel.c - ends: synchronous, downwards only, once.
 */
#include "check.h"

#include <belay.h>
#include <errno.h>

static const belay_key key = {.name = "key"};

static void assert_live(belay_ctx *ctx)
{
	assert_int_equal(belay_err(ctx), 0);
	assert_int_equal(belay_try_recv(belay_done(ctx), NULL), -EAGAIN);
}

static void assert_done(belay_ctx *ctx, int err)
{
	assert_int_equal(belay_err(ctx), err);
	assert_int_equal(belay_try_recv(belay_done(ctx), NULL), -EPIPE);
}

/* semantics 1.2 */
static void a_fresh_context_is_live_and_its_done_channel_is_not_ready(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	assert_int_equal(belay_err(ctx), 0);
	assert_non_null(belay_done(ctx));
	assert_int_equal(belay_try_recv(belay_done(ctx), NULL), -EAGAIN);
	assert_int_equal(belay_try_select(BELAY_DONE(ctx)), -EAGAIN);
	assert_false(belay_deadline(ctx, NULL));
	belay_end(ctx);
}

/* semantics 1.3 */
static void done_is_the_same_channel_every_time(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_chan *done = belay_done(ctx);

	assert_ptr_equal(belay_done(ctx), done);
	belay_cancel(ctx);
	assert_ptr_equal(belay_done(ctx), done);
	belay_end(ctx);
}

/* semantics 1.4 */
static void cancelling_ends_the_context_before_it_returns(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	assert_true(belay_cancel(ctx));
	assert_done(ctx, -ECANCELED);
	belay_end(ctx);
}

/* semantics 1.4 */
static void cancelling_ends_every_descendant_through_any_number_of_values(void **state)
{
	enum { DEPTH = 200 };
	belay_ctx *chain[DEPTH], *top = belay_with_cancel(belay_background());

	for (int i = 0; i < DEPTH; i++) {
		belay_ctx *parent = i ? chain[i - 1] : top;

		chain[i] = i % 20 == 19 ? belay_with_cancel(parent)
					: belay_with_value(parent, &key, chain);
	}
	assert_true(belay_cancel(top));
	for (int i = 0; i < DEPTH; i++)
		assert_done(chain[i], -ECANCELED);
	for (int i = DEPTH; i--;)
		belay_end(chain[i]);
	belay_end(top);
}

/* semantics 1.4 */
static void cancelling_ends_every_kind_of_descendant(void **state)
{
	belay_ctx *top = belay_with_cancel(belay_background());
	belay_ctx *all[] = {
		belay_with_cancel(top),
		belay_with_timeout(top, BELAY_S(3600)),
		belay_with_deadline(top, BELAY_FOREVER),
		belay_with_timeout_cause(top, BELAY_S(3600), 5, "late"),
		belay_with_value(top, &key, NULL),
		belay_with_merge(top, belay_background()),
		belay_with_merge(belay_background(), top),
	};
	size_t n = sizeof all / sizeof *all;

	for (size_t i = 0; i < n; i++)
		assert_live(all[i]);
	assert_true(belay_cancel(top));
	for (size_t i = 0; i < n; i++)
		assert_done(all[i], -ECANCELED);
	for (size_t i = 0; i < n; i++)
		belay_end(all[i]);
	belay_end(top);
}

/* semantics 1.5 */
static void cancelling_a_child_leaves_its_parent_and_siblings_live(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *first = belay_with_cancel(parent);
	belay_ctx *second = belay_with_cancel(parent);
	belay_ctx *third = belay_with_timeout(parent, BELAY_S(3600));

	assert_true(belay_cancel(second));
	assert_done(second, -ECANCELED);
	assert_live(parent);
	assert_live(first);
	assert_live(third);
	belay_end(third);
	assert_live(parent);
	assert_live(first);
	belay_end(first);
	belay_end(second);
	assert_live(parent);
	belay_end(parent);
}

/* semantics 1.6 */
static void the_first_end_wins_and_later_ones_change_nothing(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_S(3600));
	belay_cause cause;

	assert_true(belay_cancel_cause(ctx, 11, "first"));
	assert_false(belay_cancel_cause(ctx, 22, "second"));
	assert_false(belay_cancel(ctx));
	assert_int_equal(belay_err(ctx), -ECANCELED);
	assert_int_equal(belay_cause_of(ctx, &cause), 0);
	assert_int_equal(cause.code, 11);
	assert_string_equal(cause.message, "first");
	belay_end(ctx);
}

/* semantics 1.6 */
static void a_cancel_after_the_deadline_returns_false_and_changes_nothing(void **state)
{
	belay_ctx *ctx = belay_with_timeout_cause(belay_background(), 1, 33, "too late");
	belay_cause cause;

	assert_int_equal(belay_wait(ctx), -ETIME);
	assert_false(belay_cancel_cause(ctx, 44, "even later"));
	assert_int_equal(belay_err(ctx), -ETIME);
	assert_int_equal(belay_cause_of(ctx, &cause), 0);
	assert_int_equal(cause.code, 33);
	belay_end(ctx);
}

static void a_context_without_an_end_of_its_own_cannot_be_cancelled(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *value = belay_with_value(parent, &key, NULL);
	belay_ctx *without = belay_without_cancel(parent);

	assert_false(belay_cancel(value));
	assert_false(belay_cancel_cause(value, 1, "no"));
	assert_false(belay_cancel(without));
	assert_live(parent);
	assert_live(value);
	assert_int_equal(belay_err(without), 0);
	belay_end(value);
	belay_end(without);
	assert_live(parent);
	belay_end(parent);
}

static void ending_cancels_what_others_still_hold(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_ctx *held = belay_ref(ctx);
	belay_ctx *child = belay_with_cancel(ctx);

	assert_ptr_equal(held, ctx);
	belay_end(ctx);
	assert_done(held, -ECANCELED);
	assert_done(child, -ECANCELED);
	belay_unref(held);
	belay_end(child);
}

static void giving_up_a_reference_cancels_nothing(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *child = belay_with_cancel(parent);

	belay_unref(parent);
	assert_live(child);
	assert_true(belay_cancel(child));
	belay_unref(child);
}

static void a_child_keeps_its_parents_alive(void **state)
{
	static int answer;
	belay_ctx *parent = belay_with_value(belay_background(), &key, &answer);
	belay_ctx *middle = belay_with_cancel(parent);
	belay_ctx *child = belay_with_cancel(middle);
	belay_cause cause;

	belay_unref(parent);
	belay_end(middle);
	assert_done(child, -ECANCELED);
	assert_int_equal(belay_cause_of(child, &cause), 0);
	assert_int_equal(cause.levels_up, 1);
	assert_ptr_equal(belay_value(child, &key), &answer);
	belay_end(child);
}

/* semantics 1.13 */
static void a_child_of_a_done_parent_is_done_with_its_error_and_cause(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *children[5];
	belay_cause cause;

	belay_cancel_cause(parent, 99, "gone before %s", "you came");
	children[0] = belay_with_cancel(parent);
	children[1] = belay_with_timeout(parent, BELAY_S(3600));
	children[2] = belay_with_timeout_cause(parent, BELAY_S(3600), 1, "other");
	children[3] = belay_with_merge(belay_background(), parent);
	children[4] = belay_with_cancel(children[0]);
	for (int i = 0; i < 5; i++) {
		assert_done(children[i], -ECANCELED);
		assert_int_equal(belay_cause_of(children[i], &cause), 0);
		assert_int_equal(cause.code, 99);
		assert_string_equal(cause.message, "gone before you came");
		assert_false(belay_cancel(children[i]));
	}
	for (int i = 0; i < 5; i++)
		belay_end(children[i]);
	belay_end(parent);
}

/* semantics 1.13 */
static void a_child_of_an_expired_parent_is_expired(void **state)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), 0);
	belay_ctx *child = belay_with_cancel(parent);

	assert_done(child, -ETIME);
	belay_end(child);
	belay_end(parent);
}

/* semantics 1.14 */
static void a_value_on_a_done_parent_is_done_too(void **state)
{
	static int answer;
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *value;
	belay_cause cause;

	belay_cancel_cause(parent, 5, "over");
	value = belay_with_value(parent, &key, &answer);
	assert_done(value, -ECANCELED);
	assert_int_equal(belay_cause_of(value, &cause), 0);
	assert_int_equal(cause.code, 5);
	assert_ptr_equal(belay_value(value, &key), &answer);
	belay_end(value);
	belay_end(parent);
}

static void real_functions_stand_behind_the_macros(void **state)
{
	belay_ctx *top = (belay_with_cancel)(belay_background());
	belay_ctx *late = (belay_with_timeout)(top, BELAY_S(3600));
	belay_ctx *dated = (belay_with_deadline)(top, belay_now() + BELAY_S(3600));
	belay_ctx *signed_off = (belay_with_timeout_cause)(top, BELAY_S(1), 1, "a");
	belay_ctx *dated_off = (belay_with_deadline_cause)(top, belay_now() + BELAY_S(9), 1, "a");
	belay_ctx *value = (belay_with_value)(top, &key, &top);
	belay_ctx *without = (belay_without_cancel)(top);
	belay_ctx *merge = (belay_with_merge)(top, without);
	belay_cause cause;

	assert_true((belay_cancel_cause)(merge, 3, "the %dth", 4));
	assert_int_equal(belay_cause_of(merge, &cause), 0);
	assert_int_equal(cause.code, 3);
	assert_string_equal(cause.message, "the 4th");
	assert_null(cause.file);
	assert_true((belay_cancel)(top));
	assert_done(late, -ECANCELED);
	assert_done(dated, -ECANCELED);
	assert_done(signed_off, -ECANCELED);
	assert_done(dated_off, -ECANCELED);
	assert_done(value, -ECANCELED);
	(belay_end)(merge);
	(belay_end)(without);
	(belay_end)(value);
	(belay_end)(dated_off);
	(belay_end)(signed_off);
	(belay_end)(dated);
	(belay_end)(late);
	(belay_end)(top);
}

static belay_ctx *end_at_scope_exit(void)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());
	BELAY_SCOPED belay_ctx *nothing = NULL;

	assert_null(nothing);
	assert_live(ctx);
	return belay_ref(ctx);
}

static void a_scoped_context_ends_with_its_scope(void **state)
{
	belay_ctx *ctx = end_at_scope_exit();

	assert_done(ctx, -ECANCELED);
	belay_unref(ctx);
}

static void a_null_parent_gives_a_context_that_is_done_with_einval(void **state)
{
	belay_ctx *live = belay_with_cancel(belay_background());
	belay_ctx *all[] = {
		belay_with_cancel(NULL),
		belay_with_deadline(NULL, belay_now() + BELAY_S(9)),
		belay_with_timeout(NULL, BELAY_S(9)),
		belay_with_timeout(NULL, -1),
		belay_with_deadline_cause(NULL, belay_now() + BELAY_S(9), 1, "a"),
		belay_with_timeout_cause(NULL, BELAY_S(9), 1, "a"),
		belay_with_value(NULL, &key, NULL),
		belay_with_value(live, NULL, NULL),
		belay_without_cancel(NULL),
		belay_with_merge(NULL, live),
		belay_with_merge(live, NULL),
		belay_with_merge(NULL, NULL),
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		assert_non_null(all[i]);
		assert_done(all[i], -EINVAL);
	}
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		belay_end(all[i]);
	assert_live(live);
	belay_end(live);
}

static void a_failed_context_is_safe_in_every_call(void **state)
{
	belay_ctx *bad = belay_with_cancel(NULL);
	belay_ctx *child = belay_with_timeout(bad, BELAY_S(9));
	belay_cause cause;
	char text[64];

	assert_done(child, -EINVAL);
	assert_int_equal(belay_cause_of(bad, &cause), 0);
	assert_int_equal(cause.code, -EINVAL);
	assert_non_null(cause.message);
	assert_false(belay_cancel(bad));
	assert_int_equal(belay_wait(bad), -EINVAL);
	assert_int_equal(belay_sleep(bad, BELAY_S(9)), -EINVAL);
	assert_null(belay_value(bad, &key));
	assert_false(belay_deadline(bad, NULL));
	assert_true(belay_format(bad, text, sizeof text) > 0);
	assert_ptr_equal(belay_ref(bad), bad);
	belay_unref(bad);
	belay_end(bad);
	belay_end(child);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_fresh_context_is_live_and_its_done_channel_is_not_ready),
		cmocka_unit_test(done_is_the_same_channel_every_time),
		cmocka_unit_test(cancelling_ends_the_context_before_it_returns),
		cmocka_unit_test(cancelling_ends_every_descendant_through_any_number_of_values),
		cmocka_unit_test(cancelling_ends_every_kind_of_descendant),
		cmocka_unit_test(cancelling_a_child_leaves_its_parent_and_siblings_live),
		cmocka_unit_test(the_first_end_wins_and_later_ones_change_nothing),
		cmocka_unit_test(a_cancel_after_the_deadline_returns_false_and_changes_nothing),
		cmocka_unit_test(a_context_without_an_end_of_its_own_cannot_be_cancelled),
		cmocka_unit_test(ending_cancels_what_others_still_hold),
		cmocka_unit_test(giving_up_a_reference_cancels_nothing),
		cmocka_unit_test(a_child_keeps_its_parents_alive),
		cmocka_unit_test(a_child_of_a_done_parent_is_done_with_its_error_and_cause),
		cmocka_unit_test(a_child_of_an_expired_parent_is_expired),
		cmocka_unit_test(a_value_on_a_done_parent_is_done_too),
		cmocka_unit_test(real_functions_stand_behind_the_macros),
		cmocka_unit_test(a_scoped_context_ends_with_its_scope),
		cmocka_unit_test(a_null_parent_gives_a_context_that_is_done_with_einval),
		cmocka_unit_test(a_failed_context_is_safe_in_every_call))
