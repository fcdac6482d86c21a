/* SPDX-License-Identifier: MIT
 *
 * select_test.h - what the tests of select share: channels of ints.
 */
#ifndef BELAY_TESTS_SELECT_TEST_H
#define BELAY_TESTS_SELECT_TEST_H

#include "check.h"

static inline belay_ctx *bg(void) { return belay_background(); }

static inline belay_chan *make(size_t capacity)
{
	belay_chan *ch = belay_chan_new(sizeof(int), capacity);

	assert_non_null(ch);
	return ch;
}

static inline belay_chan *make_holding(int value)
{
	belay_chan *ch = make(1);

	assert_int_equal(belay_send(bg(), ch, &value), 0);
	return ch;
}

#endif
