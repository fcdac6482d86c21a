/* SPDX-License-Identifier: MIT
 *
 * test_stopping.c - what a task does that still runs when belay_shutdown() stops all threads.
 *
 * Such a task has to be woken after the shutdown has found everything quiet, and before it stops
 * the workers. In between it joins the threads of the blocking pool, and one that exits runs the
 * destructor of what the program keeps by thread: that wakes the task, and sees it run.
 */
#include "check.h"

#include "task/worker.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static belay_ctx *bg(void) { return belay_background(); }

static int one_worker(void **state)
{
	return setenv("BELAY_WORKERS", "1", 1);
}

static int clear_workers(void **state)
{
	return unsetenv("BELAY_WORKERS");
}

/* ---- A task that runs while the workers are stopped ------------------------------------------ */

struct late {
	void (*act)(struct late *late);
	bool (*is_enough)(struct late *late); /* for the shutdown to go on */
	pthread_key_t key;
	belay_chan *gate; /* closed by the destructor */
	atomic_bool runs, acted;
};

static void set_key(void *arg)
{
	struct late *late = arg;

	check(pthread_setspecific(late->key, late) == 0);
}

static void wake_late(void *arg)
{
	struct late *late = arg;

	belay_chan_close(late->gate);
	check(check_until(late->is_enough(late)));
}

static void be_late(belay_ctx *ctx, void *arg)
{
	struct late *late = arg;

	if (!check(belay_blocking(ctx, set_key, late) == 0))
		return;
	check(belay_recv(ctx, late->gate, NULL) == -EPIPE);
	atomic_store(&late->runs, true);
	late->act(late);
	atomic_store(&late->acted, true);
}

static void shut_down_with(struct late *late)
{
	late->gate = check_made(belay_chan_new(0, 0));
	assert_int_equal(pthread_key_create(&late->key, wake_late), 0);
	assert_int_equal(belay_go(bg(), be_late, late), 0);
	belay_shutdown();
	assert_true(atomic_load(&late->acted));
	pthread_key_delete(late->key);
	belay_chan_unref(late->gate);
}

/* ---- What it starts -------------------------------------------------------------------------- */

static bool runs(struct late *late)
{
	return atomic_load(&late->runs);
}

static void count(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static atomic_int ran;

/* It keeps its worker, so that the stop, which joins that, waits for it. */
static void spawn(struct late *late)
{
	if (!check(check_until(!belay__workers_run())))
		return;
	check(belay_go(bg(), count, &ran) == -EAGAIN);
	check(belay_go_with(bg(), count, &ran, &(struct belay_task_options){1 << 20}) == -EAGAIN);
	check(!belay__workers_run());
}

static void a_task_that_runs_while_the_workers_are_stopped_starts_no_other(void **state)
{
	struct late late = {.act = spawn, .is_enough = runs};

	atomic_store(&ran, 0);
	shut_down_with(&late);
	assert_int_equal(ran, 0);
}

static void the_workers_start_anew_once_they_have_been_stopped(void **state)
{
	struct late late = {.act = spawn, .is_enough = runs};

	atomic_store(&ran, 0);
	shut_down_with(&late);
	assert_int_equal(belay_go(bg(), count, &ran), 0);
	belay_shutdown();
	assert_int_equal(ran, 1);
}

/* ---- Threads of the pool --------------------------------------------------------------------- */

static atomic_int joins, failures;

__attribute__((visibility("default"))) int pthread_join(pthread_t thread, void **ret)
{
	int (*real)(pthread_t, void **) = (int (*)(pthread_t, void **))dlsym(RTLD_NEXT,
									      "pthread_join");
	int err = real(thread, ret);

	atomic_fetch_add(&joins, 1);
	atomic_fetch_add(&failures, err != 0);
	return err;
}

static void nothing(void *arg)
{
}

static void block(struct late *late)
{
	check(belay_blocking(bg(), nothing, NULL) == 0);
}

static bool has_blocked(struct late *late)
{
	return atomic_load(&late->acted) && belay__pool_quiet();
}

/* Three: the worker's, the one that the shutdown waits for, and the one that was started then. */
static void each_thread_is_joined_once_where_one_is_started_while_they_are_stopped(void **state)
{
	struct late late = {.act = block, .is_enough = has_blocked};

	atomic_store(&joins, 0);
	atomic_store(&failures, 0);
	shut_down_with(&late);
	assert_int_equal(failures, 0);
	assert_int_equal(joins, 3);
}

/* ---- The clock ------------------------------------------------------------------------------- */

enum { A_WHILE = 1000 };

/* While a shutdown closes descriptors: its thread, else 0. */
static _Thread_local bool shuts_down;
static atomic_bool closes, derives, has_derived;

/* The first of the shutdown's gives the task a while, which is all that can be done for it: where
 * it has to wait for the shutdown, it must not be waited for. */
__attribute__((visibility("default"))) int close(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");

	if (shuts_down && !atomic_exchange(&closes, true)) {
		check(check_until(atomic_load(&derives)));
		for (int i = 0; i < A_WHILE && !atomic_load(&has_derived); i++)
			sched_yield();
	}
	return real(fd);
}

static void derive(struct late *late)
{
	belay_ctx *ctx;

	if (!check(check_until(atomic_load(&closes))))
		return;
	atomic_store(&derives, true);
	ctx = belay_with_timeout(bg(), BELAY_S(3600));
	atomic_store(&has_derived, true);
	belay_end(ctx);
}

static void a_clock_that_is_started_while_it_is_stopped_is_stopped_too(void **state)
{
	struct late late = {.act = derive, .is_enough = runs};

	atomic_store(&closes, false);
	atomic_store(&derives, false);
	atomic_store(&has_derived, false);
	belay_end(belay_with_timeout(bg(), BELAY_S(3600))); /* starts the clock */
	shuts_down = true;
	shut_down_with(&late);
	shuts_down = false;
}

#define WITH_ONE_WORKER(fn) cmocka_unit_test_setup_teardown(fn, one_worker, clear_workers)

BELAY_TEST_MAIN(
	WITH_ONE_WORKER(a_task_that_runs_while_the_workers_are_stopped_starts_no_other),
	WITH_ONE_WORKER(the_workers_start_anew_once_they_have_been_stopped),
	WITH_ONE_WORKER(
		each_thread_is_joined_once_where_one_is_started_while_they_are_stopped),
	WITH_ONE_WORKER(a_clock_that_is_started_while_it_is_stopped_is_stopped_too))
