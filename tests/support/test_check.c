/* SPDX-License-Identifier: MIT
 *
 * test_check.c - what the other tests stand on: waiting, tasks, and allocations that fail in turn.
 */
#include "check_oom.h"

#include "base/alloc.h"

#include <stdatomic.h>

static void a_condition_that_holds_is_not_waited_for(void **state)
{
	unsigned looks = 0;

	(void)state;
	assert_true(check_until(++looks == 1));
	assert_int_equal(looks, 1);
}

static void set_later(belay_ctx *ctx, void *arg)
{
	belay_sleep(ctx, BELAY_MS(5));
	atomic_store((atomic_bool *)arg, true);
}

static void a_condition_that_comes_true_is_waited_for(void **state)
{
	atomic_bool set = false;

	(void)state;
	assert_int_equal(belay_go(belay_background(), set_later, &set), 0);
	assert_true(check_until(atomic_load(&set)));
}

static void note_thread(belay_ctx *ctx, void *arg)
{
	(void)ctx;
	*(unsigned *)arg = check_threads();
}

static void a_task_has_returned_when_check_in_task_has(void **state)
{
	unsigned threads = 0;

	(void)state;
	check_in_task(note_thread, &threads);
	assert_true(threads >= 2);
}

static void wait_for_a_task(belay_ctx *ctx, void *arg)
{
	atomic_bool *set = arg;

	check(belay_go(ctx, set_later, set) == 0);
	check(check_until(atomic_load(set)));
}

static void a_task_may_wait_for_a_condition(void **state)
{
	atomic_bool set = false;

	(void)state;
	check_in_task(wait_for_a_task, &set);
	assert_true(atomic_load(&set));
}

/* Three allocations, each of which may fail. */
static void allocate_three(void *arg)
{
	int *failures = arg;
	void *blocks[3];

	for (int i = 0; i < 3; i++) {
		blocks[i] = belay__malloc(1);
		*failures += !blocks[i];
	}
	for (int i = 0; i < 3; i++)
		belay__free(blocks[i]);
}

static void each_allocation_fails_once(void **state)
{
	int failures = 0;

	(void)state;
	assert_int_equal(check_each_alone(allocate_three, &failures), 3);
	assert_int_equal(failures, 3);
}

static void each_allocation_fails_with_all_after_it(void **state)
{
	int failures = 0;

	(void)state;
	assert_int_equal(check_each_allocation(allocate_three, &failures), 3);
	assert_int_equal(failures, 3 + 3 + 2 + 1);
}

static void allocate_none(void *arg)
{
	++*(int *)arg;
}

static void work_without_allocations_is_done_once(void **state)
{
	int runs = 0;

	(void)state;
	assert_int_equal(check_each_alone(allocate_none, &runs), 0);
	assert_int_equal(runs, 1);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(a_condition_that_holds_is_not_waited_for),
	cmocka_unit_test(a_condition_that_comes_true_is_waited_for),
	cmocka_unit_test(a_task_has_returned_when_check_in_task_has),
	cmocka_unit_test(a_task_may_wait_for_a_condition),
	cmocka_unit_test(each_allocation_fails_once),
	cmocka_unit_test(each_allocation_fails_with_all_after_it),
	cmocka_unit_test(work_without_allocations_is_done_once))
