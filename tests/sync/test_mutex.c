/* SPDX-License-Identifier: MIT
 *
 * test_mutex.c - one at a time, in the order of arrival, and only for who still wants it.
 */
#include "crew.h"

#include <errno.h>

struct shared {
	belay_mutex mutex;
	belay_ctx *ctx;
	unsigned next; /* guarded by mutex */
	unsigned order[CREW_MOST];
	atomic_uint taken;
	atomic_int result;
};

static void a_free_mutex_is_locked_at_once(void **state)
{
	belay_mutex mutex = BELAY_MUTEX_INIT;

	assert_int_equal(belay_mutex_lock(belay_background(), &mutex), 0);
	assert_int_equal(belay_mutex_try_lock(&mutex), -EAGAIN);
	assert_int_equal(belay_mutex_unlock(&mutex), 0);
	assert_int_equal(belay_mutex_try_lock(&mutex), 0);
	assert_int_equal(belay_mutex_unlock(&mutex), 0);
}

static void zeroed_memory_is_a_mutex(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	belay_mutex *mutex = check_made(belay_alloc(ctx, sizeof *mutex));

	assert_int_equal(belay_mutex_lock(ctx, mutex), 0);
	assert_int_equal(belay_mutex_unlock(mutex), 0);
}

static void unlocking_a_free_mutex_is_an_error_without_effect(void **state)
{
	belay_mutex mutex = BELAY_MUTEX_INIT;

	assert_int_equal(belay_mutex_unlock(&mutex), -EPERM);
	assert_int_equal(belay_mutex_try_lock(&mutex), 0);
	assert_int_equal(belay_mutex_unlock(&mutex), 0);
}

static void a_done_context_wins_over_a_free_mutex(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), 0));
	belay_mutex mutex = BELAY_MUTEX_INIT;

	assert_int_equal(belay_mutex_lock(ctx, &mutex), -ETIME);
	assert_int_equal(belay_mutex_lock(NULL, &mutex), -EINVAL);
	assert_int_equal(belay_mutex_try_lock(&mutex), 0);
	assert_int_equal(belay_mutex_unlock(&mutex), 0);
}

static void lock_once(struct hand *hand)
{
	struct shared *shared = hand->crew->arg;
	int err = belay_mutex_lock(shared->ctx, &shared->mutex);

	atomic_store(&shared->result, err);
	if (err)
		return;
	shared->order[shared->next++] = hand->number;
	check(belay_mutex_unlock(&shared->mutex) == 0);
}

static void those_who_wait_are_served_in_the_order_of_arrival(void **state)
{
	struct shared shared = {.mutex = BELAY_MUTEX_INIT, .ctx = belay_background()};
	struct crew crew = {.fn = lock_once, .arg = &shared};

	assert_int_equal(belay_mutex_try_lock(&shared.mutex), 0);
	for (unsigned i = 0; i < 8; i++) {
		crew_add(&crew);
		assert_true(check_until(queued(&shared.mutex.waiters) == i + 1));
	}
	assert_int_equal(belay_mutex_unlock(&shared.mutex), 0);
	crew_join(&crew);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(shared.order[i], i);
}

static void hold_until_told(struct hand *hand)
{
	struct shared *shared = hand->crew->arg;

	if (!check(belay_mutex_lock(shared->ctx, &shared->mutex) == 0))
		return;
	atomic_store(&shared->taken, 1);
	check(check_until(atomic_load(&shared->taken) == 2));
	check(belay_mutex_unlock(&shared->mutex) == 0);
}

static void an_unlock_hands_over_so_that_nobody_comes_between(void **state)
{
	struct shared shared = {.mutex = BELAY_MUTEX_INIT, .ctx = belay_background()};
	struct crew crew = {.fn = hold_until_told, .arg = &shared};

	assert_int_equal(belay_mutex_try_lock(&shared.mutex), 0);
	crew_add(&crew);
	assert_true(check_until(queued(&shared.mutex.waiters) == 1));
	assert_int_equal(belay_mutex_unlock(&shared.mutex), 0);
	assert_int_equal(belay_mutex_try_lock(&shared.mutex), -EAGAIN);
	assert_true(check_until(atomic_load(&shared.taken) == 1));
	assert_int_equal(belay_mutex_try_lock(&shared.mutex), -EAGAIN);
	atomic_store(&shared.taken, 2);
	crew_join(&crew);
}

static void who_waits_leaves_when_its_context_ends(void **state)
{
	struct shared shared = {.mutex = BELAY_MUTEX_INIT,
				.ctx = check_live(belay_with_cancel(belay_background()))};
	struct crew crew = {.fn = lock_once, .arg = &shared};

	assert_int_equal(belay_mutex_try_lock(&shared.mutex), 0);
	crew_add(&crew);
	crew_add(&crew);
	assert_true(check_until(queued(&shared.mutex.waiters) == 2));
	belay_cancel(shared.ctx);
	crew_join(&crew);
	assert_int_equal(atomic_load(&shared.result), -ECANCELED);
	assert_int_equal(shared.next, 0);
	assert_int_equal(queued(&shared.mutex.waiters), 0);
	assert_int_equal(belay_mutex_unlock(&shared.mutex), 0);
	assert_int_equal(belay_mutex_try_lock(&shared.mutex), 0);
	assert_int_equal(belay_mutex_unlock(&shared.mutex), 0);
	belay_end(shared.ctx);
}

struct race {
	struct shared shared;
	struct crew locker, canceller;
	atomic_bool go;
};

static void cancel_on_go(struct hand *hand)
{
	struct race *race = hand->crew->arg;

	while (!atomic_load(&race->go))
		belay_yield();
	belay_cancel(race->shared.ctx);
}

static void race_once(bool task)
{
	struct race race = {.shared = {.mutex = BELAY_MUTEX_INIT,
				       .ctx = check_live(belay_with_cancel(belay_background()))},
			    .locker = {.fn = lock_once, .arg = &race.shared},
			    .canceller = {.fn = cancel_on_go, .arg = &race}};

	assert_int_equal(belay_mutex_try_lock(&race.shared.mutex), 0);
	crew_add_kind(&race.locker, task);
	crew_add_kind(&race.canceller, false);
	assert_true(check_until(queued(&race.shared.mutex.waiters) == 1));
	atomic_store(&race.go, true);
	assert_int_equal(belay_mutex_unlock(&race.shared.mutex), 0);
	crew_join(&race.locker);
	crew_join(&race.canceller);
	assert_int_equal(race.shared.next, atomic_load(&race.shared.result) == 0 ? 1 : 0);
	assert_int_equal(belay_mutex_try_lock(&race.shared.mutex), 0);
	belay_end(race.shared.ctx);
}

/* The unlock and the end of the context race for the one who waits. */
static void a_lock_has_been_taken_or_it_is_an_error_also_in_the_race(void **state)
{
	for (unsigned i = 0; i < 400; i++)
		race_once(i % 2);
}

struct storm {
	belay_mutex mutex;
	unsigned long inside, entries; /* guarded by mutex; plain, so that a race would show */
	_Atomic unsigned long successes;
};

static void lock_often(struct hand *hand)
{
	struct storm *storm = hand->crew->arg;

	for (int i = 0; i < 1500; i++) {
		BELAY_SCOPED belay_ctx *ctx = hand_ctx(hand);
		int err = belay_mutex_lock(ctx, &storm->mutex);

		if (err) {
			check(err == belay_err(ctx));
			continue;
		}
		check(storm->inside++ == 0);
		storm->entries++;
		if (hand_random(hand, 4) == 0)
			belay_yield();
		storm->inside--;
		atomic_fetch_add(&storm->successes, 1);
		check(belay_mutex_unlock(&storm->mutex) == 0);
	}
}

static void one_at_a_time_while_contexts_end_at_random(void **state)
{
	struct storm storm = {.mutex = BELAY_MUTEX_INIT};

	crew_all(8, lock_often, &storm);
	assert_int_equal(storm.entries, atomic_load(&storm.successes));
	assert_true(storm.entries > 0);
	assert_int_equal(belay_mutex_try_lock(&storm.mutex), 0);
	assert_int_equal(queued(&storm.mutex.waiters), 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_free_mutex_is_locked_at_once),
		cmocka_unit_test(zeroed_memory_is_a_mutex),
		cmocka_unit_test(unlocking_a_free_mutex_is_an_error_without_effect),
		cmocka_unit_test(a_done_context_wins_over_a_free_mutex),
		cmocka_unit_test(those_who_wait_are_served_in_the_order_of_arrival),
		cmocka_unit_test(an_unlock_hands_over_so_that_nobody_comes_between),
		cmocka_unit_test(who_waits_leaves_when_its_context_ends),
		cmocka_unit_test(a_lock_has_been_taken_or_it_is_an_error_also_in_the_race),
		cmocka_unit_test(one_at_a_time_while_contexts_end_at_random))
