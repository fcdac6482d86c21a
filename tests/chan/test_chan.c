/* SPDX-License-Identifier: MIT
 *
 * test_chan.c - channels: buffers, rendezvous, and who is served first.
 */
#include "chan_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- Buffered -------------------------------------------------------------------------------- */

static void a_buffered_channel_holds_as_many_as_its_capacity(void **state)
{
	belay_chan *ch = make(3);
	int got = 0;

	assert_int_equal(belay_chan_cap(ch), 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(belay_chan_len(ch), i);
		assert_int_equal(belay_send(bg(), ch, &i), 0);
	}
	assert_int_equal(belay_chan_len(ch), 3);
	assert_int_equal(belay_try_send(ch, &(int){9}), -EAGAIN);
	assert_int_equal(belay_recv(bg(), ch, &got), 0);
	assert_int_equal(got, 0);
	assert_int_equal(belay_chan_len(ch), 2);
	assert_int_equal(belay_chan_cap(ch), 3);
	belay_chan_unref(ch);
}

/* semantics 2.3 */
static void elements_come_out_in_the_order_they_went_in(void **state)
{
	belay_chan *ch = make(7);
	int in = 0, out = 0, got;

	for (int round = 0; round < 100; round++) {
		while (belay_try_send(ch, &in) == 0)
			in++;
		for (int i = 0; i < round % 8; i++) {
			if (belay_try_recv(ch, &got) != 0)
				break;
			assert_int_equal(got, out++);
		}
	}
	belay_chan_unref(ch);
}

static void trying_never_blocks(void **state)
{
	belay_chan *rendezvous = make(0), *empty = make(1);
	int got = 5;

	assert_int_equal(belay_try_send(rendezvous, &got), -EAGAIN);
	assert_int_equal(belay_try_recv(rendezvous, &got), -EAGAIN);
	assert_int_equal(belay_try_recv(empty, &got), -EAGAIN);
	assert_int_equal(got, 5);
	belay_chan_unref(empty);
	belay_chan_unref(rendezvous);
}

static void elements_of_any_size_are_copied_whole(void **state)
{
	static const size_t sizes[] = {1, 2, 3, 5, 8, 16, 24, 33, 100, 4096, 100000};

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		belay_chan *ch = belay_chan_new(sizes[s], 3);
		unsigned char *in = malloc(sizes[s]), *out = malloc(sizes[s]);

		assert_non_null(ch);
		for (int round = 0; round < 9; round++) {
			memset(in, round + 1, sizes[s]);
			memset(out, 0, sizes[s]);
			assert_int_equal(belay_send(bg(), ch, (void *)in), 0);
			assert_int_equal(belay_recv(bg(), ch, (void *)out), 0);
			assert_memory_equal(in, out, sizes[s]);
		}
		free(in);
		free(out);
		belay_chan_unref(ch);
	}
}

static void elements_of_no_size_count_events(void **state)
{
	belay_chan *ch = belay_chan_new(0, 2);

	assert_non_null(ch);
	assert_int_equal(belay_try_send(ch, NULL), 0);
	assert_int_equal(belay_try_send(ch, NULL), 0);
	assert_int_equal(belay_try_send(ch, NULL), -EAGAIN);
	assert_int_equal(belay_recv(bg(), ch, NULL), 0);
	assert_int_equal(belay_chan_len(ch), 1);
	belay_chan_unref(ch);
}

static void an_element_can_be_thrown_away(void **state)
{
	belay_chan *ch = make(2);
	int got = 0;

	assert_int_equal(belay_send(bg(), ch, &(int){1}), 0);
	assert_int_equal(belay_send(bg(), ch, &(int){2}), 0);
	assert_int_equal(belay_recv(bg(), ch, NULL), 0);
	assert_int_equal(belay_recv(bg(), ch, &got), 0);
	assert_int_equal(got, 2);
	belay_chan_unref(ch);
}

static void an_impossible_size_is_null(void **state)
{
	assert_null(belay_chan_new(SIZE_MAX, 2));
	assert_null(belay_chan_new(2, SIZE_MAX));
	assert_null(belay_chan_new(SIZE_MAX / 4, 4));
	assert_null(belay_chan_new(1, SIZE_MAX));
}

static void what_is_left_goes_with_the_last_reference(void **state)
{
	belay_chan *ch = make(4);

	assert_int_equal(belay_send(bg(), ch, &(int){1}), 0);
	assert_ptr_equal(belay_chan_ref(ch), ch);
	belay_chan_unref(ch);
	assert_int_equal(belay_send(bg(), ch, &(int){2}), 0);
	assert_int_equal(belay_chan_len(ch), 2);
	belay_chan_unref(ch);
}

/* ---- Rendezvous ------------------------------------------------------------------------------ */

static void a_rendezvous_hands_over_between_threads(void **state)
{
	belay_chan *ch = make(0);
	struct end sender = {.ctx = bg(), .ch = ch, .value = 41};
	pthread_t thread = start(send_on_a_thread, &sender);
	int got = 0;

	assert_int_equal(belay_chan_cap(ch), 0);
	assert_int_equal(belay_recv(bg(), ch, &got), 0);
	pthread_join(thread, NULL);
	assert_int_equal(got, 41);
	assert_int_equal(sender.result, 0);
	assert_int_equal(belay_chan_len(ch), 0);
	belay_chan_unref(ch);
}

static void a_rendezvous_send_does_not_return_before_somebody_receives(void **state)
{
	belay_chan *ch = make(0);
	struct end sender = {.ctx = bg(), .ch = ch, .value = 42};
	pthread_t thread = start(send_on_a_thread, &sender);
	int got = 0;

	assert_true(check_until_asleep(&sender.tid));
	assert_false(atomic_load(&sender.over));
	assert_int_equal(belay_recv(bg(), ch, &got), 0);
	pthread_join(thread, NULL);
	belay_chan_unref(ch);
}

static void trying_matches_one_that_waits(void **state)
{
	belay_chan *ch = make(0);
	struct end sender = {.ctx = bg(), .ch = ch, .value = 43};
	struct end receiver = {.ctx = bg(), .ch = ch};
	pthread_t thread = start(send_on_a_thread, &sender);
	int got = 0;

	assert_true(check_until(belay_try_recv(ch, &got) == 0));
	pthread_join(thread, NULL);
	assert_int_equal(got, 43);
	thread = start(recv_on_a_thread, &receiver);
	assert_true(check_until(belay_try_send(ch, &(int){44}) == 0));
	pthread_join(thread, NULL);
	assert_int_equal(receiver.value, 44);
	belay_chan_unref(ch);
}

/* semantics 2.8 */
static void threads_and_tasks_meet_on_either_side(void **state)
{
	for (int capacity = 0; capacity < 2; capacity++) {
		belay_chan *ch = make((size_t)capacity);
		struct end to_task = {.ctx = bg(), .ch = ch};
		struct end from_task = {.ctx = bg(), .ch = ch, .value = 46};
		int got = 0;

		assert_int_equal(belay_go(bg(), recv_in_a_task, &to_task), 0);
		assert_int_equal(belay_send(bg(), ch, &(int){45}), 0);
		assert_true(check_until(atomic_load(&to_task.over)));
		assert_int_equal(to_task.result, 0);
		assert_int_equal(to_task.value, 45);
		assert_int_equal(belay_go(bg(), send_in_a_task, &from_task), 0);
		assert_int_equal(belay_recv(bg(), ch, &got), 0);
		assert_true(check_until(atomic_load(&from_task.over)));
		assert_int_equal(from_task.result, 0);
		assert_int_equal(got, 46);
		belay_chan_unref(ch);
	}
}

/* ---- Who waits first is served first --------------------------------------------------------- */

/* Tasks of a single worker join the queue one after another: what one notes just before it blocks
 * is the order of the queue. */
struct queue {
	belay_chan *ch;
	int order[8], joined;
	atomic_int over;
	int got[8];
};

struct place {
	struct queue *queue;
	int number;
};

static void queue_to_recv(belay_ctx *ctx, void *arg)
{
	struct place *place = arg;
	struct queue *queue = place->queue;

	queue->order[queue->joined++] = place->number;
	check(belay_recv(ctx, queue->ch, &queue->got[place->number]) == 0);
	atomic_fetch_add(&queue->over, 1);
}

static void queue_to_send(belay_ctx *ctx, void *arg)
{
	struct place *place = arg;
	struct queue *queue = place->queue;

	queue->order[queue->joined++] = place->number;
	check(belay_send(ctx, queue->ch, &place->number) == 0);
	atomic_fetch_add(&queue->over, 1);
}

/* Queues eight tasks on one worker; returns once all have noted themselves and wait. */
static void fill(struct queue *queue, struct place *places, void (*fn)(belay_ctx *, void *))
{
	setenv("BELAY_WORKERS", "1", 1);
	for (int i = 0; i < 8; i++) {
		places[i] = (struct place){queue, i};
		assert_int_equal(belay_go(bg(), fn, &places[i]), 0);
	}
}

static int clear_workers(void **state)
{
	unsetenv("BELAY_WORKERS");
	return 0;
}

static void wait_for_nothing(belay_ctx *ctx, void *arg)
{
	struct queue *queue = arg;

	while (queue->joined < 8)
		belay_yield();
}

/* semantics 2.3 */
static void receivers_that_wait_are_served_in_their_order(void **state)
{
	struct queue queue = {.ch = make(0)};
	struct place places[8];

	fill(&queue, places, queue_to_recv);
	check_in_task(wait_for_nothing, &queue);
	for (int i = 0; i < 8; i++)
		assert_int_equal(belay_try_send(queue.ch, &i), 0);
	assert_true(check_until(atomic_load(&queue.over) == 8));
	for (int i = 0; i < 8; i++)
		assert_int_equal(queue.got[queue.order[i]], i);
	belay_chan_unref(queue.ch);
}

/* semantics 2.3 */
static void senders_that_wait_are_served_in_their_order(void **state)
{
	struct queue queue = {.ch = make(0)};
	struct place places[8];
	int got = -1;

	fill(&queue, places, queue_to_send);
	check_in_task(wait_for_nothing, &queue);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(belay_try_recv(queue.ch, &got), 0);
		assert_int_equal(got, queue.order[i]);
	}
	assert_true(check_until(atomic_load(&queue.over) == 8));
	belay_chan_unref(queue.ch);
}

/* semantics 2.3 */
static void senders_that_wait_for_room_keep_their_order_behind_the_buffer(void **state)
{
	struct queue queue = {.ch = make(2)};
	struct place places[8];
	int got = -1;

	fill(&queue, places, queue_to_send);
	check_in_task(wait_for_nothing, &queue);
	assert_int_equal(belay_chan_len(queue.ch), 2);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(belay_try_recv(queue.ch, &got), 0);
		assert_int_equal(got, queue.order[i]);
	}
	assert_int_equal(belay_try_recv(queue.ch, &got), -EAGAIN);
	assert_true(check_until(atomic_load(&queue.over) == 8));
	belay_chan_unref(queue.ch);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(a_buffered_channel_holds_as_many_as_its_capacity),
	cmocka_unit_test(elements_come_out_in_the_order_they_went_in),
	cmocka_unit_test(trying_never_blocks),
	cmocka_unit_test(elements_of_any_size_are_copied_whole),
	cmocka_unit_test(elements_of_no_size_count_events),
	cmocka_unit_test(an_element_can_be_thrown_away),
	cmocka_unit_test(an_impossible_size_is_null),
	cmocka_unit_test(what_is_left_goes_with_the_last_reference),
	cmocka_unit_test(a_rendezvous_hands_over_between_threads),
	cmocka_unit_test(a_rendezvous_send_does_not_return_before_somebody_receives),
	cmocka_unit_test(trying_matches_one_that_waits),
	cmocka_unit_test(threads_and_tasks_meet_on_either_side),
	cmocka_unit_test_teardown(receivers_that_wait_are_served_in_their_order, clear_workers),
	cmocka_unit_test_teardown(senders_that_wait_are_served_in_their_order, clear_workers),
	cmocka_unit_test_teardown(senders_that_wait_for_room_keep_their_order_behind_the_buffer,
				  clear_workers))
