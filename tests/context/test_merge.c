/* SPDX-License-Identifier: MIT
 *
 * test_merge.c - a child of two: done as soon as either is.
 */
#include "check.h"

#include <errno.h>
#include <stdatomic.h>

static int one, two;
static const belay_key key = {.name = "key"};
static const belay_key other = {.name = "other"};

static belay_cause cause_of(belay_ctx *ctx)
{
	belay_cause cause = {0};

	assert_int_equal(belay_cause_of(ctx, &cause), 0);
	return cause;
}

/* semantics 1.45 */
static void it_is_done_as_soon_as_its_first_parent_is(void **state)
{
	belay_ctx *first = belay_with_cancel(belay_background());
	belay_ctx *second = belay_with_cancel(belay_background());
	belay_ctx *merge = belay_with_merge(first, second);

	assert_int_equal(belay_err(merge), 0);
	assert_int_equal(belay_try_recv(belay_done(merge), NULL), -EAGAIN);
	assert_true(belay_cancel_cause(first, 31, "the first"));
	assert_int_equal(belay_err(merge), -ECANCELED);
	assert_int_equal(belay_try_recv(belay_done(merge), NULL), -EPIPE);
	assert_int_equal(cause_of(merge).code, 31);
	assert_string_equal(cause_of(merge).message, "the first");
	assert_int_equal(belay_err(second), 0);
	belay_end(merge);
	belay_end(first);
	assert_int_equal(belay_err(second), 0);
	belay_end(second);
}

/* semantics 1.45 */
static void it_is_done_as_soon_as_its_second_parent_is(void **state)
{
	belay_ctx *first = belay_with_cancel(belay_background());
	belay_ctx *second = belay_with_cancel(belay_background());
	belay_ctx *value = belay_with_value(second, &key, &one);
	belay_ctx *merge = belay_with_merge(first, value);

	assert_true(belay_cancel_cause(second, 32, "the second"));
	assert_int_equal(belay_err(merge), -ECANCELED);
	assert_int_equal(cause_of(merge).code, 32);
	assert_string_equal(cause_of(merge).message, "the second");
	assert_int_equal(belay_err(first), 0);
	belay_end(merge);
	belay_end(value);
	belay_end(second);
	belay_end(first);
}

/* semantics 1.45 */
static void its_parents_deadline_ends_it_with_etime(void **state)
{
	belay_ctx *slow = belay_with_timeout(belay_background(), BELAY_S(3600));
	belay_ctx *fast = belay_with_timeout_cause(belay_background(), BELAY_MS(1), 33, "fast");
	belay_ctx *merge = belay_with_merge(slow, fast);

	assert_int_equal(belay_wait(merge), -ETIME);
	assert_int_equal(cause_of(merge).code, 33);
	assert_int_equal(belay_err(slow), 0);
	belay_end(merge);
	belay_end(fast);
	belay_end(slow);
}

/* semantics 1.45 */
static void the_parent_that_ends_first_gives_the_cause(void **state)
{
	belay_ctx *first = belay_with_cancel(belay_background());
	belay_ctx *second = belay_with_cancel(belay_background());
	belay_ctx *merge = belay_with_merge(first, second);

	belay_cancel_cause(second, 2, "second");
	belay_cancel_cause(first, 1, "first");
	assert_int_equal(cause_of(merge).code, 2);
	belay_end(second);
	belay_end(first);
	assert_int_equal(cause_of(merge).code, 2);
	assert_string_equal(cause_of(merge).message, "second");
	belay_end(merge);
}

/* semantics 1.45 */
static void ending_the_merge_touches_neither_parent(void **state)
{
	belay_ctx *first = belay_with_cancel(belay_background());
	belay_ctx *second = belay_with_timeout(belay_background(), BELAY_S(3600));
	belay_ctx *merge = belay_with_merge(first, second);

	assert_true(belay_cancel_cause(merge, 34, "itself"));
	assert_int_equal(belay_err(merge), -ECANCELED);
	assert_int_equal(cause_of(merge).code, 34);
	assert_int_equal(cause_of(merge).levels_up, 0);
	assert_int_equal(belay_err(first), 0);
	assert_int_equal(belay_err(second), 0);
	belay_end(merge);
	assert_int_equal(belay_err(first), 0);
	assert_int_equal(belay_err(second), 0);
	belay_end(second);
	belay_end(first);
}

static void it_keeps_both_parents_alive(void **state)
{
	belay_ctx *first = belay_with_value(belay_background(), &key, &one);
	belay_ctx *second = belay_with_value(belay_background(), &other, &two);
	belay_ctx *merge = belay_with_merge(first, second);

	belay_unref(first);
	belay_unref(second);
	assert_ptr_equal(belay_value(merge, &key), &one);
	assert_ptr_equal(belay_value(merge, &other), &two);
	belay_end(merge);
}

static void its_deadline_is_the_earlier_of_the_two(void **state)
{
	belay_ctx *early = belay_with_timeout(belay_background(), BELAY_S(1000));
	belay_ctx *late = belay_with_timeout(belay_background(), BELAY_S(2000));
	belay_ctx *none = belay_with_cancel(belay_background());
	belay_ctx *merges[] = {
		belay_with_merge(early, late), belay_with_merge(late, early),
		belay_with_merge(early, none), belay_with_merge(none, early),
	};
	belay_ctx *endless = belay_with_merge(none, none);
	int64_t expected, when;

	assert_true(belay_deadline(early, &expected));
	for (int i = 0; i < 4; i++) {
		assert_true(belay_deadline(merges[i], &when));
		assert_true(when == expected);
	}
	assert_false(belay_deadline(endless, NULL));
	belay_end(endless);
	for (int i = 0; i < 4; i++)
		belay_end(merges[i]);
	belay_end(none);
	belay_end(late);
	belay_end(early);
}

static void values_are_looked_up_in_the_first_then_in_the_second(void **state)
{
	belay_ctx *first = belay_with_value(belay_background(), &key, &one);
	belay_ctx *inner = belay_with_value(belay_background(), &key, &two);
	belay_ctx *second = belay_with_value(inner, &other, &two);
	belay_ctx *merge = belay_with_merge(first, second);
	belay_ctx *child = belay_with_cancel(merge);
	belay_ctx *below = belay_with_value(child, &other, &one);

	assert_ptr_equal(belay_value(merge, &key), &one);
	assert_ptr_equal(belay_value(merge, &other), &two);
	assert_ptr_equal(belay_value(child, &key), &one);
	assert_ptr_equal(belay_value(child, &other), &two);
	assert_ptr_equal(belay_value(below, &other), &one);
	belay_end(below);
	belay_end(child);
	belay_end(merge);
	belay_end(second);
	belay_end(inner);
	belay_end(first);
}

static void merges_of_merges_find_every_value(void **state)
{
	enum { N = 32 };
	static const belay_key keys[N];
	static int values[N];
	belay_ctx *leaf[N], *top[N];

	for (int i = 0; i < N; i++) {
		leaf[i] = belay_with_value(belay_background(), &keys[i], &values[i]);
		top[i] = i ? belay_with_merge(leaf[i], top[i - 1]) : belay_ref(leaf[0]);
	}
	for (int i = 0; i < N; i++)
		assert_ptr_equal(belay_value(top[N - 1], &keys[i]), &values[i]);
	for (int i = 0; i < N; i++) {
		belay_end(leaf[i]);
		belay_end(top[i]);
	}
}

/* semantics 1.46 */
static void the_merge_of_a_live_and_a_done_context_is_done_on_return(void **state)
{
	belay_ctx *live = belay_with_cancel(belay_background());
	belay_ctx *done = belay_with_cancel(belay_background());
	belay_ctx *merge, *mirrored;

	belay_cancel_cause(done, 35, "gone");
	merge = belay_with_merge(live, done);
	mirrored = belay_with_merge(done, live);
	assert_int_equal(belay_err(merge), -ECANCELED);
	assert_int_equal(belay_err(mirrored), -ECANCELED);
	assert_int_equal(cause_of(merge).code, 35);
	assert_int_equal(cause_of(mirrored).code, 35);
	assert_int_equal(belay_err(live), 0);
	belay_end(merge);
	belay_end(mirrored);
	belay_end(done);
	assert_int_equal(belay_err(live), 0);
	belay_end(live);
}

/* semantics 1.46 */
static void the_merge_of_a_context_with_itself_is_a_child_of_it(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_ctx *merge = belay_with_merge(ctx, ctx);
	belay_ctx *another = belay_with_merge(ctx, ctx);

	assert_true(belay_cancel(another));
	assert_int_equal(belay_err(ctx), 0);
	assert_true(belay_cancel_cause(ctx, 36, "both"));
	assert_int_equal(belay_err(merge), -ECANCELED);
	assert_int_equal(cause_of(merge).code, 36);
	belay_end(another);
	belay_end(merge);
	belay_end(ctx);
}

static void a_merge_of_roots_is_a_plain_cancellable_context(void **state)
{
	belay_ctx *merge = belay_with_merge(belay_background(), belay_todo());

	assert_int_equal(belay_err(merge), 0);
	assert_non_null(belay_done(merge));
	assert_true(belay_cancel(merge));
	assert_int_equal(belay_err(merge), -ECANCELED);
	belay_end(merge);
}

static void parents_of_one_family_may_be_merged(void **state)
{
	belay_ctx *top = belay_with_cancel(belay_background());
	belay_ctx *child = belay_with_cancel(top);
	belay_ctx *merge = belay_with_merge(child, top);
	belay_ctx *deeper = belay_with_merge(merge, child);

	assert_true(belay_cancel_cause(top, 37, "the family"));
	assert_int_equal(cause_of(deeper).code, 37);
	assert_int_equal(cause_of(merge).code, 37);
	belay_end(top);
	belay_end(child);
	belay_end(merge);
	belay_end(deeper);
}

BELAY_TEST_MAIN(cmocka_unit_test(it_is_done_as_soon_as_its_first_parent_is),
		cmocka_unit_test(it_is_done_as_soon_as_its_second_parent_is),
		cmocka_unit_test(its_parents_deadline_ends_it_with_etime),
		cmocka_unit_test(the_parent_that_ends_first_gives_the_cause),
		cmocka_unit_test(ending_the_merge_touches_neither_parent),
		cmocka_unit_test(it_keeps_both_parents_alive),
		cmocka_unit_test(its_deadline_is_the_earlier_of_the_two),
		cmocka_unit_test(values_are_looked_up_in_the_first_then_in_the_second),
		cmocka_unit_test(merges_of_merges_find_every_value),
		cmocka_unit_test(the_merge_of_a_live_and_a_done_context_is_done_on_return),
		cmocka_unit_test(the_merge_of_a_context_with_itself_is_a_child_of_it),
		cmocka_unit_test(a_merge_of_roots_is_a_plain_cancellable_context),
		cmocka_unit_test(parents_of_one_family_may_be_merged))
