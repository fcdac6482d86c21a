/* SPDX-License-Identifier: MIT
 *
 * test_bursts.c - many new tasks at once on a worker that others keep busy: they are worked off, at
 * no expense of those that are ready.
 *
 * What is counted is turns and not time, so that a busy machine can't be mistaken for an unfair
 * worker.
 */
#include "check.h"

#include "scale.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static belay_ctx *bg(void) { return belay_background(); }

static int one_worker(void **state)
{
	return setenv("BELAY_WORKERS", "1", 1);
}

static int clear_workers(void **state)
{
	return unsetenv("BELAY_WORKERS");
}

/* ---- A crowd that is always ready ------------------------------------------------------------ */

struct crowd {
	atomic_bool over;
	atomic_uint left;
	atomic_ulong turns; /* of all together */
};

static void take_turns(belay_ctx *ctx, void *arg)
{
	struct crowd *crowd = arg;

	while (!atomic_load(&crowd->over)) {
		atomic_fetch_add(&crowd->turns, 1);
		belay_yield();
	}
	atomic_fetch_sub(&crowd->left, 1);
}

static void begin_crowd(struct crowd *crowd, unsigned size)
{
	*crowd = (struct crowd){.left = size};
	for (unsigned i = 0; i < size; i++)
		assert_int_equal(belay_go(bg(), take_turns, crowd), 0);
	assert_true(check_until(atomic_load(&crowd->turns) > size));
}

static void end_crowd(struct crowd *crowd)
{
	atomic_store(&crowd->over, true);
	assert_true(check_until(atomic_load(&crowd->left) == 0));
}

/* ---- One burst ------------------------------------------------------------------------------- */

/* BURST: more than a worker's queue has room for. */
enum { CROWD = 100, BURST = 3000 };

struct burst {
	struct crowd *crowd;
	unsigned size;
	unsigned long before, after; /* the crowd's turns: at the burst, and when the last began */
	atomic_uint begun;
};

static void begin_and_end(belay_ctx *ctx, void *arg)
{
	struct burst *burst = arg;

	burst->after = atomic_load(&burst->crowd->turns);
	atomic_fetch_add(&burst->begun, 1);
}

static void spawn_burst(belay_ctx *ctx, void *arg)
{
	struct burst *burst = arg;

	burst->before = atomic_load(&burst->crowd->turns);
	for (unsigned i = 0; i < burst->size; i++)
		if (!check(belay_go(ctx, begin_and_end, burst) == 0))
			atomic_fetch_add(&burst->begun, 1);
}

static void a_burst_has_begun_before_a_crowd_has_gone_round(void **state)
{
	struct crowd crowd;
	struct burst burst = {.crowd = &crowd, .size = (unsigned)scaled(BURST)};

	begin_crowd(&crowd, CROWD);
	assert_int_equal(belay_go(bg(), spawn_burst, &burst), 0);
	assert_true(check_until(atomic_load(&burst.begun) == burst.size));
	assert_in_range(burst.after - burst.before, 0, CROWD);
	end_crowd(&crowd);
}

/* ---- Burst upon burst ------------------------------------------------------------------------ */

/* FEW: who is ready beside the one that spawns: enough that between two of its bursts the new tasks
 * have their turn once. */
enum { FEW = 3, AT_ONCE = 64, ROUNDS = 500 };

struct bursts {
	atomic_uint there; /* spawned, and have not begun */
	unsigned most;     /* before one burst more */
	atomic_bool over;
};

static void drop(belay_ctx *ctx, void *arg)
{
	struct bursts *bursts = arg;

	atomic_fetch_sub(&bursts->there, 1);
}

static void spawn_some(struct bursts *bursts)
{
	unsigned there = atomic_load(&bursts->there);

	if (there > bursts->most)
		bursts->most = there;
	for (int i = 0; i < AT_ONCE; i++) {
		atomic_fetch_add(&bursts->there, 1);
		if (!check(belay_go(bg(), drop, bursts) == 0))
			atomic_fetch_sub(&bursts->there, 1);
	}
}

static void spawn_again_and_again(belay_ctx *ctx, void *arg)
{
	struct bursts *bursts = arg;

	for (size_t i = 0; i < scaled(ROUNDS); i++) {
		spawn_some(bursts);
		belay_yield();
	}
	atomic_store(&bursts->over, true);
}

static void a_burst_at_each_turn_of_a_crowd_does_not_pile_up(void **state)
{
	struct crowd crowd;
	struct bursts bursts = {.most = 0};

	begin_crowd(&crowd, FEW);
	assert_int_equal(belay_go(bg(), spawn_again_and_again, &bursts), 0);
	assert_true(check_until(atomic_load(&bursts.over) && atomic_load(&bursts.there) == 0));
	assert_in_range(bursts.most, 0, 2 * AT_ONCE);
	end_crowd(&crowd);
}

/* ---- Long turns ------------------------------------------------------------------------------ */

/* LINKS: of which each spawns the next, so that a new task always stands in line. */
enum { TURNS = 20, LINKS = 500 };

struct chain {
	atomic_uint links, turns;
	atomic_uint links_then; /* when the one that is ready had had its turns */
	atomic_bool over;
};

static void compute(int64_t ns)
{
	int64_t until = belay_now() + ns;

	while (belay_now() < until)
		;
}

static void compute_and_spawn(belay_ctx *ctx, void *arg)
{
	struct chain *chain = arg;

	compute(BELAY_US(200));
	if (atomic_fetch_add(&chain->links, 1) + 1 < LINKS &&
	    check(belay_go(ctx, compute_and_spawn, chain) == 0))
		return;
	atomic_store(&chain->over, true);
}

static void count_turns(belay_ctx *ctx, void *arg)
{
	struct chain *chain = arg;

	while (atomic_fetch_add(&chain->turns, 1) < TURNS)
		belay_yield();
	atomic_store(&chain->links_then, atomic_load(&chain->links));
}

static void new_tasks_that_compute_and_spawn_others_do_not_starve_one_that_is_ready(void **state)
{
	struct chain chain = {.links = 0};

	assert_int_equal(belay_go(bg(), count_turns, &chain), 0);
	assert_int_equal(belay_go(bg(), compute_and_spawn, &chain), 0);
	assert_true(check_until(atomic_load(&chain.over) && atomic_load(&chain.turns) > TURNS));
	assert_in_range(chain.links_then, 0, 2 * TURNS);
}

/* ---- A burst that others take part of -------------------------------------------------------- */

enum { STOLEN = 20000, MANY_LINKS = 20000 };

/* Links that come one after the other, beside a task that is always ready, on its thread. */
struct beside {
	pthread_t thread;
	atomic_long left;  /* of the burst; then links to come */
	atomic_long links; /* that ran on the thread */
	long most;         /* between two turns of the task */
	atomic_bool over;
};

static void count_down(belay_ctx *ctx, void *arg)
{
	atomic_fetch_sub((atomic_long *)arg, 1);
}

static void link_to_the_next(belay_ctx *ctx, void *arg)
{
	struct beside *beside = arg;

	if (pthread_equal(pthread_self(), beside->thread))
		atomic_fetch_add(&beside->links, 1);
	if (atomic_fetch_sub(&beside->left, 1) > 1 &&
	    !check(belay_go(bg(), link_to_the_next, beside) == 0))
		atomic_store(&beside->left, 0);
}

static void measure_beside(struct beside *beside)
{
	long last = 0;

	while (atomic_load(&beside->left) > 0) {
		long now;

		belay_yield();
		now = atomic_load(&beside->links);
		if (now - last > beside->most)
			beside->most = now - last;
		last = now;
	}
}

static void burst_then_stay_ready(belay_ctx *ctx, void *arg)
{
	struct beside *beside = arg;
	long burst = (long)scaled(STOLEN);

	beside->thread = pthread_self();
	atomic_store(&beside->left, burst);
	for (long i = 0; i < burst; i++)
		if (!check(belay_go(bg(), count_down, &beside->left) == 0))
			atomic_fetch_sub(&beside->left, 1);
	while (atomic_load(&beside->left) > 0)
		belay_yield();
	atomic_store(&beside->left, (long)scaled(MANY_LINKS));
	if (!check(belay_go(bg(), link_to_the_next, beside) == 0))
		atomic_store(&beside->left, 0);
	measure_beside(beside);
	atomic_store(&beside->over, true);
}

/* New tasks get as many turns at once as stand in line, and not as many as did before some were
 * stolen. Whether any are is the machine's affair. */
static void a_burst_that_was_stolen_leaves_no_turns_to_others(void **state)
{
	struct beside beside = {.most = 0};

	assert_int_equal(belay_go(bg(), burst_then_stay_ready, &beside), 0);
	assert_true(check_until(atomic_load(&beside.over)));
	assert_in_range(beside.most, 0, 100);
}

#define WITH_ONE_WORKER(fn) cmocka_unit_test_setup_teardown(fn, one_worker, clear_workers)

BELAY_TEST_MAIN(
	WITH_ONE_WORKER(a_burst_has_begun_before_a_crowd_has_gone_round),
	WITH_ONE_WORKER(a_burst_at_each_turn_of_a_crowd_does_not_pile_up),
	WITH_ONE_WORKER(
		new_tasks_that_compute_and_spawn_others_do_not_starve_one_that_is_ready),
	cmocka_unit_test(a_burst_that_was_stolen_leaves_no_turns_to_others))
