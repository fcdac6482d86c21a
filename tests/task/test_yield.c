/* SPDX-License-Identifier: MIT
 *
 * test_yield.c - yielding: lets every other task of the worker run, and is harmless on a thread.
 */
#include "check.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static belay_ctx *bg(void) { return belay_background(); }

/* Two on one worker that take turns: neither gets anywhere unless yielding lets the other run. */
struct turns {
	int turn;
	atomic_int over;
};

struct player {
	struct turns *turns;
	int number;
};

static void play(belay_ctx *ctx, void *arg)
{
	struct player *player = arg;

	for (int round = 0; round < 1000; round++) {
		while (player->turns->turn != player->number)
			belay_yield();
		player->turns->turn = !player->number;
	}
	atomic_fetch_add(&player->turns->over, 1);
}

static void tasks_of_one_worker_take_turns(void **state)
{
	struct turns turns = {0};
	struct player players[2] = {{&turns, 0}, {&turns, 1}};

	setenv("BELAY_WORKERS", "1", 1);
	assert_int_equal(belay_go(bg(), play, &players[0]), 0);
	assert_int_equal(belay_go(bg(), play, &players[1]), 0);
	assert_true(check_until(atomic_load(&turns.over) == 2));
}

struct starving {
	atomic_bool stop;
	atomic_long yields;
	atomic_int over;
};

static void yield_for_ever(belay_ctx *ctx, void *arg)
{
	struct starving *starving = arg;

	while (!atomic_load(&starving->stop)) {
		atomic_fetch_add(&starving->yields, 1);
		belay_yield();
	}
	atomic_fetch_add(&starving->over, 1);
}

static void stop_the_others(belay_ctx *ctx, void *arg)
{
	struct starving *starving = arg;

	check(belay_sleep(ctx, BELAY_MS(1)) == 0);
	atomic_store(&starving->stop, true);
	atomic_fetch_add(&starving->over, 1);
}

static void tasks_that_only_yield_do_not_starve_one_that_wakes(void **state)
{
	struct starving starving = {0};

	setenv("BELAY_WORKERS", "1", 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(belay_go(bg(), yield_for_ever, &starving), 0);
	assert_int_equal(belay_go(bg(), stop_the_others, &starving), 0);
	assert_true(check_until(atomic_load(&starving.over) == 4));
}

/* A byte that a task waits for, and the tasks that yield until it has come. */
struct waiting_for_byte {
	struct starving starving;
	int pipe[2];
};

static void read_then_stop_the_others(belay_ctx *ctx, void *arg)
{
	struct waiting_for_byte *waiting = arg;
	char byte;

	check(belay_read(ctx, waiting->pipe[0], &byte, 1) == 1);
	atomic_store(&waiting->starving.stop, true);
	atomic_fetch_add(&waiting->starving.over, 1);
}

static void yield_once(belay_ctx *ctx, void *arg)
{
	belay_yield();
}

static void tasks_that_only_yield_do_not_starve_one_that_waits_for_a_descriptor(void **state)
{
	struct waiting_for_byte waiting = {{0}};

	setenv("BELAY_WORKERS", "1", 1);
	assert_int_equal(pipe(waiting.pipe), 0);
	assert_int_equal(belay_go(bg(), read_then_stop_the_others, &waiting), 0);
	check_in_task(yield_once, NULL); /* on the one worker: the reader waits when this has run */
	for (int i = 0; i < 3; i++)
		assert_int_equal(belay_go(bg(), yield_for_ever, &waiting.starving), 0);
	assert_true(check_until(atomic_load(&waiting.starving.yields) > 1000));
	assert_int_equal(write(waiting.pipe[1], "x", 1), 1);
	assert_true(check_until(atomic_load(&waiting.starving.over) == 4));
	close(waiting.pipe[0]);
	close(waiting.pipe[1]);
}

static void yielding_alone_returns(void **state)
{
	belay_yield();
	belay_yield();
}

static void yield_alone(belay_ctx *ctx, void *arg)
{
	for (int i = 0; i < 1000; i++)
		belay_yield();
}

static void a_task_may_yield_where_nobody_else_is_ready(void **state)
{
	check_in_task(yield_alone, NULL);
}

static int clear_workers(void **state)
{
	unsetenv("BELAY_WORKERS");
	return 0;
}

BELAY_TEST_MAIN(
	cmocka_unit_test_teardown(tasks_of_one_worker_take_turns, clear_workers),
	cmocka_unit_test_teardown(tasks_that_only_yield_do_not_starve_one_that_wakes,
				  clear_workers),
	cmocka_unit_test_teardown(
		tasks_that_only_yield_do_not_starve_one_that_waits_for_a_descriptor, clear_workers),
	cmocka_unit_test(yielding_alone_returns),
	cmocka_unit_test(a_task_may_yield_where_nobody_else_is_ready))
