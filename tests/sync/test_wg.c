/* SPDX-License-Identifier: MIT
 *
 * test_wg.c - who waits goes on when the last one is done, and not before.
 */
#include "crew.h"

#include <errno.h>
#include <stdlib.h>

static void an_empty_one_is_not_waited_for(void **state)
{
	belay_wg wg = BELAY_WG_INIT;

	assert_int_equal(belay_wg_wait(belay_background(), &wg), 0);
	assert_int_equal(belay_wg_add(&wg, 2), 0);
	assert_int_equal(belay_wg_done(&wg), 0);
	assert_int_equal(belay_wg_done(&wg), 0);
	assert_int_equal(belay_wg_wait(belay_background(), &wg), 0);
}

static void done_once_too_often_is_an_error_without_effect(void **state)
{
	belay_wg wg = BELAY_WG_INIT;

	assert_int_equal(belay_wg_done(&wg), -EPERM);
	assert_int_equal(belay_wg_add(&wg, 1), 0);
	assert_int_equal(belay_wg_done(&wg), 0);
	assert_int_equal(belay_wg_done(&wg), -EPERM);
}

static void too_many_are_an_error_without_effect(void **state)
{
	BELAY_SCOPED belay_ctx *ctx =
		check_live(belay_with_timeout(belay_background(), BELAY_MS(1)));
	belay_wg wg = BELAY_WG_INIT;

	assert_int_equal(belay_wg_add(&wg, 1), 0);
	assert_int_equal(belay_wg_add(&wg, SIZE_MAX), -EOVERFLOW);
	assert_int_equal(belay_wg_wait(ctx, &wg), -ETIME);
	assert_int_equal(belay_wg_done(&wg), 0);
	assert_int_equal(belay_wg_wait(belay_background(), &wg), 0);
}

static void a_done_context_wins_over_an_empty_one(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), 0));
	belay_wg wg = BELAY_WG_INIT;

	assert_int_equal(belay_wg_wait(ctx, &wg), -ETIME);
}

struct shared {
	belay_wg wg;
	belay_ctx *ctx;
	atomic_uint waited;
	atomic_bool last;
	atomic_int result;
};

static void wait_once(struct hand *hand)
{
	struct shared *shared = hand->crew->arg;

	atomic_store(&shared->result, belay_wg_wait(shared->ctx, &shared->wg));
	check(atomic_load(&shared->last));
	atomic_fetch_add(&shared->waited, 1);
}

static void the_last_one_wakes_all_that_wait(void **state)
{
	struct shared shared = {.wg = BELAY_WG_INIT, .ctx = belay_background()};
	struct crew crew = {.fn = wait_once, .arg = &shared};

	assert_int_equal(belay_wg_add(&shared.wg, 3), 0);
	for (unsigned i = 0; i < 6; i++)
		crew_add(&crew);
	assert_true(check_until(queued(&shared.wg.waiters) == 6));
	assert_int_equal(belay_wg_done(&shared.wg), 0);
	assert_int_equal(belay_wg_done(&shared.wg), 0);
	assert_int_equal(queued(&shared.wg.waiters), 6);
	atomic_store(&shared.last, true);
	assert_int_equal(belay_wg_done(&shared.wg), 0);
	crew_join(&crew);
	assert_int_equal(atomic_load(&shared.waited), 6);
}

static void who_waits_leaves_when_its_context_ends(void **state)
{
	struct shared shared = {.wg = BELAY_WG_INIT,
				.ctx = check_live(belay_with_cancel(belay_background())),
				.last = true};
	struct crew crew = {.fn = wait_once, .arg = &shared};

	assert_int_equal(belay_wg_add(&shared.wg, 1), 0);
	crew_add(&crew);
	crew_add(&crew);
	assert_true(check_until(queued(&shared.wg.waiters) == 2));
	belay_cancel(shared.ctx);
	crew_join(&crew);
	assert_int_equal(atomic_load(&shared.result), -ECANCELED);
	assert_int_equal(queued(&shared.wg.waiters), 0);
	assert_int_equal(belay_wg_done(&shared.wg), 0);
	belay_end(shared.ctx);
}

/* ---- The last one to be done must not touch it any more -------------------------------------- */

struct job {
	belay_wg wg;
	struct part {
		struct job *job;
		bool done;
	} parts[4];
};

static void do_part(belay_ctx *ctx, void *arg)
{
	struct part *part = arg;

	part->done = true;
	check(belay_wg_done(&part->job->wg) == 0);
}

static void it_may_be_freed_once_the_wait_has_returned(void **state)
{
	for (int i = 0; i < 500; i++) {
		struct job *job = calloc(1, sizeof *job);

		assert_non_null(job);
		assert_int_equal(belay_wg_add(&job->wg, 4), 0);
		for (unsigned part = 0; part < 4; part++) {
			job->parts[part].job = job;
			assert_int_equal(belay_go(belay_background(), do_part, &job->parts[part]),
					 0);
		}
		assert_int_equal(belay_wg_wait(belay_background(), &job->wg), 0);
		for (unsigned part = 0; part < 4; part++)
			assert_true(job->parts[part].done);
		free(job);
	}
}

/* ---- Storm ----------------------------------------------------------------------------------- */

struct storm {
	belay_wg wg;
	atomic_int left;
};

static void add_and_be_done(struct storm *storm, struct hand *hand)
{
	for (int i = 0; i < 1500; i++) {
		atomic_fetch_add(&storm->left, 1);
		check(belay_wg_add(&storm->wg, 1) == 0);
		if (hand_random(hand, 4) == 0)
			belay_yield();
		check(belay_wg_done(&storm->wg) == 0);
		atomic_fetch_sub(&storm->left, 1);
	}
}

static void wait_often(struct hand *hand)
{
	for (int i = 0; i < 1000; i++) {
		struct storm *storm = hand->crew->arg;
		BELAY_SCOPED belay_ctx *ctx = hand_ctx(hand);
		BELAY_SCOPED belay_ctx *bounded = check_live(belay_with_timeout(ctx, BELAY_MS(1)));
		int err = belay_wg_wait(bounded, &storm->wg);

		check(err == 0 || err == belay_err(bounded));
	}
}

static void add_or_wait(struct hand *hand)
{
	if (hand->number < 4)
		add_and_be_done(hand->crew->arg, hand);
	else
		wait_often(hand);
}

static void it_may_be_used_again_while_contexts_end_at_random(void **state)
{
	struct storm storm = {.wg = BELAY_WG_INIT};

	crew_all(8, add_or_wait, &storm);
	assert_int_equal(belay_wg_wait(belay_background(), &storm.wg), 0);
	assert_int_equal(atomic_load(&storm.left), 0);
	assert_int_equal(queued(&storm.wg.waiters), 0);
	assert_int_equal(belay_wg_done(&storm.wg), -EPERM);
}

BELAY_TEST_MAIN(cmocka_unit_test(an_empty_one_is_not_waited_for),
		cmocka_unit_test(done_once_too_often_is_an_error_without_effect),
		cmocka_unit_test(too_many_are_an_error_without_effect),
		cmocka_unit_test(a_done_context_wins_over_an_empty_one),
		cmocka_unit_test(the_last_one_wakes_all_that_wait),
		cmocka_unit_test(who_waits_leaves_when_its_context_ends),
		cmocka_unit_test(it_may_be_freed_once_the_wait_has_returned),
		cmocka_unit_test(it_may_be_used_again_while_contexts_end_at_random))
