/* SPDX-License-Identifier: MIT
 *
 * test_first.c - the first to succeed ends all others, and none is left behind.
 */
#include "crew.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* What an attempt does; what it saw. */
struct attempt {
	int result;               /* returned at once, unless: */
	bool waits;               /* for the end of its context, whose error it returns */
	bool stubborn;            /* succeeds all the same once that has come */
	belay_sem *after;         /* takes permits of it first */
	size_t permits;
	belay_sem *tells;         /* gives a permit to it first */
	belay_ctx *ends;          /* cancels it first */
	atomic_uint started, ended;
	belay_ctx *ctx;           /* referenced */
	char cause[64];           /* of its context's end, if it waited for it */
};

static void wait_for_the_end(struct attempt *attempt, belay_ctx *ctx)
{
	belay_cause cause;

	belay_wait(ctx);
	check(belay_cause_of(ctx, &cause) == 0);
	snprintf(attempt->cause, sizeof attempt->cause, "%s", cause.message);
}

static int try(belay_ctx *ctx, void *arg)
{
	struct attempt *attempt = arg;
	int result = attempt->result;

	attempt->ctx = belay_ref(ctx);
	atomic_fetch_add(&attempt->started, 1);
	if (attempt->tells)
		check(belay_sem_release(attempt->tells, 1) == 0);
	if (attempt->after && belay_sem_acquire(ctx, attempt->after, attempt->permits) != 0)
		result = belay_err(ctx);
	if (attempt->ends)
		belay_cancel(attempt->ends);
	if (attempt->waits)
		wait_for_the_end(attempt, ctx);
	if (attempt->waits)
		result = attempt->stubborn ? 0 : belay_err(ctx);
	atomic_fetch_add(&attempt->ended, 1);
	return result;
}

static int run(struct attempt *attempts, size_t n, int64_t stagger_ns)
{
	void *args[CREW_MOST];

	for (size_t i = 0; i < n; i++)
		args[i] = &attempts[i];
	return belay_first(belay_background(), try, args, n, stagger_ns);
}

/* As many as were started have ended, and their contexts are done. */
static unsigned judge(struct attempt *attempts, size_t n)
{
	unsigned started = 0;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(atomic_load(&attempts[i].started),
				 atomic_load(&attempts[i].ended));
		started += atomic_load(&attempts[i].started);
		assert_true(!attempts[i].ctx || belay_err(attempts[i].ctx) != 0);
		belay_unref(attempts[i].ctx);
	}
	return started;
}

static void one_that_succeeds_wins(void **state)
{
	struct attempt attempts[] = {{.result = 0}};

	assert_int_equal(run(attempts, 1, 0), 0);
	assert_int_equal(judge(attempts, 1), 1);
}

/* semantics 3.4 */
static void the_losers_see_that_a_sibling_won_and_have_returned_before_it_does(void **state)
{
	belay_sem runs = BELAY_SEM_INIT(0);
	struct attempt attempts[] = {{.waits = true, .tells = &runs},
				     {.waits = true, .tells = &runs},
				     {.waits = true, .tells = &runs},
				     {.after = &runs, .permits = 3}};

	check_needs_memory();
	assert_int_equal(run(attempts, 4, 0), 3);
	assert_int_equal(judge(attempts, 4), 4);
	for (int i = 0; i < 3; i++)
		assert_string_equal(attempts[i].cause, "a sibling won");
}

static void the_winners_context_ends_with_its_return(void **state)
{
	struct attempt attempts[] = {{.result = 0}, {.waits = true}};
	belay_cause cause;

	check_needs_memory();
	assert_int_equal(run(attempts, 2, 0), 0);
	assert_int_equal(belay_cause_of(attempts[0].ctx, &cause), 0);
	assert_string_equal(cause.message, "the attempt has returned");
	judge(attempts, 2);
}

static void a_loser_that_succeeds_too_late_does_not_win(void **state)
{
	belay_sem waits = BELAY_SEM_INIT(0);
	struct attempt attempts[] = {{.waits = true, .stubborn = true, .tells = &waits},
				     {.after = &waits, .permits = 1}};

	check_needs_memory();
	assert_int_equal(run(attempts, 2, 0), 1);
	assert_int_equal(judge(attempts, 2), 2);
}

static void a_failure_does_not_end_the_others(void **state)
{
	struct attempt attempts[] = {{.result = -EIO}, {.result = -EPIPE}, {.result = 0}};

	assert_int_equal(run(attempts, 3, 0), 2);
	judge(attempts, 3);
}

static void where_none_succeeds_it_is_the_last_ones_error(void **state)
{
	struct attempt attempts[] = {{.result = -EIO}, {.result = -ENOENT}, {.result = -EPIPE}};

	assert_int_equal(run(attempts, 1, 0), -EIO);
	assert_int_equal(judge(attempts, 1), 1);
	attempts[0].ctx = NULL;
	/* without end: each starts when the one before has failed */
	assert_int_equal(run(attempts, 3, BELAY_FOREVER), -EPIPE);
	assert_int_equal(judge(attempts, 3), 4);
}

static void a_positive_result_is_a_failure_and_no_index(void **state)
{
	struct attempt attempts[] = {{.result = 3}};

	assert_int_equal(run(attempts, 1, 0), -3);
	judge(attempts, 1);
}

static void wrong_arguments_start_nothing(void **state)
{
	struct attempt attempt = {0};
	void *args[] = {&attempt};

	assert_int_equal(belay_first(belay_background(), try, args, 0, 0), -EINVAL);
	assert_int_equal(belay_first(belay_background(), try, args, (size_t)INT_MAX + 1, 0),
			 -EINVAL);
	assert_int_equal(belay_first(belay_background(), NULL, args, 1, 0), -EINVAL);
	assert_int_equal(belay_first(belay_background(), try, NULL, 1, 0), -EINVAL);
	assert_int_equal(belay_first(belay_background(), try, args, 1, -1), -EINVAL);
	assert_int_equal((belay_first)(NULL, try, args, 1, 0), -EINVAL);
	assert_int_equal(atomic_load(&attempt.started), 0);
}

static void a_done_context_starts_nothing(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(belay_background(), 0);
	struct attempt attempt = {0};

	assert_int_equal(belay_first(ctx, try, (void *[]){&attempt}, 1, 0), -ETIME);
	assert_int_equal(atomic_load(&attempt.started), 0);
}

static void when_the_context_ends_all_have_ended_before_its_error_is_returned(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	belay_sem run_already = BELAY_SEM_INIT(0);
	struct attempt attempts[] = {
		{.waits = true, .tells = &run_already},
		{.result = -EIO, .tells = &run_already},
		{.waits = true, .after = &run_already, .permits = 2, .ends = ctx}};
	void *args[] = {&attempts[0], &attempts[1], &attempts[2]};

	check_needs_memory();
	assert_int_equal(belay_first(ctx, try, args, 3, 0), -ECANCELED);
	assert_int_equal(judge(attempts, 3), 3);
	assert_string_equal(attempts[0].cause, belay_strerror(-ECANCELED));
}

static void one_that_succeeds_wins_also_after_the_contexts_end(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	belay_sem runs = BELAY_SEM_INIT(0);
	struct attempt attempts[] = {
		{.waits = true, .tells = &runs},
		{.waits = true, .stubborn = true, .after = &runs, .permits = 1, .ends = ctx}};
	void *args[] = {&attempts[0], &attempts[1]};

	check_needs_memory();
	assert_int_equal(belay_first(ctx, try, args, 2, 0), 1);
	assert_int_equal(judge(attempts, 2), 2);
}

/* ---- Hedge ----------------------------------------------------------------------------------- */

static void a_quick_success_starts_no_other(void **state)
{
	struct attempt attempts[] = {{.result = 0}, {.result = 0}, {.result = 0}};

	assert_int_equal(run(attempts, 3, BELAY_S(3600)), 0);
	assert_int_equal(judge(attempts, 3), 1);
}

/* An hour's stagger: the test would not end, did a failure not start the next. */
static void each_failure_starts_the_next_at_once(void **state)
{
	struct attempt attempts[] = {
		{.result = -EIO}, {.result = -EIO}, {.result = -EIO}, {.result = 0}, {.result = 0}};

	assert_int_equal(run(attempts, 5, BELAY_S(3600)), 3);
	assert_int_equal(judge(attempts, 5), 4);
}

static void after_the_stagger_the_next_starts_beside_the_one_before(void **state)
{
	struct attempt attempts[] = {{.waits = true}, {.waits = true}, {.result = 0}};
	int64_t start = belay_now();

	check_needs_memory();
	assert_int_equal(run(attempts, 3, BELAY_MS(5)), 2);
	assert_true(belay_now() - start >= BELAY_MS(10));
	assert_int_equal(judge(attempts, 3), 3);
	assert_string_equal(attempts[0].cause, "a sibling won");
	assert_string_equal(attempts[1].cause, "a sibling won");
}

/* The first fails, which starts the second; the third's time does not come. */
static void one_failure_starts_one(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());
	struct attempt attempts[] = {{.result = -EIO}, {.waits = true, .ends = ctx}, {.result = 0}};
	void *args[] = {&attempts[0], &attempts[1], &attempts[2]};

	assert_int_equal(belay_first(ctx, try, args, 3, BELAY_S(3600)), -ECANCELED);
	assert_int_equal(judge(attempts, 3), 2);
}

static void the_context_ends_a_hedge_before_all_were_started(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());
	struct attempt attempts[] = {{.waits = true, .ends = ctx}, {.result = 0}};
	void *args[] = {&attempts[0], &attempts[1]};

	assert_int_equal(belay_first(ctx, try, args, 2, BELAY_S(3600)), -ECANCELED);
	assert_int_equal(judge(attempts, 2), 1);
}

static void in_a_task(belay_ctx *ctx, void *arg)
{
	struct attempt attempts[] = {{.waits = true}, {.result = 0}};
	void *args[] = {&attempts[0], &attempts[1]};

	check(belay_first(ctx, try, args, 2, BELAY_MS(1)) == 1);
	for (int i = 0; i < 2; i++)
		belay_unref(attempts[i].ctx);
}

static void it_works_from_a_task_too(void **state)
{
	check_needs_memory();
	check_in_task(in_a_task, NULL);
}

/* ---- Storm ----------------------------------------------------------------------------------- */

static int yield_and_see(belay_ctx *ctx, void *arg)
{
	unsigned *turns = arg;

	for (unsigned i = 0; i < *turns; i++)
		belay_yield();
	return belay_err(ctx) ? belay_err(ctx) : *turns % 3 == 0 ? -EIO : 0;
}

static void race_often(struct hand *hand)
{
	for (int i = 0; i < 60; i++) {
		BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(
			belay_background(), BELAY_US(hand_random(hand, 2000)));
		unsigned turns[5];
		void *args[5];
		int r;

		for (int j = 0; j < 5; j++) {
			turns[j] = hand_random(hand, 8);
			args[j] = &turns[j];
		}
		r = belay_first(ctx, yield_and_see, args, 5, BELAY_US(hand_random(hand, 30)));
		check(r == -EIO || r == -ETIME || (r >= 0 && r < 5 && turns[r] % 3 != 0));
	}
}

static void many_races_at_once_while_contexts_end_at_random(void **state)
{
	crew_all(6, race_often, NULL);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(one_that_succeeds_wins),
	cmocka_unit_test(the_losers_see_that_a_sibling_won_and_have_returned_before_it_does),
	cmocka_unit_test(the_winners_context_ends_with_its_return),
	cmocka_unit_test(a_loser_that_succeeds_too_late_does_not_win),
	cmocka_unit_test(a_failure_does_not_end_the_others),
	cmocka_unit_test(where_none_succeeds_it_is_the_last_ones_error),
	cmocka_unit_test(a_positive_result_is_a_failure_and_no_index),
	cmocka_unit_test(wrong_arguments_start_nothing),
	cmocka_unit_test(a_done_context_starts_nothing),
	cmocka_unit_test(when_the_context_ends_all_have_ended_before_its_error_is_returned),
	cmocka_unit_test(one_that_succeeds_wins_also_after_the_contexts_end),
	cmocka_unit_test(a_quick_success_starts_no_other),
	cmocka_unit_test(each_failure_starts_the_next_at_once),
	cmocka_unit_test(after_the_stagger_the_next_starts_beside_the_one_before),
	cmocka_unit_test(one_failure_starts_one),
	cmocka_unit_test(the_context_ends_a_hedge_before_all_were_started),
	cmocka_unit_test(it_works_from_a_task_too),
	cmocka_unit_test(many_races_at_once_while_contexts_end_at_random))
