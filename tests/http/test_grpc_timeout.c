/* SPDX-License-Identifier: MIT
 *
 * test_grpc_timeout.c - what is left of a deadline, as gRPC writes it.
 */
#include "check.h"
#include "http/grpc_timeout.h"

#include <errno.h>

static int64_t parse(const char *text)
{
	int64_t ns = -1;
	int r = belay__grpc_timeout_parse(text, &ns);

	return r < 0 ? r : ns;
}

static void digits_and_a_letter_are_a_duration(void **state)
{
	assert_int_equal(parse("7n"), 7);
	assert_int_equal(parse("20u"), BELAY_US(20));
	assert_int_equal(parse("150m"), BELAY_MS(150));
	assert_int_equal(parse("2S"), BELAY_S(2));
	assert_int_equal(parse("3M"), BELAY_S(180));
	assert_int_equal(parse("1H"), BELAY_S(3600));
	assert_int_equal(parse("0S"), 0);
	assert_int_equal(parse("00000001S"), BELAY_S(1));
	assert_int_equal(parse("99999999S"), BELAY_S(99999999));
}

static void what_is_none_is_refused(void **state)
{
	static const char *const bad[] = {"", "S", "5", "5s", "5h", "-1S", "+1S", " 1S", "1S ",
					  "1 S", "1.5S", "1SS", "123456789S", "1ms", "0x1S"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (parse(bad[i]) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
}

static void one_too_long_to_count_is_without_end(void **state)
{
	assert_int_equal(parse("99999999H"), BELAY_FOREVER);
	assert_int_equal(parse("99999999M"), BELAY_S(60) * 99999999);
}

static const char *format(int64_t ns)
{
	static char text[BELAY__GRPC_TIMEOUT_SIZE];

	belay__grpc_timeout_format(ns, text);
	return text;
}

static void the_finest_unit_with_room_is_taken_and_cut_off(void **state)
{
	assert_string_equal(format(0), "0n");
	assert_string_equal(format(99999999), "99999999n");
	assert_string_equal(format(100000000), "100000u");
	assert_string_equal(format(BELAY_S(60) + 999), "60000000u");
	assert_string_equal(format(BELAY_S(100)), "100000m");
	assert_string_equal(format(BELAY_S(100000)), "100000S");
	assert_string_equal(format(BELAY_S(100000000)), "1666666M");
	assert_string_equal(format(BELAY_FOREVER), "2562047H");
}

static void no_duration_grows_on_the_way(void **state)
{
	for (int64_t ns = 1; ns > 0 && ns < BELAY_FOREVER / 3; ns = 3 * ns + 1) {
		int64_t back = parse(format(ns));

		assert_true(back <= ns);
		assert_true(ns - back <= ns / 100000);
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(digits_and_a_letter_are_a_duration),
		cmocka_unit_test(what_is_none_is_refused),
		cmocka_unit_test(one_too_long_to_count_is_without_end),
		cmocka_unit_test(the_finest_unit_with_room_is_taken_and_cut_off),
		cmocka_unit_test(no_duration_grows_on_the_way))
