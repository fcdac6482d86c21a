/* SPDX-License-Identifier: MIT
 *
 * test_taken_over.c - channels that one thread or task has used alone for long, until others
 * come to them: nothing is lost, doubled or out of order.
 */
#include "check.h"

#include <belay.h>
#include <pthread.h>
#include <stdatomic.h>

enum { ALONE = 10000, MANY = 2000, ROUNDS = 40 };

struct meeting {
	belay_chan *here, *there;
	long expected; /* the next number that comes out of there */
};

static struct meeting open_meeting(void)
{
	struct meeting meeting = {
		.here = check_made(belay_chan_new(sizeof(long), 4)),
		.there = check_made(belay_chan_new(sizeof(long), 4)),
	};

	return meeting;
}

static void close_meeting(struct meeting *meeting)
{
	belay_chan_unref(meeting->here);
	belay_chan_unref(meeting->there);
}

static void use_alone(belay_chan *ch)
{
	for (long i = 0; i < ALONE; i++) {
		long element = -1;

		check(belay_try_send(ch, &i) == 0);
		check(belay_try_recv(ch, &element) == 0 && element == i);
	}
}

/* From here to there, by selects that lock both. */
static void relay(belay_ctx *ctx, struct meeting *meeting)
{
	for (long i = 0; i < MANY; i++) {
		long element = -1;
		int chosen = belay_select(ctx, BELAY_RECV(meeting->here, &element),
					  BELAY_RECV(meeting->there, NULL));

		check(chosen == 0 && element == i);
		check(belay_send(ctx, meeting->there, &element) == 0);
		chosen = belay_select(ctx, BELAY_RECV(meeting->there, &element));
		check(chosen == 0 && element == i);
	}
}

static void *send_from_thread(void *arg)
{
	struct meeting *meeting = arg;

	for (long i = 0; i < MANY; i++)
		check(belay_send(belay_background(), meeting->here, &i) == 0);
	return NULL;
}

static void another_thread_comes_while_its_user_selects(void **unused)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct meeting meeting = open_meeting();
		pthread_t sender;

		use_alone(meeting.here);
		use_alone(meeting.there);
		assert_int_equal(pthread_create(&sender, NULL, send_from_thread, &meeting), 0);
		relay(belay_background(), &meeting);
		assert_int_equal(pthread_join(sender, NULL), 0);
		close_meeting(&meeting);
	}
}

static int relay_alone_then_with_a_thread(belay_ctx *ctx, void *arg)
{
	struct meeting *meeting = arg;
	pthread_t sender;

	use_alone(meeting->here);
	use_alone(meeting->there);
	check(pthread_create(&sender, NULL, send_from_thread, meeting) == 0);
	relay(ctx, meeting);
	check(pthread_join(sender, NULL) == 0);
	return 0;
}

static void a_thread_comes_to_a_channel_of_tasks(void **unused)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct meeting meeting = open_meeting();
		belay_group *group = check_made(belay_group_new(belay_background()));

		assert_int_equal(belay_group_go(group, relay_alone_then_with_a_thread, &meeting),
				 0);
		assert_int_equal(belay_group_wait(group), 0);
		close_meeting(&meeting);
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(another_thread_comes_while_its_user_selects),
		cmocka_unit_test(a_thread_comes_to_a_channel_of_tasks))
