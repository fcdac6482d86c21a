/* SPDX-License-Identifier: MIT
 *
 * test_latency.c - how long things have taken of late; the clock is the test's.
 */
#include "check.h"
#include "http/latency.h"

static struct belay__latency latency;

static void begin(double quantile)
{
	latency = (struct belay__latency){.quantile = quantile};
}

static void add(int64_t now, int64_t ns, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		belay__latency_add(&latency, now, ns);
}

/* The lower bound of ns' bucket: less by an eighth at most. */
static void assert_near(int64_t estimate, int64_t ns)
{
	if (estimate > ns || estimate < ns - ns / 8)
		fail_msg("%lld is not near %lld", (long long)estimate, (long long)ns);
}

static void few_requests_say_nothing(void **state)
{
	begin(0.5);
	add(BELAY_S(1), BELAY_MS(1), 19);
	assert_int_equal(belay__latency_estimate(&latency, BELAY_S(2)), 0);
	add(BELAY_S(2), BELAY_MS(1), 1);
	assert_near(belay__latency_estimate(&latency, BELAY_S(3)), BELAY_MS(1));
}

static void the_quantile_is_found(void **state)
{
	begin(0.9);
	add(BELAY_S(1), BELAY_MS(1), 85);
	add(BELAY_S(1), BELAY_MS(80), 15);
	assert_near(belay__latency_estimate(&latency, BELAY_S(2)), BELAY_MS(80));
	begin(0.5);
	add(BELAY_S(1), BELAY_MS(1), 85);
	add(BELAY_S(1), BELAY_MS(80), 15);
	assert_near(belay__latency_estimate(&latency, BELAY_S(2)), BELAY_MS(1));
}

static void what_is_old_is_forgotten(void **state)
{
	begin(0.5);
	add(BELAY_S(1), BELAY_MS(80), 100);
	assert_near(belay__latency_estimate(&latency, BELAY_S(2)), BELAY_MS(80));
	add(BELAY_S(7), BELAY_MS(1), 20);
	assert_near(belay__latency_estimate(&latency, BELAY_S(8)), BELAY_MS(80));
	add(BELAY_S(13), BELAY_MS(1), 20);
	assert_near(belay__latency_estimate(&latency, BELAY_S(14)), BELAY_MS(1));
	assert_int_equal(belay__latency_estimate(&latency, BELAY_S(60)), 0);
}

static void times_of_every_size_have_a_bucket(void **state)
{
	static const int64_t sizes[] = {0, 1, 7, 8, 9, 1000, BELAY_S(1), BELAY_S(86400),
					INT64_MAX};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		begin(0.5);
		add(BELAY_S(1), sizes[i], 20);
		assert_near(belay__latency_estimate(&latency, BELAY_S(2)), sizes[i]);
	}
	begin(0.5);
	add(BELAY_S(1), -5, 20);
	assert_int_equal(belay__latency_estimate(&latency, BELAY_S(2)), 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(few_requests_say_nothing),
		cmocka_unit_test(the_quantile_is_found),
		cmocka_unit_test(what_is_old_is_forgotten),
		cmocka_unit_test(times_of_every_size_have_a_bucket))
