/* SPDX-License-Identifier: MIT
 *
 * test_pace.c - for how long a body may be waited for.
 */
#include "check.h"

#include "http/pace.h"

static const struct belay__pace pace = {.rate = 100, .grace = BELAY_S(5)};

static int64_t after(uint64_t size, int64_t waited)
{
	return belay__pace_patience(&pace, size, waited, BELAY_S(60));
}

static void at_first_there_is_the_grace(void **state)
{
	assert_int_equal(after(0, 0), BELAY_S(5));
	assert_int_equal(after(0, BELAY_S(4)), BELAY_S(1));
	assert_int_equal(after(0, BELAY_S(5)), 0);
	assert_int_equal(after(0, BELAY_S(500)), 0);
}

static void what_has_come_makes_time(void **state)
{
	assert_int_equal(after(100, BELAY_S(5)), BELAY_S(1));
	assert_int_equal(after(250, BELAY_S(5)), BELAY_MS(2500));
	assert_int_equal(after(250, BELAY_S(8)), 0);
}

static void one_wait_is_never_longer_than_the_patience(void **state)
{
	assert_int_equal(after(1 << 30, BELAY_S(5)), BELAY_S(60));
	assert_int_equal(after(UINT64_MAX, 0), BELAY_S(60));
	assert_int_equal(belay__pace_patience(&pace, 0, 0, BELAY_MS(1)), BELAY_MS(1));
	assert_int_equal(belay__pace_patience(&pace, UINT64_MAX, 0, BELAY_FOREVER), BELAY_FOREVER);
}

static void without_an_end_to_the_grace_any_pace_will_do(void **state)
{
	const struct belay__pace any = {.rate = UINT64_MAX, .grace = BELAY_FOREVER};

	assert_int_equal(belay__pace_patience(&any, 0, INT64_MAX, BELAY_S(60)), BELAY_S(60));
}

static void the_highest_rate_leaves_the_grace_alone(void **state)
{
	const struct belay__pace high = {.rate = UINT64_MAX, .grace = 1};

	assert_int_equal(belay__pace_patience(&high, 1 << 20, 0, BELAY_S(60)), 1);
	assert_int_equal(belay__pace_patience(&high, 1 << 20, 1, BELAY_S(60)), 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(at_first_there_is_the_grace),
		cmocka_unit_test(what_has_come_makes_time),
		cmocka_unit_test(one_wait_is_never_longer_than_the_patience),
		cmocka_unit_test(without_an_end_to_the_grace_any_pace_will_do),
		cmocka_unit_test(the_highest_rate_leaves_the_grace_alone))
