/* SPDX-License-Identifier: MIT
 *
 * test_chan_oom.c - channels and selects where each allocation fails in turn.
 */
#include "check.h"

#include "check_oom.h"

#include <errno.h>

static void make_and_use(void *unused)
{
	belay_chan *ch = belay_chan_new(sizeof(int), 2);
	int got = 0;

	if (!ch)
		return;
	check(belay_send(belay_background(), ch, &(int){1}) == 0);
	check(belay_recv(belay_background(), ch, &got) == 0 && got == 1);
	check(belay_chan_close(ch) == 0);
	belay_chan_unref(ch);
}

static void a_channel_is_made_whole_or_null_and_then_needs_no_memory(void **state)
{
	assert_true(check_each_allocation(make_and_use, NULL) > 0);
}

/* A wait may need the clock to be started, which can fail; nothing is moved then. */
static void wait_with_timeout(void *arg)
{
	belay_chan *ch = arg;
	int got = 7, r;

	r = belay_select(belay_background(), BELAY_RECV(ch, &got), BELAY_TIMEOUT(BELAY_US(1)));
	check(r == 1 || r == -ENOMEM);
	check(got == 7);
	belay_shutdown();
}

static void a_select_that_waits_for_a_time_works_or_is_enomem(void **state)
{
	belay_chan *ch = belay_chan_new(sizeof(int), 0);

	check_each_allocation(wait_with_timeout, ch);
	belay_chan_unref(ch);
}

static void select_from_many(void *arg)
{
	belay_chan *ch = arg;
	struct belay_case cases[100];
	int got = 0, r;

	for (int i = 0; i < 100; i++)
		cases[i] = BELAY_RECV(ch, &got);
	check(belay_try_send(ch, &(int){5}) == 0);
	r = belay_select_n(belay_background(), cases, 100);
	check(r == -ENOMEM || (r >= 0 && r < 100 && got == 5));
	check(belay_chan_len(ch) == (r < 0));
	belay_try_recv(ch, NULL);
}

static void a_select_over_many_cases_works_or_is_enomem(void **state)
{
	belay_chan *ch = belay_chan_new(sizeof(int), 1);

	check_each_allocation(select_from_many, ch);
	belay_chan_unref(ch);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_channel_is_made_whole_or_null_and_then_needs_no_memory),
		cmocka_unit_test(a_select_that_waits_for_a_time_works_or_is_enomem),
		cmocka_unit_test(a_select_over_many_cases_works_or_is_enomem))
