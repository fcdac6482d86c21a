/* SPDX-License-Identifier: MIT
 *
 * h2_test.h - a server for a program's tests of HTTP/2, made anew for each.
 */
#ifndef BELAY_TESTS_HTTP_H2_TEST_H
#define BELAY_TESTS_HTTP_H2_TEST_H

#include "h2_peer.h"

static struct site site; /* routes are added before site_start() */

static inline int h2_set_up(void **state)
{
	check_needs_memory(); /* for the client to be answered at all */
	site_init(&site);
	return 0;
}

static inline int h2_tear_down(void **state)
{
	site_stop(&site);
	return 0;
}

#define H2_TEST(name) cmocka_unit_test_setup_teardown(name, h2_set_up, h2_tear_down)

#endif
