/* SPDX-License-Identifier: MIT
 *
 * test_reaper.c - clean-up that is the user's code never runs on the clock thread.
 */
#include "check.h"
#include "fuse.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A hook that keeps the clock from going on until the owner has given up its context: so the clock
 * holds the last reference for sure. */
struct last_reference {
	struct belay_hook hook;
	atomic_bool reached, given_up, cleaned;
	char cleaner[16];
};

static void wait_for_owner(struct belay_hook *hook)
{
	struct last_reference *last = (struct last_reference *)hook;
	char name[16];

	pthread_getname_np(pthread_self(), name, sizeof name);
	if (strcmp(name, "belay-clock") != 0)
		return; /* expired before the hook was there: the maker tries again */
	atomic_store(&last->reached, true);
	check(check_until(atomic_load(&last->given_up)));
}

/* A context that the clock will end with the hook in place. */
static belay_ctx *expiring_child(belay_ctx *parent, struct last_reference *last)
{
	for (int64_t ns = BELAY_MS(1);; ns *= 2) {
		belay_ctx *ctx = check_live(belay_with_timeout(parent, ns));

		if (belay_hook_add(ctx, &last->hook, wait_for_owner))
			return ctx;
		belay_end(ctx);
	}
}

/* Needs the clock, as clean-up may: it would wait for itself there. */
static void clean_up(void *arg)
{
	struct last_reference *last = arg;

	pthread_getname_np(pthread_self(), last->cleaner, sizeof last->cleaner);
	check(belay_sleep(belay_background(), BELAY_MS(1)) == 0);
	atomic_store(&last->cleaned, true);
}

static void give_up_at_the_expiry_of(belay_ctx *ctx, struct last_reference *last)
{
	assert_true(check_until(atomic_load(&last->reached)));
	belay_unref(ctx);
	atomic_store(&last->given_up, true);
	assert_true(check_until(atomic_load(&last->cleaned)));
	assert_string_not_equal(last->cleaner, "belay-clock");
}

static void a_deferred_call_may_wait_for_the_clock(void **state)
{
	struct last_reference last = {.reached = false};
	belay_ctx *ctx = expiring_child(belay_background(), &last);

	check_needs_memory_again();
	assert_int_equal(belay_defer(ctx, clean_up, &last), 0);
	give_up_at_the_expiry_of(ctx, &last);
}

/* What the clock needs memory for, once it has let go, is the thread that cleans up. */
static void let_the_clock_go_on_without_memory(belay_ctx *ctx, struct last_reference *last)
{
	assert_int_equal(belay_defer(ctx, clean_up, last), 0);
	assert_true(check_until(atomic_load(&last->reached)));
	belay_unref(ctx);
	belay__fail_from_nth(1);
	atomic_store(&last->given_up, true);
	assert_true(check_until(belay__fail_left() <= 0));
}

static void clean_up_waits_until_there_is_memory_for_its_thread(void **state)
{
	struct last_reference last = {.reached = false};

	let_the_clock_go_on_without_memory(expiring_child(belay_background(), &last), &last);
	assert_int_equal(belay_sleep(belay_background(), BELAY_MS(1)), 0);
	assert_false(atomic_load(&last.cleaned));
	belay__fail_nth(0);
	assert_true(check_until(atomic_load(&last.cleaned)));
	assert_string_equal(last.cleaner, "belay-reaper");
}

static void the_shutdown_cleans_up_what_there_was_never_memory_for(void **state)
{
	struct last_reference last = {.reached = false};

	let_the_clock_go_on_without_memory(expiring_child(belay_background(), &last), &last);
	belay__fail_nth(0);
	belay_shutdown();
	assert_true(atomic_load(&last.cleaned));
}

static const belay_key key = {.name = "value", .destroy = clean_up};

static void so_may_the_destruction_of_a_value_above(void **state)
{
	struct last_reference last = {.reached = false};
	belay_ctx *value = check_live(belay_with_value(belay_background(), &key, &last));
	belay_ctx *ctx = expiring_child(value, &last);

	check_needs_memory_again();
	belay_unref(value);
	give_up_at_the_expiry_of(ctx, &last);
}

static void count(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void every_deferred_call_runs_once_whoever_is_last(void **state)
{
	enum { ROUNDS = 300 };
	static atomic_int runs;

	for (int i = 0; i < ROUNDS; i++) {
		belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_US(50));

		assert_int_equal(belay_defer(ctx, count, &runs), 0);
		if (i % 2)
			belay_wait(ctx);
		belay_end(ctx);
	}
	assert_true(check_until(atomic_load(&runs) == ROUNDS));
}

BELAY_TEST_MAIN(cmocka_unit_test(a_deferred_call_may_wait_for_the_clock),
		cmocka_unit_test(clean_up_waits_until_there_is_memory_for_its_thread),
		cmocka_unit_test(the_shutdown_cleans_up_what_there_was_never_memory_for),
		cmocka_unit_test(so_may_the_destruction_of_a_value_above),
		cmocka_unit_test(every_deferred_call_runs_once_whoever_is_last))
