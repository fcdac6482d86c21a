/* SPDX-License-Identifier: MIT
 *
 * test_go_with.c - tasks whose stacks have a size that was asked for.
 */
#include "check.h"

#include "scale.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static belay_ctx *bg(void) { return belay_background(); }

/* Each level takes a KiB at the least, and a sanitizer may make more of it. */
__attribute__((noinline)) static int descend(int kib)
{
	volatile char frame[1024];

	frame[0] = frame[1023] = (char)kib;
	return kib == 0 ? 0 : descend(kib - 1) + frame[0];
}

static atomic_int over;

/* As deep as arg says, in KiB. */
static void dive(belay_ctx *ctx, void *arg)
{
	descend((int)(intptr_t)arg);
	atomic_fetch_add(&over, 1);
}

static void *kib(int depth)
{
	return (void *)(intptr_t)depth;
}

static int go_with(void (*fn)(belay_ctx *ctx, void *arg), void *arg, size_t size)
{
	const struct belay_task_options options = {.stack_size = size};

	return belay_go_with(bg(), fn, arg, &options);
}

static int reset(void **state)
{
	atomic_store(&over, 0);
	return 0;
}

static int one_worker(void **state)
{
	reset(state);
	return setenv("BELAY_WORKERS", "1", 1);
}

static int default_workers(void **state)
{
	return unsetenv("BELAY_WORKERS");
}

/* ---- Sizes ----------------------------------------------------------------------------------- */

static void a_task_has_as_much_stack_as_it_was_started_with(void **state)
{
	assert_int_equal(go_with(dive, kib(4 * KIB), 16 * MIB), 0);
	assert_true(check_until(atomic_load(&over) == 1));
}

static void a_size_need_not_be_whole_pages(void **state)
{
	assert_int_equal(go_with(dive, kib(KIB), 4 * MIB + 1), 0);
	assert_int_equal(go_with(dive, kib(16), BELAY_STACK_LEAST + 1), 0);
	assert_true(check_until(atomic_load(&over) == 2));
}

static void a_small_size_gives_no_less_than_the_default(void **state)
{
	assert_int_equal(go_with(dive, kib(64), BELAY_STACK_LEAST), 0);
	assert_true(check_until(atomic_load(&over) == 1));
}

static void without_options_it_is_belay_go(void **state)
{
	assert_int_equal(belay_go_with(bg(), dive, kib(64), NULL), 0);
	assert_int_equal(go_with(dive, kib(64), 0), 0);
	assert_int_equal((belay_go_with)(bg(), dive, kib(64), NULL), 0);
	assert_true(check_until(atomic_load(&over) == 3));
}

static void the_greatest_size_costs_no_more_memory_than_is_touched(void **state)
{
	assert_int_equal(go_with(dive, kib(64), BELAY_STACK_MOST), 0);
	assert_true(check_until(atomic_load(&over) == 1));
}

static void a_size_that_makes_no_sense_is_einval_and_starts_nothing(void **state)
{
	assert_int_equal(go_with(dive, kib(0), 1), -EINVAL);
	assert_int_equal(go_with(dive, kib(0), BELAY_STACK_LEAST - 1), -EINVAL);
	assert_int_equal(go_with(dive, kib(0), BELAY_STACK_MOST + 1), -EINVAL);
	assert_int_equal(go_with(dive, kib(0), (size_t)-1), -EINVAL);
	assert_int_equal(go_with(NULL, kib(0), MIB), -EINVAL);
	assert_int_equal(belay_go_with(NULL, dive, kib(0), NULL), -EINVAL);
	belay_shutdown();
	assert_int_equal(atomic_load(&over), 0);
}

/* ---- Beside others --------------------------------------------------------------------------- */

/* On one worker, where a task that begins goes on with the stack of the last one, if it can. */
static void tasks_of_all_sizes_end_and_begin_by_turns(void **state)
{
	static const struct {
		size_t size;
		int depth;
	} kinds[] = {{0, 64}, {MIB, 256}, {4 * MIB, KIB}, {MIB, 256}, {0, 64}, {0, 64}, {MIB, 256}};
	enum { KINDS = sizeof kinds / sizeof *kinds };
	int n = scaled(100) * KINDS;

	for (int i = 0; i < n; i++)
		assert_int_equal(go_with(dive, kib(kinds[i % KINDS].depth),
					 kinds[i % KINDS].size), 0);
	assert_true(check_until(atomic_load(&over) == n));
}

struct crowd {
	belay_chan *gate;
	atomic_int here;
};

static void dive_and_wait(belay_ctx *ctx, void *arg)
{
	struct crowd *crowd = arg;

	descend(256);
	atomic_fetch_add(&crowd->here, 1);
	check(belay_recv(ctx, crowd->gate, NULL) == -EPIPE);
	descend(256);
	atomic_fetch_add(&over, 1);
}

static void many_of_different_sizes_wait_at_once(void **state)
{
	struct crowd crowd = {.gate = check_made(belay_chan_new(0, 0))};
	int n = scaled(500);

	for (int i = 0; i < n; i++)
		assert_int_equal(go_with(dive_and_wait, &crowd, MIB + (size_t)(i % 7) * 4096), 0);
	assert_true(check_until(atomic_load(&crowd.here) == n));
	belay_chan_close(crowd.gate);
	assert_true(check_until(atomic_load(&over) == n));
	belay_chan_unref(crowd.gate);
}

/* Of the same size, of another, of none. */
static void spawn_some(belay_ctx *ctx, void *arg)
{
	check(go_with(dive, kib(256), MIB) == 0);
	check(go_with(dive, kib(256), 2 * MIB) == 0);
	check(belay_go(ctx, dive, kib(64)) == 0);
	descend(256);
	atomic_fetch_add(&over, 1);
}

static void a_task_with_a_stack_of_its_own_size_spawns_as_any(void **state)
{
	assert_int_equal(go_with(spawn_some, NULL, MIB), 0);
	assert_true(check_until(atomic_load(&over) == 4));
}

static void a_context_lives_as_long_as_its_task(void **state)
{
	struct crowd crowd = {.gate = check_made(belay_chan_new(0, 0))};
	belay_ctx *ctx = check_live(belay_with_cancel(bg()));

	assert_int_equal(belay_go_with(ctx, dive_and_wait, &crowd,
				       &(struct belay_task_options){.stack_size = MIB}), 0);
	belay_unref(ctx);
	assert_true(check_until(atomic_load(&crowd.here) == 1));
	belay_chan_close(crowd.gate);
	assert_true(check_until(atomic_load(&over) == 1));
	belay_chan_unref(crowd.gate);
}

#define TEST(fn)       cmocka_unit_test_setup(fn, reset)
#define ONE_WORKER(fn) cmocka_unit_test_setup_teardown(fn, one_worker, default_workers)

BELAY_TEST_MAIN(TEST(a_task_has_as_much_stack_as_it_was_started_with),
		TEST(a_size_need_not_be_whole_pages),
		TEST(a_small_size_gives_no_less_than_the_default),
		TEST(without_options_it_is_belay_go),
		TEST(the_greatest_size_costs_no_more_memory_than_is_touched),
		TEST(a_size_that_makes_no_sense_is_einval_and_starts_nothing),
		ONE_WORKER(tasks_of_all_sizes_end_and_begin_by_turns),
		TEST(many_of_different_sizes_wait_at_once),
		TEST(a_task_with_a_stack_of_its_own_size_spawns_as_any),
		TEST(a_context_lives_as_long_as_its_task))
