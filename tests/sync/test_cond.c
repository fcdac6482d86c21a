/* SPDX-License-Identifier: MIT
 *
 * test_cond.c - no signal is lost, none is used twice, and the mutex is held whatever happens.
 */
#include "crew.h"

#include <errno.h>

struct shared {
	belay_mutex mutex;
	belay_cond cond;
	belay_ctx *ctx[CREW_MOST];
	atomic_int result[CREW_MOST]; /* 1: not back yet */
	unsigned order[CREW_MOST];    /* with next, guarded by mutex */
	unsigned next;
};

static void lock(belay_mutex *mutex)
{
	check(belay_mutex_lock(belay_background(), mutex) == 0);
}

static void wait_once(struct hand *hand)
{
	struct shared *shared = hand->crew->arg;
	int err;

	lock(&shared->mutex);
	err = belay_cond_wait(shared->ctx[hand->number], &shared->cond, &shared->mutex);
	check(belay_mutex_try_lock(&shared->mutex) == -EAGAIN);
	if (err == 0)
		shared->order[shared->next++] = hand->number;
	check(belay_mutex_unlock(&shared->mutex) == 0);
	atomic_store(&shared->result[hand->number], err);
}

static void all_wait(struct shared *shared, struct crew *crew, unsigned n)
{
	*shared = (struct shared){.mutex = BELAY_MUTEX_INIT, .cond = BELAY_COND_INIT};
	*crew = (struct crew){.fn = wait_once, .arg = shared};
	for (unsigned i = 0; i < n; i++) {
		shared->ctx[i] = check_live(belay_with_cancel(belay_background()));
		atomic_store(&shared->result[i], 1);
		crew_add(crew);
		assert_true(check_until(queued(&shared->cond.waiters) == i + 1));
	}
}

static void all_end(struct shared *shared, struct crew *crew)
{
	crew_join(crew);
	for (unsigned i = 0; i < crew->size; i++)
		belay_end(shared->ctx[i]);
	assert_int_equal(queued(&shared->cond.waiters), 0);
	assert_int_equal(belay_mutex_try_lock(&shared->mutex), 0);
}

static void a_signal_wakes_the_one_that_has_waited_longest(void **state)
{
	struct shared shared;
	struct crew crew;

	all_wait(&shared, &crew, 4);
	for (unsigned i = 0; i < 4; i++) {
		belay_cond_signal(&shared.cond);
		assert_true(check_until(atomic_load(&shared.result[i]) == 0));
		assert_int_equal(queued(&shared.cond.waiters), 3 - i);
	}
	all_end(&shared, &crew);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(shared.order[i], i);
}

static void a_broadcast_wakes_all(void **state)
{
	struct shared shared;
	struct crew crew;

	all_wait(&shared, &crew, 6);
	belay_cond_broadcast(&shared.cond);
	all_end(&shared, &crew);
	assert_int_equal(shared.next, 6);
}

static void a_signal_that_nobody_waits_for_is_forgotten(void **state)
{
	BELAY_SCOPED belay_ctx *ctx =
		check_live(belay_with_timeout(belay_background(), BELAY_MS(1)));
	belay_mutex mutex = BELAY_MUTEX_INIT;
	belay_cond cond = BELAY_COND_INIT;

	belay_cond_signal(&cond);
	belay_cond_broadcast(&cond);
	lock(&mutex);
	assert_int_equal(belay_cond_wait(ctx, &cond, &mutex), -ETIME);
	assert_int_equal(belay_mutex_unlock(&mutex), 0);
}

static void the_mutex_is_free_for_others_meanwhile(void **state)
{
	struct shared shared;
	struct crew crew;

	all_wait(&shared, &crew, 1);
	assert_true(check_until(belay_mutex_try_lock(&shared.mutex) == 0));
	belay_cond_signal(&shared.cond);
	assert_true(check_until(queued(&shared.mutex.waiters) == 1));
	assert_int_equal(atomic_load(&shared.result[0]), 1);
	assert_int_equal(belay_mutex_unlock(&shared.mutex), 0);
	all_end(&shared, &crew);
}

/* The one that gives up must wait for the mutex all the same. */
static void the_mutex_is_held_also_when_the_context_ends(void **state)
{
	struct shared shared;
	struct crew crew;

	all_wait(&shared, &crew, 2);
	assert_true(check_until(belay_mutex_try_lock(&shared.mutex) == 0));
	belay_cancel(shared.ctx[0]);
	belay_cancel(shared.ctx[1]);
	assert_true(check_until(queued(&shared.mutex.waiters) == 2));
	assert_int_equal(belay_mutex_unlock(&shared.mutex), 0);
	all_end(&shared, &crew);
	assert_int_equal(atomic_load(&shared.result[0]), -ECANCELED);
	assert_int_equal(atomic_load(&shared.result[1]), -ECANCELED);
}

static void a_done_context_does_not_give_up_the_mutex(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), 0));
	belay_mutex mutex = BELAY_MUTEX_INIT;
	belay_cond cond = BELAY_COND_INIT;

	lock(&mutex);
	assert_int_equal(belay_cond_wait(ctx, &cond, &mutex), -ETIME);
	assert_int_equal(belay_mutex_try_lock(&mutex), -EAGAIN);
	assert_int_equal(belay_mutex_unlock(&mutex), 0);
}

static void a_signal_goes_past_one_whose_context_has_ended(void **state)
{
	struct shared shared;
	struct crew crew;

	all_wait(&shared, &crew, 2);
	belay_cancel(shared.ctx[0]);
	belay_cond_signal(&shared.cond);
	all_end(&shared, &crew);
	assert_int_equal(atomic_load(&shared.result[0]), -ECANCELED);
	assert_int_equal(atomic_load(&shared.result[1]), 0);
}

/* ---- Storm: one signal an item, so that a lost signal leaves an item behind ------------------ */

enum { ITEMS = 4000, PRODUCERS = 4, CONSUMERS = 4 };

struct store {
	belay_mutex mutex;
	belay_cond cond;
	unsigned items, produced, consumed; /* guarded by mutex */
};

static void produce(struct store *store, struct hand *hand)
{
	for (int i = 0; i < ITEMS / PRODUCERS; i++) {
		lock(&store->mutex);
		store->items++;
		store->produced++;
		belay_cond_signal(&store->cond);
		check(belay_mutex_unlock(&store->mutex) == 0);
		if (hand_random(hand, 4) == 0)
			belay_yield();
	}
}

/* False: everything has been consumed. */
static bool consume_one(struct store *store, struct hand *hand)
{
	BELAY_SCOPED belay_ctx *ctx = hand_ctx(hand);
	int err = 0;
	bool more;

	lock(&store->mutex);
	while (err == 0 && store->items == 0 && store->consumed < ITEMS)
		err = belay_cond_wait(ctx, &store->cond, &store->mutex);
	if (store->items > 0) {
		store->items--;
		store->consumed++;
	}
	more = store->consumed < ITEMS;
	if (!more)
		belay_cond_broadcast(&store->cond);
	check(belay_mutex_unlock(&store->mutex) == 0);
	return more;
}

static void produce_or_consume(struct hand *hand)
{
	struct store *store = hand->crew->arg;

	if (hand->number < PRODUCERS)
		produce(store, hand);
	else
		while (consume_one(store, hand))
			;
}

static void nothing_is_lost_while_contexts_end_at_random(void **state)
{
	struct store store = {.mutex = BELAY_MUTEX_INIT, .cond = BELAY_COND_INIT};

	crew_all(PRODUCERS + CONSUMERS, produce_or_consume, &store);
	assert_int_equal(store.produced, ITEMS);
	assert_int_equal(store.consumed, ITEMS);
	assert_int_equal(store.items, 0);
	assert_int_equal(queued(&store.cond.waiters), 0);
}

/* ---- A signal goes to exactly one that returns 0 --------------------------------------------- */

static void cancel_every_other(struct shared *shared, unsigned n)
{
	for (unsigned i = 0; i < n; i += 2)
		belay_cancel(shared->ctx[i]);
}

/* Of six, three are told to go; at least three can hear a signal whichever comes first. */
static void as_many_return_0_as_were_signalled_whoever_is_cancelled(void **state)
{
	enum { N = 6, SIGNALS = 3 };

	for (int round = 0; round < 100; round++) {
		struct shared shared;
		struct crew crew;

		all_wait(&shared, &crew, N);
		if (round % 2)
			cancel_every_other(&shared, N);
		for (int i = 0; i < SIGNALS; i++)
			belay_cond_signal(&shared.cond);
		for (unsigned i = 0; i < N; i++)
			belay_cancel(shared.ctx[i]);
		all_end(&shared, &crew);
		assert_int_equal(shared.next, SIGNALS);
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(a_signal_wakes_the_one_that_has_waited_longest),
		cmocka_unit_test(a_broadcast_wakes_all),
		cmocka_unit_test(a_signal_that_nobody_waits_for_is_forgotten),
		cmocka_unit_test(the_mutex_is_free_for_others_meanwhile),
		cmocka_unit_test(the_mutex_is_held_also_when_the_context_ends),
		cmocka_unit_test(a_done_context_does_not_give_up_the_mutex),
		cmocka_unit_test(a_signal_goes_past_one_whose_context_has_ended),
		cmocka_unit_test(nothing_is_lost_while_contexts_end_at_random),
		cmocka_unit_test(as_many_return_0_as_were_signalled_whoever_is_cancelled))
