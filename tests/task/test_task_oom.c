/* SPDX-License-Identifier: MIT
 *
 * test_task_oom.c - tasks, the blocking pool, sleeps, groups where each allocation fails in turn.
 */
#include "check.h"

#include "check_oom.h"

#include <errno.h>
#include <stdatomic.h>

static belay_ctx *bg(void) { return belay_background(); }

static bool is_want(int r)
{
	return r == -ENOMEM || r == -EAGAIN;
}

static void count(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

/* Workers, pools and all are made anew each time. */
static void start_some(void *unused)
{
	atomic_int ran = 0;
	int started = 0;

	for (int i = 0; i < 5; i++) {
		int r = belay_go(bg(), count, &ran);

		check(r == 0 || is_want(r));
		started += r == 0;
	}
	belay_shutdown();
	check(atomic_load(&ran) == started);
}

static void a_task_starts_and_runs_or_does_not_start_at_all(void **state)
{
	assert_true(check_each_allocation(start_some, NULL) > 0);
}

/* Kept stacks are used again, and given back at the shutdown. */
static void start_some_with_large_stacks(void *unused)
{
	const struct belay_task_options options = {.stack_size = 1 << 20};
	atomic_int ran = 0;
	int started = 0;

	for (int i = 0; i < 5; i++) {
		int r = belay_go_with(bg(), count, &ran, &options);

		check(r == 0 || is_want(r));
		started += r == 0;
	}
	belay_shutdown();
	check(atomic_load(&ran) == started);
}

static void a_task_with_a_large_stack_starts_and_runs_or_does_not_start_at_all(void **state)
{
	assert_true(check_each_allocation(start_some_with_large_stacks, NULL) > 0);
}

static void keep_context(void *unused)
{
	belay_ctx *ctx = belay_with_cancel(bg());
	atomic_int ran = 0;
	int r = belay_go(ctx, count, &ran);

	check(r == 0 || is_want(r));
	belay_end(ctx);
	belay_shutdown();
	check(atomic_load(&ran) == (r == 0));
	check(belay_tree_count() == 0);
}

static void a_task_that_did_not_start_keeps_no_context(void **state)
{
	assert_true(check_each_allocation(keep_context, NULL) > 0);
}

static void count_blocking(void *arg)
{
	count(NULL, arg);
}

struct blocker {
	atomic_int ran, result;
};

static void block(belay_ctx *ctx, void *arg)
{
	struct blocker *blocker = arg;

	atomic_store(&blocker->result, belay_blocking(ctx, count_blocking, &blocker->ran));
}

static void block_in_a_task(void *unused)
{
	struct blocker blocker = {.result = 1};
	int r = belay_go(bg(), block, &blocker);

	belay_shutdown();
	if (r != 0)
		return;
	check(blocker.result == 0 || is_want(blocker.result));
	check(blocker.ran == (blocker.result == 0));
}

static void what_blocks_runs_or_is_an_error(void **state)
{
	assert_true(check_each_allocation(block_in_a_task, NULL) > 0);
}

static void sleep_on_a_thread(void *unused)
{
	int r = belay_sleep(bg(), BELAY_US(1));

	check(r == 0 || is_want(r));
	belay_shutdown();
}

static void a_sleep_takes_its_time_or_is_an_error(void **state)
{
	check_each_allocation(sleep_on_a_thread, NULL);
}

static int succeed(belay_ctx *ctx, void *arg)
{
	count(ctx, arg);
	return 0;
}

static void run_group(void *unused)
{
	atomic_int ran = 0;
	int started = 0, r;
	belay_group *group = belay_group_new(bg());

	if (group) {
		for (int i = 0; i < 3; i++) {
			r = belay_group_go(group, succeed, &ran);
			check(r == 0 || is_want(r));
			started += r == 0;
		}
		check(belay_group_wait(group) == 0);
	}
	check(atomic_load(&ran) == started);
	belay_shutdown();
	check(belay_tree_count() == 0);
}

static void a_group_is_made_whole_or_null_and_runs_what_it_started(void **state)
{
	assert_true(check_each_allocation(run_group, NULL) > 0);
}

static void race(void *unused)
{
	atomic_int ran = 0;
	void *const args[] = {&ran, &ran, &ran};
	int r = belay_first(bg(), succeed, args, 3, 0);

	check(r >= 0 ? r < 3 : is_want(r));
	belay_shutdown();
	check(r < 0 || atomic_load(&ran) > 0);
	check(belay_tree_count() == 0);
}

static void a_race_is_won_or_is_an_error(void **state)
{
	assert_true(check_each_allocation(race, NULL) > 0);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(a_task_starts_and_runs_or_does_not_start_at_all),
	cmocka_unit_test(a_task_with_a_large_stack_starts_and_runs_or_does_not_start_at_all),
	cmocka_unit_test(a_task_that_did_not_start_keeps_no_context),
	cmocka_unit_test(what_blocks_runs_or_is_an_error),
	cmocka_unit_test(a_sleep_takes_its_time_or_is_an_error),
	cmocka_unit_test(a_group_is_made_whole_or_null_and_runs_what_it_started),
	cmocka_unit_test(a_race_is_won_or_is_an_error))
