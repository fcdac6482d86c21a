/* SPDX-License-Identifier: MIT
 *
 * test_chan_context.c - calls on a channel whose context ends.
 */
#include "chan_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

static void a_done_context_wins_over_a_ready_channel(void **state)
{
	belay_ctx *done = belay_with_timeout(bg(), 0);
	belay_chan *ch = make(2);
	int got = 7;

	assert_int_equal(belay_send(bg(), ch, &(int){1}), 0);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(belay_recv(done, ch, &got), -ETIME);
		assert_int_equal(belay_send(done, ch, &(int){2}), -ETIME);
	}
	assert_int_equal(got, 7);
	assert_int_equal(belay_chan_len(ch), 1);
	belay_chan_close(ch);
	assert_int_equal(belay_recv(done, ch, &got), -ETIME);
	assert_int_equal(belay_send(done, ch, &got), -ETIME);
	belay_chan_unref(ch);
	belay_end(done);
}

/* semantics 2.7 */
static void a_receiver_whose_context_ends_leaves_its_element_alone(void **state)
{
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(2));
	belay_chan *ch = make(1);
	int got = 7;

	assert_int_equal(belay_recv(ctx, ch, &got), -ETIME);
	assert_int_equal(got, 7);
	assert_int_equal(belay_try_send(ch, &(int){8}), 0);
	assert_int_equal(belay_chan_len(ch), 1);
	belay_chan_unref(ch);
	belay_end(ctx);
}

/* semantics 2.7 */
static void a_sender_whose_context_ends_has_sent_nothing(void **state)
{
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(2));
	belay_chan *full = make(1), *rendezvous = make(0);
	int got = 0;

	assert_int_equal(belay_send(bg(), full, &(int){1}), 0);
	assert_int_equal(belay_send(ctx, full, &(int){2}), -ETIME);
	assert_int_equal(belay_send(ctx, rendezvous, &(int){3}), -ETIME);
	assert_int_equal(belay_try_recv(full, &got), 0);
	assert_int_equal(got, 1);
	assert_int_equal(belay_try_recv(full, &got), -EAGAIN);
	assert_int_equal(belay_try_recv(rendezvous, &got), -EAGAIN);
	belay_chan_unref(rendezvous);
	belay_chan_unref(full);
	belay_end(ctx);
}

static void a_cancel_wakes_a_thread_and_a_task_that_wait(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(bg()));
	belay_chan *ch = make(0);
	struct end on_thread = {.ctx = ctx, .ch = ch}, in_task = {.ctx = ctx, .ch = ch};
	pthread_t thread = start(recv_on_a_thread, &on_thread);

	assert_int_equal(belay_go(bg(), recv_in_a_task, &in_task), 0);
	assert_true(check_until_asleep(&on_thread.tid));
	assert_true(check_until_asleep(&in_task.tid));
	belay_cancel(ctx);
	pthread_join(thread, NULL);
	assert_true(check_until(atomic_load(&in_task.over)));
	assert_int_equal(on_thread.result, -ECANCELED);
	assert_int_equal(in_task.result, -ECANCELED);
	assert_int_equal(belay_try_send(ch, &(int){1}), -EAGAIN);
	belay_chan_unref(ch);
	belay_end(ctx);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_done_context_wins_over_a_ready_channel),
		cmocka_unit_test(a_receiver_whose_context_ends_leaves_its_element_alone),
		cmocka_unit_test(a_sender_whose_context_ends_has_sent_nothing),
		cmocka_unit_test(a_cancel_wakes_a_thread_and_a_task_that_wait))
