/* SPDX-License-Identifier: MIT
 *
 * test_placement.c - on which worker a task begins, for it stays there.
 */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

static belay_ctx *bg(void) { return belay_background(); }

static int two_workers(void **state)
{
	return setenv("BELAY_WORKERS", "2", 1);
}

static int clear_workers(void **state)
{
	return unsetenv("BELAY_WORKERS");
}

/* ---- Where each of many is ------------------------------------------------------------------- */

enum { MANY = 200 };

struct crowd {
	pthread_t threads[MANY];
	atomic_int here;
	belay_chan *let_go;
	belay_wg over;
};

static void stay(belay_ctx *ctx, void *arg)
{
	struct crowd *crowd = arg;

	crowd->threads[atomic_load(&crowd->here)] = pthread_self(); /* one comes at a time */
	atomic_fetch_add(&crowd->here, 1);
	check(belay_recv(ctx, crowd->let_go, NULL) == -EPIPE);
	belay_wg_done(&crowd->over);
}

static int on_first_thread(const struct crowd *crowd, int n)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		count += pthread_equal(crowd->threads[i], crowd->threads[0]) != 0;
	return count;
}

static void spawn_crowd(struct crowd *crowd, int n)
{
	for (int i = 0; i < n; i++) {
		check(belay_go(bg(), stay, crowd) == 0);
		check(check_until(atomic_load(&crowd->here) == i + 1));
	}
}

static void disperse(struct crowd *crowd)
{
	belay_chan_close(crowd->let_go);
	check(belay_wg_wait(bg(), &crowd->over) == 0);
	belay_chan_unref(crowd->let_go);
}

static void gather_many(belay_ctx *ctx, void *arg)
{
	struct crowd crowd = {.let_go = check_made(belay_chan_new(0, 0))};
	int here;

	check(belay_wg_add(&crowd.over, MANY) == 0);
	spawn_crowd(&crowd, MANY);
	here = on_first_thread(&crowd, MANY);
	check(here > MANY / 4 && here < MANY * 3 / 4);
	disperse(&crowd);
}

static void many_that_stay_are_spread_evenly(void **state)
{
	check_in_task(gather_many, NULL);
}

/* ---- Who begins while the worker is busy ----------------------------------------------------- */

struct hog {
	atomic_int begun;
	int expected;
};

static void begin(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add(&((struct hog *)arg)->begun, 1);
}

/* Never gives way, so that only another worker can begin what it spawns. */
static void spawn_and_compute(belay_ctx *ctx, void *arg)
{
	struct hog *hog = arg;
	int64_t patience = belay_now() + BELAY_S(30);

	for (int i = 0; i < hog->expected; i++) {
		check(belay_go(ctx, begin, hog) == 0);
		while (atomic_load(&hog->begun) <= i && belay_now() < patience)
			sched_yield();
	}
	check(atomic_load(&hog->begun) == hog->expected);
}

static void one_after_another_begins_elsewhere_while_its_spawner_computes(void **state)
{
	struct hog hog = {.expected = 200};

	check_in_task(spawn_and_compute, &hog);
}

/* Only the ring's worth can be taken without a lock: the rest is found too. */
static void spawn_many_and_compute(belay_ctx *ctx, void *arg)
{
	struct hog *hog = arg;
	int64_t patience = belay_now() + BELAY_S(30);

	for (int i = 0; i < hog->expected; i++)
		check(belay_go(ctx, begin, hog) == 0);
	while (atomic_load(&hog->begun) < hog->expected && belay_now() < patience)
		sched_yield();
	check(atomic_load(&hog->begun) == hog->expected);
}

static void more_than_fit_into_the_queue_begin_elsewhere_too(void **state)
{
	struct hog hog = {.expected = 5000};

	check_in_task(spawn_many_and_compute, &hog);
}

/* ---- Many threads ---------------------------------------------------------------------------- */

enum { THREADS = 4, EACH = 2000 };

static void *spawn_from_thread(void *arg)
{
	for (int i = 0; i < EACH; i++)
		check(belay_go(bg(), begin, arg) == 0);
	return NULL;
}

static void what_threads_spawn_all_at_once_all_begins(void **state)
{
	struct hog hog = {.expected = THREADS * EACH};
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, spawn_from_thread, &hog), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(check_until(atomic_load(&hog.begun) == hog.expected));
}

/* Workers go to sleep between the spawns: each must wake one. */
static void each_of_many_lonely_spawns_is_noticed(void **state)
{
	struct hog hog = {.expected = 500};

	for (int i = 0; i < hog.expected; i++) {
		assert_int_equal(belay_go(bg(), begin, &hog), 0);
		assert_true(check_until(atomic_load(&hog.begun) == i + 1));
	}
}

#define ON_TWO_WORKERS(test) cmocka_unit_test_setup_teardown(test, two_workers, clear_workers)

BELAY_TEST_MAIN(
	ON_TWO_WORKERS(many_that_stay_are_spread_evenly),
	ON_TWO_WORKERS(one_after_another_begins_elsewhere_while_its_spawner_computes),
	ON_TWO_WORKERS(more_than_fit_into_the_queue_begin_elsewhere_too),
	ON_TWO_WORKERS(what_threads_spawn_all_at_once_all_begins),
	ON_TWO_WORKERS(each_of_many_lonely_spawns_is_noticed))
