/* SPDX-License-Identifier: MIT
 *
 * test_value.c - values: typed by their key, nearest first, destroyed exactly once.
 */
#include "check.h"

#include <belay.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

static int one, two;
static const belay_key key = {.name = "key"};
static const belay_key same_name = {.name = "key"};

/* Counts how often each of its values was destroyed. */
static void count_destroyed(void *value)
{
	atomic_fetch_add((_Atomic int *)value, 1);
}

static const belay_key counted = {.name = "counted", .destroy = count_destroyed};

BELAY_KEY(trace_id, const char *, .destroy = NULL);
BELAY_KEY(level, short, .destroy = NULL);
BELAY_KEY(ratio, double, .destroy = NULL);

/* semantics 1.34 */
static void the_nearest_match_wins(void **state)
{
	belay_ctx *far = belay_with_value(belay_background(), &key, &one);
	belay_ctx *cancel = belay_with_cancel(far);
	belay_ctx *near = belay_with_value(cancel, &key, &two);
	belay_ctx *below = belay_with_timeout(near, BELAY_S(3600));

	assert_ptr_equal(belay_value(far, &key), &one);
	assert_ptr_equal(belay_value(cancel, &key), &one);
	assert_ptr_equal(belay_value(near, &key), &two);
	assert_ptr_equal(belay_value(below, &key), &two);
	belay_end(below);
	belay_end(near);
	belay_end(cancel);
	belay_end(far);
}

/* semantics 1.34 */
static void no_match_is_null(void **state)
{
	belay_ctx *ctx = belay_with_value(belay_background(), &same_name, &one);
	belay_ctx *child = belay_with_cancel(ctx);

	assert_null(belay_value(ctx, &key));
	assert_null(belay_value(child, &key));
	assert_null(belay_value(belay_background(), &key));
	belay_end(child);
	belay_end(ctx);
}

/* semantics 1.34 */
static void a_stored_null_hides_an_outer_value(void **state)
{
	belay_ctx *outer = belay_with_value(belay_background(), &key, &one);
	belay_ctx *hider = belay_with_value(outer, &key, NULL);
	belay_ctx *child = belay_with_cancel(hider);

	assert_null(belay_value(hider, &key));
	assert_null(belay_value(child, &key));
	assert_ptr_equal(belay_value(outer, &key), &one);
	belay_end(child);
	belay_end(hider);
	belay_end(outer);
}

/* semantics 1.35 */
static void two_keys_of_one_name_are_two_keys(void **state)
{
	belay_ctx *first = belay_with_value(belay_background(), &key, &one);
	belay_ctx *second = belay_with_value(first, &same_name, &two);

	assert_ptr_equal(belay_value(second, &key), &one);
	assert_ptr_equal(belay_value(second, &same_name), &two);
	assert_null(belay_value(first, &same_name));
	belay_end(second);
	belay_end(first);
}

enum { LAYERS = 40, KEYS = 8 };

static const belay_key keys[KEYS] = {
	{.name = "k0"}, {.name = "k1"}, {.name = "k2"}, {.name = "k3"},
	{.name = "k4"}, {.name = "k5"}, {.name = "k6"}, {.name = "k7"},
};

/* A random chain of values, cancels and timeouts, and what each key shows at its lower end. */
struct chain {
	belay_ctx *layer[LAYERS];
	void *shown[KEYS];
};

static belay_ctx *add_layer(struct chain *chain, belay_ctx *parent)
{
	static int values[64];
	int k = rand() % KEYS;

	switch (rand() % 5) {
	case 0:
		return belay_with_cancel(parent);
	case 1:
		return belay_with_timeout(parent, BELAY_S(3600) + rand());
	default:
		chain->shown[k] = &values[rand() % 64];
		return belay_with_value(parent, &keys[k], chain->shown[k]);
	}
}

static void chain_make(struct chain *chain, belay_ctx *top)
{
	*chain = (struct chain){0};
	for (int i = 0; i < LAYERS; i++)
		chain->layer[i] = add_layer(chain, i ? chain->layer[i - 1] : top);
}

static void chain_check(const struct chain *chain, int err)
{
	const belay_ctx *end = chain->layer[LAYERS - 1];

	assert_int_equal(belay_err(end), err);
	for (int k = 0; k < KEYS; k++)
		assert_ptr_equal(belay_value(end, &keys[k]), chain->shown[k]);
}

static void chain_end(struct chain *chain)
{
	for (int i = 0; i < LAYERS; i++)
		belay_end(chain->layer[i]);
}

/* semantics 1.36 */
static void values_are_unchanged_by_cancellation(void **state)
{
	srand(36);
	for (int round = 0; round < 100; round++) {
		belay_ctx *top = belay_with_cancel(belay_background());
		struct chain chain;

		chain_make(&chain, top);
		chain_check(&chain, 0);
		belay_cancel(top);
		chain_check(&chain, -ECANCELED);
		chain_end(&chain);
		belay_end(top);
	}
}

/* semantics 1.36 */
static void values_are_unchanged_by_expiry(void **state)
{
	srand(37);
	for (int round = 0; round < 20; round++) {
		belay_ctx *top = belay_with_timeout(belay_background(), BELAY_US(300));
		struct chain chain;

		chain_make(&chain, top);
		assert_int_equal(belay_wait(top), -ETIME);
		assert_int_equal(belay_wait(chain.layer[LAYERS - 1]), -ETIME);
		chain_check(&chain, -ETIME);
		chain_end(&chain);
		belay_end(top);
	}
}

/* semantics 1.37 */
static void a_null_parent_destroys_the_value_and_is_done_with_einval(void **state)
{
	_Atomic int destroyed = 0;
	belay_ctx *ctx = belay_with_value(NULL, &counted, (void *)&destroyed);

	assert_int_equal(destroyed, 1);
	assert_int_equal(belay_err(ctx), -EINVAL);
	assert_null(belay_value(ctx, &counted));
	belay_end(ctx);
	assert_int_equal(destroyed, 1);
}

/* semantics 1.37 */
static void a_null_key_is_done_with_einval(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *ctx = belay_with_value(parent, NULL, &one);

	assert_int_equal(belay_err(ctx), -EINVAL);
	assert_int_equal(belay_err(parent), 0);
	belay_end(ctx);
	belay_end(parent);
}

static void asking_for_a_null_key_finds_nothing(void **state)
{
	belay_ctx *ctx = belay_with_value(belay_background(), &key, &one);

	assert_null(belay_value(ctx, NULL));
	assert_null(belay_value(NULL, &key));
	belay_end(ctx);
}

/* semantics 1.38 */
static void a_value_is_destroyed_when_the_last_reference_goes(void **state)
{
	_Atomic int destroyed = 0;
	belay_ctx *ctx = belay_with_value(belay_background(), &counted, (void *)&destroyed);
	belay_ctx *held = belay_ref(ctx);

	belay_end(ctx);
	assert_int_equal(destroyed, 0);
	assert_ptr_equal(belay_value(held, &counted), (void *)&destroyed);
	belay_unref(held);
	assert_int_equal(destroyed, 1);
}

/* semantics 1.38 */
static void a_value_on_a_done_parent_is_destroyed_with_its_context(void **state)
{
	_Atomic int destroyed = 0;
	belay_ctx *parent = belay_with_timeout(belay_background(), 0);
	belay_ctx *ctx = belay_with_value(parent, &counted, (void *)&destroyed);

	assert_int_equal(belay_err(ctx), -ETIME);
	assert_int_equal(destroyed, 0);
	belay_end(parent);
	belay_end(ctx);
	assert_int_equal(destroyed, 1);
}

static void a_null_value_is_destroyed_too(void **state)
{
	/* Only that it does not crash can be seen: free() takes NULL. */
	static const belay_key owned = {.name = "owned", .destroy = free};

	belay_end(belay_with_value(belay_background(), &owned, NULL));
	belay_end(belay_with_value(belay_background(), &owned, malloc(1)));
}

/* Ends the context that it is given, which may in turn destroy another value. */
static void end_other(void *value)
{
	belay_ctx *mine = belay_with_cancel(belay_background());

	belay_cancel(mine);
	belay_end(mine);
	belay_end(value);
}

static void destroying_may_use_every_call_that_does_not_block(void **state)
{
	static const belay_key ender = {.name = "ender", .destroy = end_other};
	_Atomic int destroyed = 0;
	belay_ctx *first = belay_with_value(belay_background(), &counted, (void *)&destroyed);
	belay_ctx *second = belay_with_value(belay_background(), &ender, first);
	belay_ctx *third = belay_with_value(second, &ender, second);

	belay_end(third);
	assert_int_equal(destroyed, 1);
}

static void shuffle(int *order, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int j = rand() % (i + 1), t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
}

/* semantics 1.38 */
static void values_are_destroyed_exactly_once_in_every_order_of_ending(void **state)
{
	enum { N = 12 };

	srand(38);
	for (int round = 0; round < 200; round++) {
		_Atomic int destroyed[N] = {0};
		belay_ctx *ctx[N];
		int order[N];

		for (int i = 0; i < N; i++) {
			belay_ctx *parent = i ? ctx[rand() % i] : belay_background();

			ctx[i] = i % 3 == 2 ? belay_with_cancel(parent)
					    : belay_with_value(parent, &counted,
							       (void *)&destroyed[i]);
			order[i] = i;
		}
		shuffle(order, N);
		for (int i = 0; i < N; i++)
			belay_end(ctx[order[i]]);
		for (int i = 0; i < N; i++)
			assert_int_equal(destroyed[i], i % 3 == 2 ? 0 : 1);
	}
}

static void a_typed_key_needs_no_cast(void **state)
{
	belay_ctx *named = check_live(with_trace_id(belay_background(), "abc"));
	belay_ctx *levelled = check_live(with_level(named, -3));
	belay_ctx *rated = check_live(with_ratio(levelled, 0.25));

	assert_string_equal(trace_id_of(rated), "abc");
	assert_int_equal(level_of(rated), -3);
	assert_true(ratio_of(rated) == 0.25);
	assert_null(trace_id_of(belay_background()));
	assert_int_equal(level_of(named), 0);
	belay_end(rated);
	belay_end(levelled);
	belay_end(named);
}

BELAY_TEST_MAIN(cmocka_unit_test(the_nearest_match_wins),
		cmocka_unit_test(no_match_is_null),
		cmocka_unit_test(a_stored_null_hides_an_outer_value),
		cmocka_unit_test(two_keys_of_one_name_are_two_keys),
		cmocka_unit_test(values_are_unchanged_by_cancellation),
		cmocka_unit_test(values_are_unchanged_by_expiry),
		cmocka_unit_test(a_null_parent_destroys_the_value_and_is_done_with_einval),
		cmocka_unit_test(a_null_key_is_done_with_einval),
		cmocka_unit_test(asking_for_a_null_key_finds_nothing),
		cmocka_unit_test(a_value_is_destroyed_when_the_last_reference_goes),
		cmocka_unit_test(a_value_on_a_done_parent_is_destroyed_with_its_context),
		cmocka_unit_test(a_null_value_is_destroyed_too),
		cmocka_unit_test(destroying_may_use_every_call_that_does_not_block),
		cmocka_unit_test(values_are_destroyed_exactly_once_in_every_order_of_ending),
		cmocka_unit_test(a_typed_key_needs_no_cast))
