/* SPDX-License-Identifier: MIT
 *
 * test_index.c - long chains of values answer as short ones do, whatever look-ups have left in
 * them.
 */
#include "check.h"
#include "fuse.h"

#include <pthread.h>
#include <stdlib.h>

enum { LONG = 200, MISSING = 10 };

static belay_key keys[LONG + MISSING];

static void *number(size_t i)
{
	return &keys[i];
}

/* Values 0 to n - 1, each a child of the one before; all but the last given up. */
static belay_ctx *chain(belay_ctx *top, size_t n)
{
	belay_ctx *ctx = belay_ref(top);

	for (size_t i = 0; i < n; i++) {
		belay_ctx *child = belay_with_value(ctx, &keys[i], number(i));

		belay_unref(ctx);
		ctx = child;
	}
	return ctx;
}

static void check_chain(belay_ctx *ctx, size_t n)
{
	for (size_t i = 0; i < LONG + MISSING; i++)
		assert_ptr_equal(belay_value(ctx, &keys[i]), i < n ? number(i) : NULL);
}

static void every_length_answers_for_each_key_and_for_none(void **state)
{
	for (size_t n = 0; n <= LONG; n += 1 + n / 8) {
		belay_ctx *ctx = chain(belay_background(), n);

		check_chain(ctx, n);
		check_chain(ctx, n);
		belay_end(ctx);
	}
}

static void a_value_below_an_index_hides_what_is_in_it(void **state)
{
	belay_ctx *ctx = chain(belay_background(), LONG);
	belay_ctx *below;

	check_chain(ctx, LONG);
	below = belay_with_value(ctx, &keys[3], NULL);
	assert_null(belay_value(below, &keys[3]));
	assert_ptr_equal(belay_value(below, &keys[4]), number(4));
	assert_ptr_equal(belay_value(ctx, &keys[3]), number(3));
	belay_end(below);
	belay_end(ctx);
}

static void of_two_values_in_one_chain_the_nearer_is_indexed(void **state)
{
	belay_ctx *outer = chain(belay_background(), LONG / 2);
	belay_ctx *hiding = belay_with_value(outer, &keys[0], number(1));
	belay_ctx *ctx = hiding;

	for (size_t i = LONG / 2; i < LONG; i++) {
		belay_ctx *child = belay_with_value(ctx, &keys[i], number(i));

		belay_unref(ctx);
		ctx = child;
	}
	for (int round = 0; round < 2; round++) {
		assert_ptr_equal(belay_value(ctx, &keys[0]), number(1));
		assert_null(belay_value(ctx, &keys[LONG]));
	}
	belay_end(ctx);
	belay_end(outer);
}

static void a_merge_goes_on_where_an_indexed_chain_ends(void **state)
{
	belay_ctx *first = chain(belay_background(), LONG / 2);
	belay_ctx *second = belay_with_value(belay_background(), &keys[LONG], number(LONG));
	belay_ctx *merge = belay_with_merge(first, second);
	belay_ctx *ctx = merge;

	for (size_t i = LONG / 2; i < LONG; i++) {
		belay_ctx *child = belay_with_value(ctx, &keys[i], number(i));

		belay_unref(ctx);
		ctx = child;
	}
	for (int round = 0; round < 2; round++)
		check_chain(ctx, LONG + 1);
	belay_end(ctx);
	belay_end(second);
	belay_end(first);
}

static void *look_up(void *arg)
{
	for (int round = 0; round < 50; round++)
		for (size_t i = 0; i < LONG + MISSING; i++)
			check(belay_value(arg, &keys[i]) == (i < LONG ? number(i) : NULL));
	return NULL;
}

static void many_threads_may_be_the_first_to_look_far(void **state)
{
	for (int round = 0; round < 20; round++) {
		belay_ctx *ctx = chain(belay_background(), LONG);
		pthread_t threads[4];

		for (int i = 0; i < 4; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, look_up, ctx), 0);
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		belay_end(ctx);
	}
}

static void without_memory_there_is_an_answer_all_the_same(void **state)
{
	belay_ctx *ctx = chain(belay_background(), LONG);

	belay__fail_nth(1);
	assert_ptr_equal(belay_value(ctx, &keys[0]), number(0));
	assert_null(belay_value(ctx, &keys[LONG]));
	belay__fail_nth(0);
	check_chain(ctx, LONG);
	belay_end(ctx);
}

BELAY_TEST_MAIN(cmocka_unit_test(every_length_answers_for_each_key_and_for_none),
		cmocka_unit_test(a_value_below_an_index_hides_what_is_in_it),
		cmocka_unit_test(of_two_values_in_one_chain_the_nearer_is_indexed),
		cmocka_unit_test(a_merge_goes_on_where_an_indexed_chain_ends),
		cmocka_unit_test(many_threads_may_be_the_first_to_look_far),
		cmocka_unit_test(without_memory_there_is_an_answer_all_the_same))
