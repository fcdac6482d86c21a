/* SPDX-License-Identifier: MIT
 *
 * test_select_arguments.c - selects over NULL, over wrong sizes, over none and over many cases.
 */
#include "select_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* semantics 2.1 */
static void a_null_channel_is_never_ready(void **state)
{
	belay_chan *none = NULL, *holding = make_holding(2);
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(2));
	int got = 0;

	assert_int_equal(belay_try_select(BELAY_RECV(none, &got), BELAY_SEND(none, &got)), -EAGAIN);
	assert_int_equal(belay_select(bg(), BELAY_RECV(none, &got), BELAY_RECV(holding, &got)), 1);
	assert_int_equal(belay_select(ctx, BELAY_RECV(none, &got), BELAY_SEND(none, &got)), -ETIME);
	belay_end(ctx);
	belay_chan_unref(holding);
}

static void the_end_of_what_can_never_be_done_is_never_ready(void **state)
{
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(2));

	assert_int_equal(belay_try_select(BELAY_DONE(bg())), -EAGAIN);
	assert_int_equal(belay_select(ctx, BELAY_DONE(bg()), BELAY_DONE(belay_todo())), -ETIME);
	belay_end(ctx);
}

static void a_case_of_another_size_is_emsgsize_and_nothing_runs(void **state)
{
	belay_chan *holding = make_holding(2), *empty = make(1);
	long long wide = 7;
	int got = 0;

	for (int i = 0; i < 50; i++)
		assert_int_equal(belay_select(bg(), BELAY_RECV(holding, &got),
					      BELAY_SEND(empty, &wide)), -EMSGSIZE);
	assert_int_equal(belay_try_select(BELAY_RECV(holding, &wide)), -EMSGSIZE);
	assert_int_equal(belay_try_select(BELAY_RECV(empty, &wide)), -EMSGSIZE);
	assert_int_equal(got, 0);
	assert_int_equal(wide, 7);
	assert_int_equal(belay_chan_len(holding), 1);
	belay_chan_unref(empty);
	belay_chan_unref(holding);
}

static void no_case_at_all_waits_for_the_context(void **state)
{
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(2));

	assert_int_equal(belay_select_n(ctx, NULL, 0), -ETIME);
	assert_int_equal(belay_try_select_n(NULL, 0), -EAGAIN);
	belay_end(ctx);
}

static void a_null_context_is_einval(void **state)
{
	belay_chan *holding = make_holding(2);
	int got = 7;

	assert_int_equal(belay_select(NULL, BELAY_RECV(holding, &got)), -EINVAL);
	assert_int_equal(got, 7);
	belay_chan_unref(holding);
}

static void an_array_of_cases_can_be_used_again(void **state)
{
	belay_chan *first = make(1), *second = make(1);
	int got[2] = {0};
	struct belay_case cases[] = {BELAY_RECV(first, &got[0]), BELAY_RECV(second, &got[1])};

	for (int i = 1; i < 100; i++) {
		belay_chan *ch = i % 2 ? first : second;

		assert_int_equal(belay_try_select_n(cases, 2), -EAGAIN);
		assert_int_equal(belay_send(bg(), ch, &i), 0);
		assert_int_equal(belay_select_n(bg(), cases, 2), i % 2 ? 0 : 1);
		assert_int_equal(got[i % 2 ? 0 : 1], i);
	}
	belay_chan_unref(second);
	belay_chan_unref(first);
}

static void a_thousand_cases_work(void **state)
{
	enum { N = 1000 };
	struct belay_case *cases = calloc(N, sizeof *cases);
	belay_chan *ch[N];
	int got = 0;

	assert_non_null(cases);
	for (int i = 0; i < N; i++) {
		ch[i] = make(1);
		cases[i] = BELAY_RECV(ch[i], &got);
	}
	for (int i = 0; i < N; i += 37) {
		assert_int_equal(belay_send(bg(), ch[i], &i), 0);
		assert_int_equal(belay_select_n(bg(), cases, N), i);
		assert_int_equal(got, i);
	}
	for (int i = 0; i < N; i++)
		belay_chan_unref(ch[i]);
	free(cases);
}

/* Two that lock the same channels in opposite orders, until the first of them has had enough. */
struct crosser {
	belay_ctx *ctx;
	belay_chan *first, *second;
};

static void *cross(void *arg)
{
	struct crosser *c = arg;
	int got, ran = 0;

	for (int i = 0; i < 5000 && ran >= 0; i++) {
		ran = belay_select(c->ctx, BELAY_RECV(c->first, &got), BELAY_SEND(c->second, &i));
		check(ran >= 0 || ran == -ECANCELED);
	}
	belay_cancel(c->ctx);
	return NULL;
}

static void selects_over_the_same_channels_in_opposite_orders_do_not_deadlock(void **state)
{
	for (int round = 0; round < 5; round++) {
		belay_ctx *ctx = belay_with_cancel(bg());
		belay_chan *a = make(1), *b = make(1);
		struct crosser forth = {ctx, a, b}, back = {ctx, b, a};
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, cross, &forth), 0);
		cross(&back);
		pthread_join(thread, NULL);
		belay_chan_unref(a);
		belay_chan_unref(b);
		belay_end(ctx);
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(a_null_channel_is_never_ready),
		cmocka_unit_test(the_end_of_what_can_never_be_done_is_never_ready),
		cmocka_unit_test(a_case_of_another_size_is_emsgsize_and_nothing_runs),
		cmocka_unit_test(no_case_at_all_waits_for_the_context),
		cmocka_unit_test(a_null_context_is_einval),
		cmocka_unit_test(an_array_of_cases_can_be_used_again),
		cmocka_unit_test(a_thousand_cases_work),
		cmocka_unit_test(selects_over_the_same_channels_in_opposite_orders_do_not_deadlock))
