/* SPDX-License-Identifier: MIT
 *
 * test_oom.c - each allocation of a group, a race and a flight fails in turn: an error or success,
 * and nothing left behind.
 */
#include "check_oom.h"
#include "crew.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>

static int succeed(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add((atomic_uint *)arg, 1);
	return 0;
}

static void work_in_a_group(void *arg)
{
	belay_group *group = belay_group_new(belay_background());
	atomic_uint ended = 0;
	unsigned started = 0;

	if (!group)
		return;
	for (int i = 0; i < 3; i++) {
		int err = belay_group_go(group, succeed, &ended);

		check(err == 0 || err == -ENOMEM || err == -EAGAIN);
		started += err == 0;
	}
	check(belay_group_wait(group) == 0);
	check(atomic_load(&ended) == started);
	belay_shutdown();
}

static void a_group_without_memory_starts_nothing(void **state)
{
	assert_true(check_each_allocation(work_in_a_group, NULL) > 0);
}

static int return_an_error(belay_ctx *ctx, void *arg)
{
	return -EIO;
}

/* Where memory for the cause's message runs out, the error is still the error. */
static void fail_in_a_group(void *arg)
{
	belay_group *group = belay_group_new(belay_background());
	belay_cause cause;
	belay_ctx *ctx;
	int err;

	if (!group)
		return;
	ctx = belay_ref(belay_group_ctx(group));
	err = belay_group_go(group, return_an_error, NULL);
	check(belay_group_wait(group) == (err ? 0 : -EIO));
	if (err == 0)
		check(belay_cause_of(ctx, &cause) == 0 && cause.code == -EIO);
	belay_unref(ctx);
	belay_shutdown();
}

static void an_error_reaches_the_cause_without_memory_too(void **state)
{
	assert_true(check_each_allocation(fail_in_a_group, NULL) > 0);
}

static void race(void *arg)
{
	atomic_uint ended = 0;
	void *args[] = {&ended, &ended, &ended};
	int r = belay_first(belay_background(), succeed, args, 3, BELAY_S(3600));

	check((r >= 0 && r < 3) || r == -ENOMEM || r == -EAGAIN);
	check(r < 0 || atomic_load(&ended) > 0);
	belay_shutdown();
}

static void a_race_goes_on_with_those_that_could_be_started(void **state)
{
	assert_true(check_each_allocation(race, NULL) > 0);
}

static int copy(belay_ctx *ctx, const char *key, void *arg, void **ret)
{
	*ret = belay__strdup(key);
	return *ret ? 0 : -ENOMEM;
}

static void ask(void *arg)
{
	belay_flight flight = BELAY_FLIGHT_INIT(copy, belay__free, NULL);
	belay_flight_result *result = NULL;
	int err = belay_flight_do(belay_background(), &flight, "key", &result);

	check(err == 0 || err == -ENOMEM || err == -EAGAIN);
	check((err == 0) == (result != NULL));
	belay_flight_unref(result);
	check(belay_flight_wait(belay_background(), &flight) == 0);
	check(belay_flight_askers(&flight, "key") == 0);
	belay_shutdown();
}

static void a_flight_without_memory_starts_nothing(void **state)
{
	assert_true(check_each_allocation(ask, NULL) > 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_group_without_memory_starts_nothing),
		cmocka_unit_test(an_error_reaches_the_cause_without_memory_too),
		cmocka_unit_test(a_race_goes_on_with_those_that_could_be_started),
		cmocka_unit_test(a_flight_without_memory_starts_nothing))
