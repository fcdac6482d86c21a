/* SPDX-License-Identifier: MIT
 *
 * sides_test.h - the two sides of a program's tests of TLS, made anew for each.
 */
#ifndef BELAY_TESTS_TLS_SIDES_TEST_H
#define BELAY_TESTS_TLS_SIDES_TEST_H

#include "tls_test.h"

static struct sides sides;

static inline int sides_set_options(void **state)
{
	sides_prepare(&sides);
	return 0;
}

static inline int sides_set_up(void **state)
{
	sides_init(&sides);
	return 0;
}

static inline int sides_tear_down(void **state)
{
	sides_fini(&sides);
	return 0;
}

/* With both sides; or with their options alone, for the test to make them. */
#define SIDES_TEST(name) cmocka_unit_test_setup_teardown(name, sides_set_up, sides_tear_down)
#define OPTIONS_TEST(name) \
	cmocka_unit_test_setup_teardown(name, sides_set_options, sides_tear_down)

#endif
