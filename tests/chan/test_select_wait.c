/* SPDX-License-Identifier: MIT
 *
 * test_select_wait.c - selects that wait: what wakes them, and their timeouts.
 */
#include "select_test.h"
#include "asleep.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

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

/* ---- Without waiting ------------------------------------------------------------------------- */

enum { HANDOVERS = 20000 };

/* An element in a channel, or the end of a context: at each moment one of them is there. */
struct handover {
	belay_ctx *ctx;
	belay_chan *full;
	atomic_long round, ended; /* how many the other thread is to end, and has */
};

/* Ends the context, and only then takes the element. */
static void *hand_over(void *arg)
{
	struct handover *h = arg;

	for (long i = 1; i <= HANDOVERS; i++) {
		while (atomic_load(&h->round) < i)
			sched_yield();
		belay_cancel(h->ctx);
		belay_try_recv(h->full, NULL);
		atomic_store(&h->ended, i);
	}
	return NULL;
}

/* Until the round has ended, or it has the element itself. */
static bool finds_what_is_ready(struct handover *h, long round)
{
	int ran = 0;

	while (ran == 0 && atomic_load(&h->ended) < round)
		ran = belay_try_select(BELAY_DONE(h->ctx), BELAY_RECV(h->full, NULL));
	return ran != -EAGAIN;
}

static void a_select_that_does_not_wait_finds_what_is_ready_all_along(void **state)
{
	struct handover h = {.full = check_made(belay_chan_new(0, 1))};
	pthread_t other;
	bool found = true;

	assert_int_equal(pthread_create(&other, NULL, hand_over, &h), 0);
	for (long i = 1; i <= HANDOVERS; i++) {
		h.ctx = belay_with_cancel(belay_background());
		belay_try_send(h.full, NULL);
		atomic_store(&h.round, i);
		found &= finds_what_is_ready(&h, i);
		while (atomic_load(&h.ended) < i)
			sched_yield();
		belay_end(h.ctx);
	}
	pthread_join(other, NULL);
	assert_true(found);
	belay_chan_unref(h.full);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_select_that_waits_is_woken_by_each_kind_of_case),
		cmocka_unit_test(a_timeout_case_is_ready_after_its_time),
		cmocka_unit_test(of_several_timeouts_the_shortest_runs),
		cmocka_unit_test(a_timeout_of_zero_or_less_is_ready_at_once),
		cmocka_unit_test(a_timeout_that_was_not_needed_is_forgotten),
		cmocka_unit_test(a_ready_channel_comes_before_a_timeout),
		cmocka_unit_test(a_done_context_wins_over_every_case),
		cmocka_unit_test(closing_while_a_select_waits_to_send_makes_it_epipe),
		cmocka_unit_test(a_select_that_does_not_wait_finds_what_is_ready_all_along))
