/* SPDX-License-Identifier: MIT
 *
 * test_log_level.c - the level that the environment names: asked once a process, so a program
 * alone.
 */
#include "check.h"

#include <stdlib.h>

static void count(void *arg, enum belay_log_level level, const char *line)
{
	++*(unsigned *)arg;
}

static void the_environment_names_the_first_level(void **state)
{
	unsigned lines = 0;

	setenv("BELAY_LOG", "WARNING", 1);
	belay_log_to(count, &lines);
	belay_log(NULL, BELAY_LOG_INFO, "no");
	belay_log(NULL, BELAY_LOG_WARNING, "yes");
	assert_int_equal(lines, 1);
	setenv("BELAY_LOG", "debug", 1);
	belay_log(NULL, BELAY_LOG_INFO, "still no");
	assert_int_equal(lines, 1);
	belay_log_to(NULL, NULL);
}

BELAY_TEST_MAIN(cmocka_unit_test(the_environment_names_the_first_level))
