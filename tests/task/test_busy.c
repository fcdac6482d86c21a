/* SPDX-License-Identifier: MIT
 *
 * test_busy.c - what is kept while every worker runs code that never yields.
 */
#include "check.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WORKERS = 2 };

/* Tasks that spin until they are let go, one on each worker. */
struct busy {
	atomic_int spinning, over;
	atomic_bool let_go;
};

static void spin(belay_ctx *ctx, void *arg)
{
	struct busy *busy = arg;

	atomic_fetch_add(&busy->spinning, 1);
	while (!atomic_load(&busy->let_go))
		sched_yield();
	atomic_fetch_add(&busy->over, 1);
}

static void make_busy(struct busy *busy)
{
	setenv("BELAY_WORKERS", "2", 1);
	*busy = (struct busy){0};
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(belay_go(belay_background(), spin, busy), 0);
	assert_true(check_until(atomic_load(&busy->spinning) == WORKERS));
}

static int let_go(struct busy *busy)
{
	atomic_store(&busy->let_go, true);
	return check_until(atomic_load(&busy->over) == WORKERS);
}

/* semantics 1.25 */
static void a_deadline_is_kept_while_every_worker_is_busy(void **state)
{
	struct busy busy;
	belay_ctx *ctx;

	make_busy(&busy);
	ctx = belay_with_timeout(belay_background(), BELAY_MS(2));
	assert_int_equal(belay_wait(ctx), -ETIME);
	assert_int_equal(atomic_load(&busy.over), 0);
	assert_true(let_go(&busy));
	belay_end(ctx);
}

/* Spins on its own context: only the clock can stop it. */
struct until_done {
	belay_ctx *ctx;
	atomic_int over;
};

static void spin_until_done(belay_ctx *ctx, void *arg)
{
	struct until_done *task = arg;

	while (belay_err(ctx) == 0)
		;
	check(belay_err(ctx) == -ETIME);
	atomic_fetch_add(&task->over, 1);
}

/* semantics 1.25 */
static void a_busy_task_sees_its_own_deadline_pass(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_MS(5));
	struct until_done task = {.ctx = ctx};

	setenv("BELAY_WORKERS", "2", 1);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(belay_go(ctx, spin_until_done, &task), 0);
	assert_true(check_until(atomic_load(&task.over) == WORKERS));
	belay_end(ctx);
}


struct noted {
	struct belay_hook hook;
	atomic_bool ran;
};

static void note_run(struct belay_hook *hook)
{
	atomic_store(&((struct noted *)hook)->ran, true);
}

/* semantics 1.25 */
static void hooks_run_at_the_deadline_while_every_worker_is_busy(void **state)
{
	struct busy busy;
	struct noted noted = {0};
	belay_ctx *ctx;

	make_busy(&busy);
	ctx = belay_with_timeout(belay_background(), BELAY_MS(2));
	belay_hook_add(ctx, &noted.hook, note_run);
	assert_true(check_until(atomic_load(&noted.ran)));
	assert_false(belay_hook_remove(&noted.hook));
	assert_true(let_go(&busy));
	belay_end(ctx);
}

static void threads_use_channels_while_every_worker_is_busy(void **state)
{
	struct busy busy;
	belay_chan *ch = check_made(belay_chan_new(sizeof(int), 1));
	int got = 0;

	make_busy(&busy);
	assert_int_equal(belay_send(belay_background(), ch, &(int){5}), 0);
	assert_int_equal(belay_recv(belay_background(), ch, &got), 0);
	assert_int_equal(got, 5);
	assert_int_equal(belay_select(belay_background(), BELAY_RECV(ch, &got),
				      BELAY_TIMEOUT(BELAY_MS(1))), 1);
	assert_int_equal(belay_sleep(belay_background(), BELAY_MS(1)), 0);
	assert_true(let_go(&busy));
	belay_chan_unref(ch);
}

enum { SPAWNED = 100 };

/* Holds one worker; what it has spawned can only run on the other one. */
struct hog {
	atomic_int ran;
	atomic_bool let_go, over;
};

static void count_run(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add(&((struct hog *)arg)->ran, 1);
}

static void spawn_and_hold(belay_ctx *ctx, void *arg)
{
	struct hog *hog = arg;

	for (int i = 0; i < SPAWNED; i++)
		check(belay_go(ctx, count_run, hog) == 0);
	while (!atomic_load(&hog->let_go))
		sched_yield();
	atomic_store(&hog->over, true);
}

static void new_tasks_go_elsewhere_while_one_worker_is_held(void **state)
{
	struct hog hog = {0};

	setenv("BELAY_WORKERS", "2", 1);
	assert_int_equal(belay_go(belay_background(), spawn_and_hold, &hog), 0);
	assert_true(check_until(atomic_load(&hog.ran) == SPAWNED));
	for (int i = 0; i < SPAWNED; i++)
		assert_int_equal(belay_go(belay_background(), count_run, &hog), 0);
	assert_true(check_until(atomic_load(&hog.ran) == 2 * SPAWNED));
	assert_false(atomic_load(&hog.over));
	atomic_store(&hog.let_go, true);
	assert_true(check_until(atomic_load(&hog.over)));
}

static int clear_workers(void **state)
{
	unsetenv("BELAY_WORKERS");
	return 0;
}

BELAY_TEST_MAIN(
	cmocka_unit_test_teardown(a_deadline_is_kept_while_every_worker_is_busy, clear_workers),
	cmocka_unit_test_teardown(a_busy_task_sees_its_own_deadline_pass, clear_workers),
	cmocka_unit_test_teardown(hooks_run_at_the_deadline_while_every_worker_is_busy,
				  clear_workers),
	cmocka_unit_test_teardown(threads_use_channels_while_every_worker_is_busy, clear_workers),
	cmocka_unit_test_teardown(new_tasks_go_elsewhere_while_one_worker_is_held, clear_workers))
