/* SPDX-License-Identifier: MIT
 *
 * test_date.c - moments as HTTP writes them.
 */
#include "check.h"
#include "http/date.h"

enum {
	EXAMPLE = 784111777, /* of RFC 9110, section 5.6.7 */
	LATER = 1700000000,
};

static time_t clock_says = LATER;

/* Before the C library's. */
time_t time(time_t *ret)
{
	if (ret)
		*ret = clock_says;
	return clock_says;
}

static void a_moment_is_written_as_imf_fixdate(void **state)
{
	char date[BELAY__DATE_SIZE];

	belay__date(EXAMPLE, date);
	assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
}

static void all_three_forms_are_read(void **state)
{
	static const char *const forms[] = {
		"Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
	};

	for (size_t i = 0; i < 3; i++) {
		time_t t = 0;

		assert_int_equal(belay__date_parse(forms[i], &t), 0);
		assert_int_equal(t, EXAMPLE);
	}
}

static void every_day_of_a_century_is_read_as_it_was_written(void **state)
{
	for (time_t t = 0; t < 100LL * 366 * 86400; t += 86400 + 3661) {
		char date[BELAY__DATE_SIZE];
		time_t back = 0;

		belay__date(t, date);
		assert_int_equal(belay__date_parse(date, &back), 0);
		assert_int_equal(back, t);
	}
}

/* Machines without a clock that runs on begin there. */
static void now_is_written_from_the_first_second_on(void **state)
{
	for (clock_says = 0; clock_says < 3; clock_says++) {
		char expected[BELAY__DATE_SIZE], date[BELAY__DATE_SIZE];

		belay__date(clock_says, expected);
		for (int i = 0; i < 2; i++) {
			belay__date_now(date);
			assert_string_equal(date, expected);
		}
	}
	clock_says = LATER;
}

static void what_is_no_date_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMTx",
		"Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Xyz 1994 08:49:37 GMT",
		"Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT", "784111777",
		"Sun Nov  6 08:49:37 1994 GMT",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		time_t t;

		if (belay__date_parse(bad[i], &t) != -EINVAL)
			fail_msg("\"%s\" was read", bad[i]);
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(a_moment_is_written_as_imf_fixdate),
		cmocka_unit_test(all_three_forms_are_read),
		cmocka_unit_test(every_day_of_a_century_is_read_as_it_was_written),
		cmocka_unit_test(now_is_written_from_the_first_second_on),
		cmocka_unit_test(what_is_no_date_is_refused))
