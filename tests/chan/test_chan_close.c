/* SPDX-License-Identifier: MIT
 *
 * test_chan_close.c - closing a channel, and who waits there then.
 */
#include "chan_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

/* semantics 2.2 */
static void a_closed_channel_hands_out_what_it_holds_then_epipe(void **state)
{
	belay_chan *ch = make(3);
	int got = 0;

	assert_int_equal(belay_send(bg(), ch, &(int){1}), 0);
	assert_int_equal(belay_send(bg(), ch, &(int){2}), 0);
	assert_int_equal(belay_chan_close(ch), 0);
	assert_int_equal(belay_recv(bg(), ch, &got), 0);
	assert_int_equal(got, 1);
	assert_int_equal(belay_try_recv(ch, &got), 0);
	assert_int_equal(got, 2);
	assert_int_equal(belay_recv(bg(), ch, &got), -EPIPE);
	assert_int_equal(belay_try_recv(ch, &got), -EPIPE);
	assert_int_equal(belay_recv(bg(), ch, &got), -EPIPE);
	assert_int_equal(got, 2);
	belay_chan_unref(ch);
}

/* semantics 2.2 */
static void sending_on_a_closed_channel_is_epipe(void **state)
{
	belay_chan *roomy = make(2), *rendezvous = make(0);

	belay_chan_close(roomy);
	belay_chan_close(rendezvous);
	assert_int_equal(belay_send(bg(), roomy, &(int){1}), -EPIPE);
	assert_int_equal(belay_try_send(roomy, &(int){1}), -EPIPE);
	assert_int_equal(belay_send(bg(), rendezvous, &(int){1}), -EPIPE);
	assert_int_equal(belay_try_send(rendezvous, &(int){1}), -EPIPE);
	assert_int_equal(belay_chan_len(roomy), 0);
	belay_chan_unref(rendezvous);
	belay_chan_unref(roomy);
}

/* semantics 2.2 */
static void a_second_close_is_epipe(void **state)
{
	belay_chan *ch = make(1);

	assert_int_equal(belay_chan_close(ch), 0);
	assert_int_equal(belay_chan_close(ch), -EPIPE);
	assert_int_equal(belay_chan_close(ch), -EPIPE);
	belay_chan_unref(ch);
}

/* semantics 2.2 */
static void closing_wakes_all_that_wait_to_receive(void **state)
{
	enum { N = 6 };
	belay_chan *ch = make(2);
	struct end threads[N], tasks[N];
	pthread_t thread[N];

	for (int i = 0; i < N; i++) {
		threads[i] = tasks[i] = (struct end){.ctx = bg(), .ch = ch, .value = -1};
		thread[i] = start(recv_on_a_thread, &threads[i]);
		assert_int_equal(belay_go(bg(), recv_in_a_task, &tasks[i]), 0);
	}
	for (int i = 0; i < N; i++) {
		assert_true(check_until_asleep(&threads[i].tid));
		assert_true(check_until_asleep(&tasks[i].tid));
	}
	assert_int_equal(belay_chan_close(ch), 0);
	for (int i = 0; i < N; i++) {
		pthread_join(thread[i], NULL);
		assert_true(check_until(atomic_load(&tasks[i].over)));
		assert_int_equal(threads[i].result, -EPIPE);
		assert_int_equal(tasks[i].result, -EPIPE);
		assert_int_equal(threads[i].value, -1);
	}
	belay_chan_unref(ch);
}

/* semantics 2.2 */
static void closing_wakes_all_that_wait_to_send(void **state)
{
	enum { N = 6 };
	belay_chan *ch = make(0);
	struct end threads[N], tasks[N];
	pthread_t thread[N];

	for (int i = 0; i < N; i++) {
		threads[i] = tasks[i] = (struct end){.ctx = bg(), .ch = ch, .value = i};
		thread[i] = start(send_on_a_thread, &threads[i]);
		assert_int_equal(belay_go(bg(), send_in_a_task, &tasks[i]), 0);
	}
	for (int i = 0; i < N; i++) {
		assert_true(check_until_asleep(&threads[i].tid));
		assert_true(check_until_asleep(&tasks[i].tid));
	}
	assert_int_equal(belay_chan_close(ch), 0);
	for (int i = 0; i < N; i++) {
		pthread_join(thread[i], NULL);
		assert_true(check_until(atomic_load(&tasks[i].over)));
		assert_int_equal(threads[i].result, -EPIPE);
		assert_int_equal(tasks[i].result, -EPIPE);
	}
	assert_int_equal(belay_try_recv(ch, NULL), -EPIPE);
	belay_chan_unref(ch);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_closed_channel_hands_out_what_it_holds_then_epipe),
		cmocka_unit_test(sending_on_a_closed_channel_is_epipe),
		cmocka_unit_test(a_second_close_is_epipe),
		cmocka_unit_test(closing_wakes_all_that_wait_to_receive),
		cmocka_unit_test(closing_wakes_all_that_wait_to_send))
