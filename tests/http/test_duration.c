/* SPDX-License-Identifier: MIT
 *
 * test_duration.c - durations as a header or a query parameter writes them.
 */
#include "check.h"

#include <belay/http.h>

#include <errno.h>

static int64_t parse(const char *text)
{
	int64_t ns = -1;
	int r = belay_duration_parse(text, &ns);

	return r < 0 ? r : ns;
}

static void a_number_with_a_unit_is_a_duration(void **state)
{
	assert_int_equal(parse("150ms"), BELAY_MS(150));
	assert_int_equal(parse("0s"), 0);
	assert_int_equal(parse("7ns"), 7);
	assert_int_equal(parse("20us"), BELAY_US(20));
	assert_int_equal(parse("2s"), BELAY_S(2));
	assert_int_equal(parse("3m"), BELAY_S(180));
	assert_int_equal(parse("007s"), BELAY_S(7));
}

static void fractions_are_exact_to_the_nanosecond(void **state)
{
	assert_int_equal(parse("1.5s"), BELAY_MS(1500));
	assert_int_equal(parse("0.25m"), BELAY_S(15));
	assert_int_equal(parse("0.000000001s"), 1);
	assert_int_equal(parse("0.0000000019s"), 1);
	assert_int_equal(parse("1.5ns"), 1);
}

static void what_is_none_is_refused(void **state)
{
	static const char *const bad[] = {"", "s", "5", "ms", "-1s", "+1s", " 1s", "1s ", "1 s",
					  "1.s", ".5s", "1.5.5s", "1h", "1S", "1e3s", "0x10s",
					  "banana", "1ss", "1s1s"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (parse(bad[i]) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
}

static void one_too_long_to_count_is_without_end(void **state)
{
	assert_int_equal(parse("99999999999999999999s"), BELAY_FOREVER);
	assert_int_equal(parse("9223372036.9s"), BELAY_FOREVER);
	assert_int_equal(parse("9223372036854775807ns"), BELAY_FOREVER);
	assert_int_equal(parse("153722868m"), BELAY_FOREVER);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_number_with_a_unit_is_a_duration),
		cmocka_unit_test(fractions_are_exact_to_the_nanosecond),
		cmocka_unit_test(what_is_none_is_refused),
		cmocka_unit_test(one_too_long_to_count_is_without_end))
