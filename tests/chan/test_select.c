/* SPDX-License-Identifier: MIT
 *
 * test_select.c - select: exactly one case, fairly chosen, or none and an error.
 */
#include "check.h"

#include "asleep.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static belay_ctx *bg(void) { return belay_background(); }

static belay_chan *make(size_t capacity)
{
	belay_chan *ch = belay_chan_new(sizeof(int), capacity);

	assert_non_null(ch);
	return ch;
}

static belay_chan *make_holding(int value)
{
	belay_chan *ch = make(1);

	assert_int_equal(belay_send(bg(), ch, &value), 0);
	return ch;
}

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

/* ---- Waiting --------------------------------------------------------------------------------- */

/* A select that waits on a channel of each kind, in a thread or a task. */
struct selector {
	belay_ctx *ctx;
	belay_chan *in, *out;
	belay_ctx *watched;
	int got, given, result;
	atomic_int tid;
	atomic_bool over;
};

static void *select_on_a_thread(void *arg)
{
	struct selector *s = arg;

	atomic_store(&s->tid, gettid());
	s->result = belay_select(s->ctx, BELAY_RECV(s->in, &s->got), BELAY_SEND(s->out, &s->given),
				 BELAY_DONE(s->watched));
	atomic_store(&s->over, true);
	return NULL;
}

static void select_in_a_task(belay_ctx *ctx, void *arg) { select_on_a_thread(arg); }

enum { BY_SEND, BY_RECV, BY_DONE, BY_CONTEXT, BY_CLOSE, WAYS };

static void wake(struct selector *s, int how)
{
	int got = 0;

	switch (how) {
	case BY_SEND:
		assert_int_equal(belay_send(bg(), s->in, &(int){61}), 0);
		break;
	case BY_RECV:
		assert_int_equal(belay_recv(bg(), s->out, &got), 0);
		assert_int_equal(got, 62);
		break;
	case BY_DONE:
		belay_cancel(s->watched);
		break;
	case BY_CONTEXT:
		belay_cancel(s->ctx);
		break;
	case BY_CLOSE:
		belay_chan_close(s->in);
		break;
	}
}

static void check_selected(const struct selector *s, int how)
{
	static const int results[WAYS] = {0, 1, 2, -ECANCELED, 0};
	static const int gots[WAYS] = {61, -1, -1, -1, 0};

	assert_int_equal(s->result, results[how]);
	assert_int_equal(s->got, gots[how]);
}

static void a_select_that_waits_is_woken_by_each_kind_of_case(void **state)
{
	for (int round = 0; round < 40 * WAYS; round++) {
		struct selector s = {.ctx = check_live(belay_with_cancel(bg())),
				     .watched = check_live(belay_with_cancel(bg())),
				     .in = make(0), .out = make(0), .got = -1, .given = 62};
		int how = round / 2 % WAYS;
		pthread_t thread;

		if (round % 2)
			assert_int_equal(belay_go(bg(), select_in_a_task, &s), 0);
		else
			assert_int_equal(pthread_create(&thread, NULL, select_on_a_thread, &s), 0);
		if (round % 4 < 2)
			assert_true(check_until_asleep(&s.tid));
		wake(&s, how);
		assert_true(check_until(atomic_load(&s.over)));
		if (round % 2 == 0)
			pthread_join(thread, NULL);
		check_selected(&s, how);
		assert_int_equal(belay_try_recv(s.out, NULL), -EAGAIN);
		belay_chan_unref(s.in);
		belay_chan_unref(s.out);
		belay_end(s.watched);
		belay_end(s.ctx);
	}
}

static void a_timeout_case_is_ready_after_its_time(void **state)
{
	belay_chan *ch = make(0);
	int64_t started = belay_now();
	int got = 3;

	assert_int_equal(belay_select(bg(), BELAY_RECV(ch, &got), BELAY_TIMEOUT(BELAY_MS(3))), 1);
	assert_true(belay_now() - started >= BELAY_MS(3));
	assert_int_equal(got, 3);
	belay_chan_unref(ch);
}

static void of_several_timeouts_the_shortest_runs(void **state)
{
	assert_int_equal(belay_select(bg(), BELAY_TIMEOUT(BELAY_S(3600)),
				      BELAY_TIMEOUT(BELAY_MS(1)),
				      BELAY_TIMEOUT(BELAY_FOREVER)), 1);
}

static void a_timeout_of_zero_or_less_is_ready_at_once(void **state)
{
	belay_chan *ch = make(0);

	assert_int_equal(belay_select(bg(), BELAY_RECV(ch, NULL), BELAY_TIMEOUT(0)), 1);
	assert_int_equal(belay_select(bg(), BELAY_RECV(ch, NULL), BELAY_TIMEOUT(-5)), 1);
	assert_int_equal(belay_try_select(BELAY_RECV(ch, NULL), BELAY_TIMEOUT(0)), 1);
	assert_int_equal(belay_try_select(BELAY_RECV(ch, NULL), BELAY_TIMEOUT(BELAY_S(9))),
			 -EAGAIN);
	belay_chan_unref(ch);
}

/* Its timer must be gone from the clock when the select's frame is. */
static void a_timeout_that_was_not_needed_is_forgotten(void **state)
{
	belay_ctx *later = belay_with_timeout(bg(), BELAY_MS(30));

	for (int i = 0; i < 100; i++) {
		belay_ctx *soon = belay_with_timeout(bg(), BELAY_US(20));

		assert_in_range(belay_select(bg(), BELAY_DONE(soon), BELAY_TIMEOUT(BELAY_MS(10))),
				0, 1);
		belay_end(soon);
	}
	memset(__builtin_alloca(4096), 0x5a, 4096);
	assert_int_equal(belay_wait(later), -ETIME);
	belay_end(later);
}

static void a_ready_channel_comes_before_a_timeout(void **state)
{
	belay_chan *ch = make_holding(4);
	int got = 0;

	assert_int_equal(belay_select(bg(), BELAY_TIMEOUT(BELAY_S(3600)), BELAY_RECV(ch, &got)), 1);
	assert_int_equal(got, 4);
	belay_chan_unref(ch);
}

static void a_done_context_wins_over_every_case(void **state)
{
	belay_ctx *done = belay_with_timeout(bg(), 0);
	belay_chan *holding = make_holding(4), *roomy = make(1), *closed = make(0);
	int got = 7;

	belay_chan_close(closed);
	for (int i = 0; i < 50; i++)
		assert_int_equal(belay_select(done, BELAY_RECV(holding, &got), BELAY_DONE(done),
					      BELAY_SEND(roomy, &got), BELAY_TIMEOUT(0),
					      BELAY_RECV(closed, &got)), -ETIME);
	assert_int_equal(belay_select(done, BELAY_SEND(closed, &got)), -ETIME);
	assert_int_equal(got, 7);
	assert_int_equal(belay_chan_len(holding), 1);
	assert_int_equal(belay_chan_len(roomy), 0);
	belay_chan_unref(closed);
	belay_chan_unref(roomy);
	belay_chan_unref(holding);
	belay_end(done);
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

static void *send_select(void *arg)
{
	struct selector *s = arg;

	atomic_store(&s->tid, gettid());
	s->result = belay_select(s->ctx, BELAY_RECV(s->in, &s->got), BELAY_SEND(s->out, &s->given));
	return NULL;
}

static void closing_while_a_select_waits_to_send_makes_it_epipe(void **state)
{
	for (int i = 0; i < 50; i++) {
		struct selector s = {.ctx = bg(), .in = make(0), .out = make(0), .got = -1};
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, send_select, &s), 0);
		if (i % 2)
			assert_true(check_until_asleep(&s.tid));
		belay_chan_close(s.out);
		pthread_join(thread, NULL);
		assert_int_equal(s.result, -EPIPE);
		assert_int_equal(s.got, -1);
		belay_chan_unref(s.in);
		belay_chan_unref(s.out);
	}
}

/* ---- NULL, sizes, numbers -------------------------------------------------------------------- */

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

BELAY_TEST_MAIN(
	cmocka_unit_test(the_ready_case_runs_and_its_index_is_returned),
	cmocka_unit_test(try_select_is_eagain_only_where_nothing_is_ready),
	cmocka_unit_test(exactly_one_case_commits),
	cmocka_unit_test(the_choice_among_ready_cases_is_uniform),
	cmocka_unit_test(the_choice_is_uniform_among_the_ready_ones_only),
	cmocka_unit_test(the_choice_is_uniform_among_done_contexts_too),
	cmocka_unit_test(the_same_channel_may_stand_in_several_cases),
	cmocka_unit_test(a_select_never_matches_itself),
	cmocka_unit_test(send_and_receive_on_one_buffered_channel_both_work),
	cmocka_unit_test(two_selects_that_offer_both_ways_meet),
	cmocka_unit_test(a_select_that_waits_is_woken_by_each_kind_of_case),
	cmocka_unit_test(a_timeout_case_is_ready_after_its_time),
	cmocka_unit_test(of_several_timeouts_the_shortest_runs),
	cmocka_unit_test(a_timeout_of_zero_or_less_is_ready_at_once),
	cmocka_unit_test(a_timeout_that_was_not_needed_is_forgotten),
	cmocka_unit_test(a_ready_channel_comes_before_a_timeout),
	cmocka_unit_test(a_done_context_wins_over_every_case),
	cmocka_unit_test(receiving_from_a_closed_drained_channel_is_ready_and_zero),
	cmocka_unit_test(ok_is_left_alone_where_another_case_runs),
	cmocka_unit_test(sending_on_a_closed_channel_is_epipe),
	cmocka_unit_test(closing_while_a_select_waits_to_send_makes_it_epipe),
	cmocka_unit_test(a_null_channel_is_never_ready),
	cmocka_unit_test(the_end_of_what_can_never_be_done_is_never_ready),
	cmocka_unit_test(a_case_of_another_size_is_emsgsize_and_nothing_runs),
	cmocka_unit_test(no_case_at_all_waits_for_the_context),
	cmocka_unit_test(a_null_context_is_einval),
	cmocka_unit_test(an_array_of_cases_can_be_used_again),
	cmocka_unit_test(a_thousand_cases_work),
	cmocka_unit_test(selects_over_the_same_channels_in_opposite_orders_do_not_deadlock))
