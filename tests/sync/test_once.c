/* SPDX-License-Identifier: MIT
 *
 * test_once.c - it runs until it has succeeded, one at a time, and never again.
 */
#include "crew.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct shared {
	belay_once once;
	belay_ctx *ctx[CREW_MOST];
	atomic_int result[CREW_MOST];
	unsigned runs; /* with value: plain, guarded by the once alone */
	int value;
	int failures;  /* so many runs fail */
	atomic_bool started, go;
};

static int count(belay_ctx *ctx, void *arg)
{
	struct shared *shared = arg;

	shared->runs++;
	if (shared->failures > 0) {
		shared->failures--;
		return -EIO;
	}
	shared->value = 42;
	return 0;
}

static int count_when_told(belay_ctx *ctx, void *arg)
{
	struct shared *shared = arg;

	atomic_store(&shared->started, true);
	check(check_until(atomic_load(&shared->go)));
	return count(ctx, arg);
}

static void it_runs_once(void **state)
{
	struct shared shared = {.once = BELAY_ONCE_INIT};

	for (int i = 0; i < 3; i++)
		assert_int_equal(belay_once_do(belay_background(), &shared.once, count, &shared),
				 0);
	assert_int_equal(shared.runs, 1);
}

static void one_that_failed_is_tried_again(void **state)
{
	struct shared shared = {.once = BELAY_ONCE_INIT, .failures = 2};

	assert_int_equal(belay_once_do(belay_background(), &shared.once, count, &shared), -EIO);
	assert_int_equal(belay_once_do(belay_background(), &shared.once, count, &shared), -EIO);
	assert_int_equal(belay_once_do(belay_background(), &shared.once, count, &shared), 0);
	assert_int_equal(belay_once_do(belay_background(), &shared.once, count, &shared), 0);
	assert_int_equal(shared.runs, 3);
}

static void a_done_context_runs_nothing(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), 0));
	struct shared shared = {.once = BELAY_ONCE_INIT};

	assert_int_equal(belay_once_do(ctx, &shared.once, count, &shared), -ETIME);
	assert_int_equal(shared.runs, 0);
	assert_int_equal(belay_once_do(belay_background(), &shared.once, count, &shared), 0);
}

static int ask_again(belay_ctx *ctx, void *arg)
{
	struct shared *shared = arg;

	return belay_once_do(ctx, &shared->once, count, shared);
}

static void asking_from_inside_is_a_deadlock_and_told_so(void **state)
{
	struct shared shared = {.once = BELAY_ONCE_INIT};

	assert_int_equal(belay_once_do(belay_background(), &shared.once, ask_again, &shared),
			 -EDEADLK);
	assert_int_equal(shared.runs, 0);
	assert_int_equal(belay_once_do(belay_background(), &shared.once, count, &shared), 0);
}

/* ---- Several at once ------------------------------------------------------------------------- */

static void do_it(struct hand *hand)
{
	struct shared *shared = hand->crew->arg;
	belay_ctx *ctx = shared->ctx[hand->number];
	int err = belay_once_do(ctx, &shared->once, count_when_told, shared);

	atomic_store(&shared->result[hand->number], err);
	check(err != 0 || shared->value == 42);
}

static void all_ask(struct shared *shared, struct crew *crew, unsigned n, int failures)
{
	*shared = (struct shared){.once = BELAY_ONCE_INIT, .failures = failures};
	*crew = (struct crew){.fn = do_it, .arg = shared};
	for (unsigned i = 0; i < n; i++) {
		shared->ctx[i] = check_live(belay_with_cancel(belay_background()));
		crew_add(crew);
		assert_true(check_until(atomic_load(&shared->started)));
		assert_true(check_until(queued(&shared->once.waiters) == i));
	}
}

static void all_end(struct shared *shared, struct crew *crew)
{
	atomic_store(&shared->go, true);
	crew_join(crew);
	for (unsigned i = 0; i < crew->size; i++)
		belay_end(shared->ctx[i]);
	assert_int_equal(queued(&shared->once.waiters), 0);
}

static void all_who_ask_meanwhile_wait_for_it(void **state)
{
	struct shared shared;
	struct crew crew;

	all_ask(&shared, &crew, 6, 0);
	all_end(&shared, &crew);
	assert_int_equal(shared.runs, 1);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(atomic_load(&shared.result[i]), 0);
}

static void the_next_who_waits_tries_after_a_failure(void **state)
{
	struct shared shared;
	struct crew crew;

	all_ask(&shared, &crew, 6, 2);
	all_end(&shared, &crew);
	assert_int_equal(shared.runs, 3);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(atomic_load(&shared.result[i]), i < 2 ? -EIO : 0);
}

static void who_waits_leaves_when_its_context_ends(void **state)
{
	struct shared shared;
	struct crew crew;

	all_ask(&shared, &crew, 3, 0);
	belay_cancel(shared.ctx[1]);
	assert_true(check_until(queued(&shared.once.waiters) == 1));
	all_end(&shared, &crew);
	assert_int_equal(shared.runs, 1);
	assert_int_equal(atomic_load(&shared.result[0]), 0);
	assert_int_equal(atomic_load(&shared.result[1]), -ECANCELED);
	assert_int_equal(atomic_load(&shared.result[2]), 0);
}

/* The first to run waits for its end; the others count. */
static int wait_or_count(belay_ctx *ctx, void *arg)
{
	struct shared *shared = arg;

	if (atomic_exchange(&shared->started, true))
		return count(ctx, arg);
	return belay_wait(ctx);
}

static void wait_or_count_once(struct hand *hand)
{
	struct shared *shared = hand->crew->arg;
	belay_ctx *ctx = shared->ctx[hand->number];

	atomic_store(&shared->result[hand->number],
		     belay_once_do(ctx, &shared->once, wait_or_count, shared));
}

static void a_runner_whose_context_ends_leaves_it_to_the_next(void **state)
{
	struct shared shared = {.once = BELAY_ONCE_INIT, .ctx = {NULL, belay_background()}};
	struct crew crew = {.fn = wait_or_count_once, .arg = &shared};

	shared.ctx[0] = check_live(belay_with_cancel(belay_background()));
	crew_add(&crew);
	assert_true(check_until(atomic_load(&shared.started)));
	crew_add(&crew);
	assert_true(check_until(queued(&shared.once.waiters) == 1));
	belay_cancel(shared.ctx[0]);
	crew_join(&crew);
	assert_int_equal(atomic_load(&shared.result[0]), -ECANCELED);
	assert_int_equal(atomic_load(&shared.result[1]), 0);
	assert_int_equal(shared.runs, 1);
	belay_end(shared.ctx[0]);
}

/* One worker, kept busy by a task that does not yield, so that the one whose turn it is can't take
 * it before its context has ended. */
struct late {
	belay_once once;
	belay_ctx *ctx;
	atomic_int result; /* 1: not back yet */
	atomic_bool ran, busy, go;
};

static int note_that_it_ran(belay_ctx *ctx, void *arg)
{
	atomic_store(&((struct late *)arg)->ran, true);
	return 0;
}

static void ask_late(belay_ctx *ctx, void *arg)
{
	struct late *late = arg;

	atomic_store(&late->result,
		     belay_once_do(late->ctx, &late->once, note_that_it_ran, late));
}

static void keep_busy(belay_ctx *ctx, void *arg)
{
	struct late *late = arg;

	atomic_store(&late->busy, true);
	while (!atomic_load(&late->go))
		;
}

static int fail_with_one_waiting(belay_ctx *ctx, void *arg)
{
	struct late *late = arg;

	check(belay_go(ctx, ask_late, late) == 0);
	check(check_until(queued(&late->once.waiters) == 1));
	check(belay_go(ctx, keep_busy, late) == 0);
	check(check_until(atomic_load(&late->busy)));
	return -EIO;
}

static void a_turn_that_comes_with_the_contexts_end_runs_nothing(void **state)
{
	struct late late = {.once = BELAY_ONCE_INIT, .result = 1};

	setenv("BELAY_WORKERS", "1", 1);
	late.ctx = check_live(belay_with_cancel(belay_background()));
	assert_int_equal(belay_once_do(belay_background(), &late.once, fail_with_one_waiting,
				       &late), -EIO);
	belay_cancel(late.ctx);
	atomic_store(&late.go, true);
	assert_true(check_until(atomic_load(&late.result) != 1));
	unsetenv("BELAY_WORKERS");
	assert_int_equal(atomic_load(&late.result), -ECANCELED);
	assert_false(atomic_load(&late.ran));
	assert_int_equal(belay_once_do(belay_background(), &late.once, note_that_it_ran, &late), 0);
	assert_true(atomic_load(&late.ran));
	belay_end(late.ctx);
}

/* ---- Storm ----------------------------------------------------------------------------------- */

enum { ROUNDS = 400 };

struct storm {
	struct shared rounds[ROUNDS];
	atomic_int succeeded[ROUNDS];
};

static int count_and_fail_at_times(belay_ctx *ctx, void *arg)
{
	struct shared *shared = arg;
	int err = belay_err(ctx);

	belay_yield();
	return err ? err : count(ctx, shared);
}

static void do_each(struct hand *hand)
{
	struct storm *storm = hand->crew->arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct shared *shared = &storm->rounds[i];
		BELAY_SCOPED belay_ctx *ctx = hand_ctx(hand);
		int err = belay_once_do(ctx, &shared->once, count_and_fail_at_times, shared);

		check(err == 0 || err == -EIO || err == belay_err(ctx));
		if (err == 0)
			check(shared->value == 42);
		if (err == 0)
			atomic_fetch_add(&storm->succeeded[i], 1);
	}
}

static void it_succeeds_at_most_once_while_contexts_end_at_random(void **state)
{
	static struct storm storm;

	memset(&storm, 0, sizeof storm);
	for (int i = 0; i < ROUNDS; i++)
		storm.rounds[i].failures = i % 3;
	crew_all(8, do_each, &storm);
	for (int i = 0; i < ROUNDS; i++) {
		struct shared *shared = &storm.rounds[i];
		unsigned failed = (unsigned)(i % 3 - shared->failures);

		assert_int_equal(queued(&shared->once.waiters), 0);
		assert_int_equal(shared->runs, failed + (shared->value == 42));
		if (atomic_load(&storm.succeeded[i]) > 0)
			assert_int_equal(shared->value, 42);
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(it_runs_once), cmocka_unit_test(one_that_failed_is_tried_again),
		cmocka_unit_test(a_done_context_runs_nothing),
		cmocka_unit_test(asking_from_inside_is_a_deadlock_and_told_so),
		cmocka_unit_test(all_who_ask_meanwhile_wait_for_it),
		cmocka_unit_test(the_next_who_waits_tries_after_a_failure),
		cmocka_unit_test(who_waits_leaves_when_its_context_ends),
		cmocka_unit_test(a_runner_whose_context_ends_leaves_it_to_the_next),
		cmocka_unit_test(a_turn_that_comes_with_the_contexts_end_runs_nothing),
		cmocka_unit_test(it_succeeds_at_most_once_while_contexts_end_at_random))
