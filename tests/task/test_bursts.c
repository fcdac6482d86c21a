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

#define WITH_ONE_WORKER(fn) cmocka_unit_test_setup_teardown(fn, one_worker, clear_workers)

BELAY_TEST_MAIN(
	WITH_ONE_WORKER(a_burst_has_begun_before_a_crowd_has_gone_round),
	WITH_ONE_WORKER(a_burst_at_each_turn_of_a_crowd_does_not_pile_up),
	WITH_ONE_WORKER(
		new_tasks_that_compute_and_spawn_others_do_not_starve_one_that_is_ready))
