/* SPDX-License-Identifier: MIT
 *
 * test_blocking.c - belay_blocking(): code that blocks its thread, and nobody else's.
 */
#include "check.h"

#include "scale.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static belay_ctx *bg(void) { return belay_background(); }

static void note_thread(void *arg)
{
	*(pthread_t *)arg = pthread_self();
}

static void from_a_plain_thread_it_runs_right_here(void **state)
{
	unsigned before = check_threads();
	pthread_t where = 0;

	assert_int_equal(belay_blocking(bg(), note_thread, &where), 0);
	assert_true(pthread_equal(where, pthread_self()));
	assert_int_equal(check_threads(), before);
}

static void see_another_thread(belay_ctx *ctx, void *arg)
{
	pthread_t where = 0;

	check(belay_blocking(ctx, note_thread, &where) == 0);
	check(where != 0 && !pthread_equal(where, pthread_self()));
}

static void from_a_task_it_runs_on_another_thread(void **state)
{
	check_in_task(see_another_thread, NULL);
}

static void count(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void block_when_done(belay_ctx *ctx, void *arg)
{
	belay_ctx *done = belay_with_timeout(ctx, 0);

	check(belay_blocking(done, count, arg) == -ETIME);
	belay_end(done);
}

static void with_a_done_context_it_does_not_run(void **state)
{
	belay_ctx *done = belay_with_cancel(bg());
	atomic_int ran = 0;

	belay_cancel(done);
	assert_int_equal(belay_blocking(done, count, &ran), -ECANCELED);
	check_in_task(block_when_done, &ran);
	assert_int_equal(ran, 0);
	assert_int_equal(belay_blocking(NULL, count, &ran), -EINVAL);
	assert_int_equal(belay_blocking(bg(), NULL, &ran), -EINVAL);
	assert_int_equal(ran, 0);
	belay_end(done);
}

/* A pipe that is read by code that blocks. */
struct reader {
	int fd[2];
	char got;
	int result;
	atomic_bool reading, over;
	belay_ctx *ctx;
};

static void read_pipe(void *arg)
{
	struct reader *reader = arg;

	atomic_store(&reader->reading, true);
	check(read(reader->fd[0], &reader->got, 1) == 1);
}

static void read_in_a_task(belay_ctx *ctx, void *arg)
{
	struct reader *reader = arg;

	reader->result = belay_blocking(reader->ctx, read_pipe, reader);
	check(reader->result == 0 || reader->result == -ECANCELED);
	atomic_store(&reader->over, true);
}

static void run_others(belay_ctx *ctx, void *arg)
{
	belay_yield();
}

static void the_worker_runs_others_meanwhile(void **state)
{
	struct reader reader = {.ctx = bg()};

	setenv("BELAY_WORKERS", "1", 1);
	assert_int_equal(pipe(reader.fd), 0);
	assert_int_equal(belay_go(bg(), read_in_a_task, &reader), 0);
	assert_true(check_until(atomic_load(&reader.reading)));
	check_in_task(run_others, NULL);
	assert_false(atomic_load(&reader.over));
	assert_int_equal(write(reader.fd[1], "x", 1), 1);
	assert_true(check_until(atomic_load(&reader.over)));
	assert_int_equal(reader.result, 0);
	assert_int_equal(reader.got, 'x');
	close(reader.fd[0]);
	close(reader.fd[1]);
}

static void once_it_runs_the_contexts_end_does_not_cut_it_short(void **state)
{
	struct reader reader = {.ctx = check_live(belay_with_cancel(bg()))};

	assert_int_equal(pipe(reader.fd), 0);
	assert_int_equal(belay_go(bg(), read_in_a_task, &reader), 0);
	assert_true(check_until(atomic_load(&reader.reading)));
	belay_cancel(reader.ctx);
	for (int i = 0; i < 200; i++)
		belay_yield();
	assert_false(atomic_load(&reader.over));
	assert_int_equal(write(reader.fd[1], "y", 1), 1);
	assert_true(check_until(atomic_load(&reader.over)));
	assert_int_equal(reader.result, 0);
	assert_int_equal(reader.got, 'y');
	close(reader.fd[0]);
	close(reader.fd[1]);
	belay_end(reader.ctx);
}

/* Many that block at once: the pool grows, so that each can wait for the last. */
struct crowd {
	atomic_int inside, over;
	int n;
};

static void wait_for_all(void *arg)
{
	struct crowd *crowd = arg;

	atomic_fetch_add(&crowd->inside, 1);
	check(check_until(atomic_load(&crowd->inside) >= crowd->n));
}

static void join_crowd(belay_ctx *ctx, void *arg)
{
	struct crowd *crowd = arg;

	check(belay_blocking(ctx, wait_for_all, crowd) == 0);
	atomic_fetch_add(&crowd->over, 1);
}

static void the_pool_grows_as_needed(void **state)
{
	struct crowd crowd = {.n = (int)(scale() == 1 ? 300 : 60)};

	check_needs_memory();
	for (int i = 0; i < crowd.n; i++)
		assert_int_equal(belay_go(bg(), join_crowd, &crowd), 0);
	assert_true(check_until(atomic_load(&crowd.over) == crowd.n));
}

struct many {
	atomic_int ran, over;
};

static void block_often(belay_ctx *ctx, void *arg)
{
	struct many *many = arg;

	for (int i = 0; i < 50; i++)
		check(belay_blocking(ctx, count, &many->ran) == 0);
	atomic_fetch_add(&many->over, 1);
}

static void every_job_runs_once(void **state)
{
	enum { N = 40 };
	struct many many = {0};

	for (int i = 0; i < N; i++)
		assert_int_equal(belay_go(bg(), block_often, &many), 0);
	assert_true(check_until(atomic_load(&many.over) == N));
	assert_int_equal(many.ran, N * 50);
}

/* More than the pool's 512: the rest waits, and leaves the queue when its context ends. */
struct full {
	atomic_int inside, over, ran, cancelled;
	atomic_bool let_go;
};

static void hold_thread(void *arg)
{
	struct full *full = arg;

	atomic_fetch_add(&full->inside, 1);
	check(check_until(atomic_load(&full->let_go)));
}

static void take_thread(belay_ctx *ctx, void *arg)
{
	struct full *full = arg;
	int r = belay_blocking(ctx, hold_thread, full);

	check(r == 0 || r == -ECANCELED);
	atomic_fetch_add(r == 0 ? &full->ran : &full->cancelled, 1);
	atomic_fetch_add(&full->over, 1);
}

static void who_waits_for_a_thread_leaves_when_its_context_ends(void **state)
{
	enum { POOL = 512, MORE = 20 };
	belay_ctx *ctx = check_live(belay_with_cancel(bg()));
	struct full full = {0};

	check_needs_memory();
	if (scale() != 1)
		skip(); /* 512 threads that all nap are too much for a slowed-down program */
	for (int i = 0; i < POOL + MORE; i++)
		assert_int_equal(belay_go(ctx, take_thread, &full), 0);
	assert_true(check_until(atomic_load(&full.inside) == POOL));
	belay_cancel(ctx);
	assert_true(check_until(atomic_load(&full.cancelled) == MORE));
	assert_int_equal(full.ran, 0);
	atomic_store(&full.let_go, true);
	assert_true(check_until(atomic_load(&full.over) == POOL + MORE));
	assert_int_equal(full.ran, POOL);
	belay_end(ctx);
}

struct nested {
	belay_chan *ch;
};

static void talk_to_tasks(void *arg)
{
	struct nested *nested = arg;
	atomic_int ran = 0;
	int got = 0;

	check(belay_send(belay_background(), nested->ch, &(int){1}) == 0);
	check(belay_recv(belay_background(), nested->ch, &got) == 0);
	check(got == 2);
	check(belay_sleep(belay_background(), BELAY_US(10)) == 0);
	check(belay_blocking(belay_background(), count, &ran) == 0);
}

static void block_and_talk(belay_ctx *ctx, void *arg)
{
	check(belay_blocking(ctx, talk_to_tasks, arg) == 0);
}

static void answer(belay_ctx *ctx, void *arg)
{
	struct nested *nested = arg;
	int got = 0;

	check(belay_recv(ctx, nested->ch, &got) == 0 && got == 1);
	check(belay_send(ctx, nested->ch, &(int){2}) == 0);
}

static void the_function_may_use_every_call_itself(void **state)
{
	struct nested nested = {.ch = check_made(belay_chan_new(sizeof(int), 0))};

	assert_int_equal(belay_go(bg(), answer, &nested), 0);
	check_in_task(block_and_talk, &nested);
	belay_shutdown();
	belay_chan_unref(nested.ch);
}

static void set_errno(void *arg)
{
	errno = 99;
}

static void keep_errno(belay_ctx *ctx, void *arg)
{
	errno = 55;
	check(belay_blocking(ctx, set_errno, NULL) == 0);
	check(errno == 55);
}

static void the_callers_errno_is_its_own(void **state)
{
	check_in_task(keep_errno, NULL);
}

static int clear_workers(void **state)
{
	unsetenv("BELAY_WORKERS");
	return 0;
}

BELAY_TEST_MAIN(
	cmocka_unit_test(from_a_plain_thread_it_runs_right_here),
	cmocka_unit_test(from_a_task_it_runs_on_another_thread),
	cmocka_unit_test(with_a_done_context_it_does_not_run),
	cmocka_unit_test_teardown(the_worker_runs_others_meanwhile, clear_workers),
	cmocka_unit_test(once_it_runs_the_contexts_end_does_not_cut_it_short),
	cmocka_unit_test(the_pool_grows_as_needed),
	cmocka_unit_test(every_job_runs_once),
	cmocka_unit_test(who_waits_for_a_thread_leaves_when_its_context_ends),
	cmocka_unit_test(the_function_may_use_every_call_itself),
	cmocka_unit_test(the_callers_errno_is_its_own))
