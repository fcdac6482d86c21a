/* SPDX-License-Identifier: MIT
 *
 * test_select.c - which case of a select runs.
 */
#include "select_test.h"
#include "asleep.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>

/* ---- Ready cases ----------------------------------------------------------------------------- */

static void the_ready_case_runs_and_its_index_is_returned(void **state)
{
	belay_chan *empty = make(1), *holding = make_holding(5), *roomy = make(1);
	int got = 0, other = 0;

	assert_int_equal(belay_select(bg(), BELAY_RECV(empty, &other),
				      BELAY_RECV(holding, &got)), 1);
	assert_int_equal(got, 5);
	assert_int_equal(other, 0);
	assert_int_equal(belay_select(bg(), BELAY_RECV(empty, &other), BELAY_RECV(holding, &other),
				      BELAY_SEND(roomy, &(int){6})), 2);
	assert_int_equal(belay_try_recv(roomy, &got), 0);
	assert_int_equal(got, 6);
	assert_int_equal(other, 0);
	belay_chan_unref(empty);
	belay_chan_unref(holding);
	belay_chan_unref(roomy);
}

/* semantics 2.4 */
static void try_select_is_eagain_only_where_nothing_is_ready(void **state)
{
	belay_chan *empty = make(1), *full = make_holding(1);
	belay_ctx *live = belay_with_cancel(bg());
	int got = 9;

	assert_int_equal(belay_try_select(BELAY_RECV(empty, &got), BELAY_SEND(full, &got),
					  BELAY_DONE(live)), -EAGAIN);
	assert_int_equal(got, 9);
	assert_int_equal(belay_chan_len(full), 1);
	assert_int_equal(belay_try_select(BELAY_RECV(empty, &got), BELAY_RECV(full, &got)), 1);
	assert_int_equal(got, 1);
	belay_cancel(live);
	assert_int_equal(belay_try_select(BELAY_RECV(empty, &got), BELAY_DONE(live)), 1);
	belay_end(live);
	belay_chan_unref(full);
	belay_chan_unref(empty);
}

/* semantics 2.4 */
static void exactly_one_case_commits(void **state)
{
	enum { N = 6 };
	belay_chan *ch[N];

	for (int i = 0; i < N; i++)
		ch[i] = make_holding(i);
	for (int round = 0; round < 500; round++) {
		int got[N] = {-1, -1, -1, -1, -1, -1}, emptied = 0, ran;
		struct belay_case cases[N];

		for (int i = 0; i < N; i++)
			cases[i] = BELAY_RECV(ch[i], &got[i]);
		ran = belay_select_n(bg(), cases, N);
		assert_in_range(ran, 0, N - 1);
		for (int i = 0; i < N; i++) {
			emptied += belay_chan_len(ch[i]) == 0;
			assert_int_equal(got[i], i == ran ? i : -1);
		}
		assert_int_equal(emptied, 1);
		assert_int_equal(belay_try_send(ch[ran], &ran), 0);
	}
	for (int i = 0; i < N; i++)
		belay_chan_unref(ch[i]);
}

/* Within ten standard deviations of a fair choice of one in n. */
static void assert_fair(const int *hits, int n, int trials)
{
	double mean = (double)trials / n, deviation = sqrt(mean * (1 - 1.0 / n));

	for (int i = 0; i < n; i++)
		assert_true(fabs(hits[i] - mean) < 10 * deviation);
}

enum { TRIALS = 10000 };

/* semantics 2.5 */
static void the_choice_among_ready_cases_is_uniform(void **state)
{
	enum { N = 5 };
	belay_chan *ch[N];
	int hits[N] = {0}, got;

	for (int i = 0; i < N; i++)
		ch[i] = make_holding(i);
	for (int t = 0; t < TRIALS; t++) {
		int ran = belay_select(bg(), BELAY_RECV(ch[0], &got), BELAY_RECV(ch[1], &got),
				       BELAY_RECV(ch[2], &got), BELAY_RECV(ch[3], &got),
				       BELAY_RECV(ch[4], &got));

		assert_int_equal(got, ran);
		hits[ran]++;
		assert_int_equal(belay_send(bg(), ch[ran], &ran), 0);
	}
	assert_fair(hits, N, TRIALS);
	for (int i = 0; i < N; i++)
		belay_chan_unref(ch[i]);
}

/* semantics 2.5 */
static void the_choice_is_uniform_among_the_ready_ones_only(void **state)
{
	belay_chan *holding = make_holding(0), *never = make(0), *roomy = make(1);
	int hits[2] = {0}, got;

	for (int t = 0; t < TRIALS; t++) {
		int ran = belay_try_select(BELAY_RECV(never, &got), BELAY_RECV(holding, &got),
					   BELAY_RECV(never, &got), BELAY_SEND(roomy, &t));

		assert_true(ran == 1 || ran == 3);
		hits[ran / 2]++;
		if (ran == 1)
			assert_int_equal(belay_try_send(holding, &t), 0);
		else
			assert_int_equal(belay_try_recv(roomy, &got), 0);
	}
	assert_fair(hits, 2, TRIALS);
	belay_chan_unref(roomy);
	belay_chan_unref(never);
	belay_chan_unref(holding);
}

/* semantics 2.5 */
static void the_choice_is_uniform_among_done_contexts_too(void **state)
{
	belay_ctx *a = belay_with_timeout(bg(), 0), *b = belay_with_timeout(bg(), 0);
	int hits[3] = {0};

	for (int t = 0; t < TRIALS; t++)
		hits[belay_select(bg(), BELAY_DONE(a), BELAY_DONE(b), BELAY_DONE(a))]++;
	assert_fair(hits, 3, TRIALS);
	belay_end(a);
	belay_end(b);
}

/* ---- One channel in several cases ------------------------------------------------------------ */

/* semantics 2.6 */
static void the_same_channel_may_stand_in_several_cases(void **state)
{
	belay_chan *ch = make_holding(3);
	int hits[2] = {0}, got = 0;

	for (int t = 0; t < TRIALS; t++) {
		int ran = belay_select(bg(), BELAY_RECV(ch, &got), BELAY_RECV(ch, &got));

		assert_in_range(ran, 0, 1);
		hits[ran]++;
		assert_int_equal(got, 3);
		assert_int_equal(belay_chan_len(ch), 0);
		assert_int_equal(belay_try_send(ch, &got), 0);
	}
	assert_fair(hits, 2, TRIALS);
	belay_chan_unref(ch);
}

/* semantics 2.6 */
static void a_select_never_matches_itself(void **state)
{
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(2));
	belay_chan *ch = make(0);
	int in = 1, out = 0;

	assert_int_equal(belay_try_select(BELAY_SEND(ch, &in), BELAY_RECV(ch, &out)), -EAGAIN);
	assert_int_equal(belay_select(ctx, BELAY_SEND(ch, &in), BELAY_RECV(ch, &out)), -ETIME);
	assert_int_equal(out, 0);
	belay_chan_unref(ch);
	belay_end(ctx);
}

/* semantics 2.6 */
static void send_and_receive_on_one_buffered_channel_both_work(void **state)
{
	belay_chan *ch = make(1);
	int in = 1, out = 0;

	assert_int_equal(belay_select(bg(), BELAY_SEND(ch, &in), BELAY_RECV(ch, &out)), 0);
	assert_int_equal(belay_select(bg(), BELAY_SEND(ch, &in), BELAY_RECV(ch, &out)), 1);
	assert_int_equal(out, 1);
	belay_chan_unref(ch);
}

/* Two that both offer to send and to receive on one rendezvous. */
struct both {
	belay_chan *ch;
	int rounds, sent, received;
	long sum_in, sum_out;
};

static void *send_or_recv(void *arg)
{
	struct both *both = arg;

	for (int i = 1; i <= both->rounds; i++) {
		int in = i, out = 0;

		switch (belay_select(belay_background(), BELAY_SEND(both->ch, &in),
				     BELAY_RECV(both->ch, &out))) {
		case 0:
			both->sent++;
			both->sum_in += in;
			break;
		case 1:
			both->received++;
			both->sum_out += out;
			break;
		default:
			check(!"neither case ran");
		}
	}
	return NULL;
}

/* semantics 2.6 */
static void two_selects_that_offer_both_ways_meet(void **state)
{
	belay_chan *ch = make(0);
	struct both a = {.ch = ch, .rounds = 2000}, b = a;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, send_or_recv, &a), 0);
	send_or_recv(&b);
	pthread_join(thread, NULL);
	assert_int_equal(a.sent, b.received);
	assert_int_equal(b.sent, a.received);
	assert_int_equal(a.sum_in, b.sum_out);
	assert_int_equal(b.sum_in, a.sum_out);
	belay_chan_unref(ch);
}

/* ---- Closed channels ------------------------------------------------------------------------- */

static void receiving_from_a_closed_drained_channel_is_ready_and_zero(void **state)
{
	belay_chan *ch = make_holding(8);
	bool ok = false;
	int got = -1;

	belay_chan_close(ch);
	assert_int_equal(belay_select(bg(), BELAY_RECV_OK(ch, &got, &ok)), 0);
	assert_int_equal(got, 8);
	assert_true(ok);
	assert_int_equal(belay_select(bg(), BELAY_RECV_OK(ch, &got, &ok)), 0);
	assert_int_equal(got, 0);
	assert_false(ok);
	got = -1;
	assert_int_equal(belay_try_select(BELAY_RECV(ch, &got)), 0);
	assert_int_equal(got, 0);
	assert_int_equal(belay_try_select(BELAY_RECV(ch, NULL)), 0);
	belay_chan_unref(ch);
}

static void ok_is_left_alone_where_another_case_runs(void **state)
{
	belay_chan *empty = make(1), *holding = make_holding(1);
	bool ok = true, never = true;
	int got;

	never = false;
	assert_int_equal(belay_select(bg(), BELAY_RECV_OK(empty, &got, &never),
				      BELAY_RECV_OK(holding, &got, &ok)), 1);
	assert_true(ok);
	assert_false(never);
	belay_chan_unref(holding);
	belay_chan_unref(empty);
}

static void sending_on_a_closed_channel_is_epipe(void **state)
{
	belay_chan *closed = make(1), *never = make(0);
	int got = 5;

	belay_chan_close(closed);
	assert_int_equal(belay_select(bg(), BELAY_RECV(never, &got), BELAY_SEND(closed, &got)),
			 -EPIPE);
	assert_int_equal(belay_try_select(BELAY_SEND(closed, &got)), -EPIPE);
	assert_int_equal(got, 5);
	belay_chan_unref(never);
	belay_chan_unref(closed);
}

BELAY_TEST_MAIN(cmocka_unit_test(the_ready_case_runs_and_its_index_is_returned),
		cmocka_unit_test(try_select_is_eagain_only_where_nothing_is_ready),
		cmocka_unit_test(exactly_one_case_commits),
		cmocka_unit_test(the_choice_among_ready_cases_is_uniform),
		cmocka_unit_test(the_choice_is_uniform_among_the_ready_ones_only),
		cmocka_unit_test(the_choice_is_uniform_among_done_contexts_too),
		cmocka_unit_test(the_same_channel_may_stand_in_several_cases),
		cmocka_unit_test(a_select_never_matches_itself),
		cmocka_unit_test(send_and_receive_on_one_buffered_channel_both_work),
		cmocka_unit_test(two_selects_that_offer_both_ways_meet),
		cmocka_unit_test(receiving_from_a_closed_drained_channel_is_ready_and_zero),
		cmocka_unit_test(ok_is_left_alone_where_another_case_runs),
		cmocka_unit_test(sending_on_a_closed_channel_is_epipe))
