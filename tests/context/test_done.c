/* SPDX-License-Identifier: MIT
 *
 * test_done.c - the three ways to wait for an end: the done channel, belay_wait(), a descriptor.
 */
#include "check.h"

#include "asleep.h"
#include "few_descriptors.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

static const belay_key key = {.name = "key"};

/* What a thread or task that waits was told. */
struct waiter {
	belay_ctx *ctx;
	int result;
	atomic_int tid;
	atomic_bool over;
};

static void wait_and_note(struct waiter *waiter)
{
	atomic_store(&waiter->tid, gettid());
	waiter->result = belay_wait(waiter->ctx);
	atomic_store(&waiter->over, true);
}

static void *wait_on_a_thread(void *arg)
{
	wait_and_note(arg);
	return NULL;
}

static void wait_in_a_task(belay_ctx *ctx, void *arg)
{
	wait_and_note(arg);
}

static short polled(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_true(poll(&p, 1, timeout_ms) >= 0);
	return p.revents;
}

static void waiting_returns_the_error_of_a_done_context_at_once(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_ctx *expired = belay_with_timeout(belay_background(), 0);

	belay_cancel(ctx);
	assert_int_equal(belay_wait(ctx), -ECANCELED);
	assert_int_equal(belay_wait(expired), -ETIME);
	belay_end(expired);
	belay_end(ctx);
}

static void waiting_blocks_until_another_thread_cancels(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	struct waiter waiter = {.ctx = ctx};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, wait_on_a_thread, &waiter), 0);
	assert_true(check_until_asleep(&waiter.tid));
	assert_false(atomic_load(&waiter.over));
	belay_cancel(ctx);
	pthread_join(thread, NULL);
	assert_int_equal(waiter.result, -ECANCELED);
	belay_end(ctx);
}

static void any_number_of_threads_and_tasks_are_woken(void **state)
{
	enum { N = 16 };
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	belay_ctx *value = check_live(belay_with_value(ctx, &key, NULL));
	struct waiter threads[N], tasks[N];
	pthread_t thread[N];

	for (int i = 0; i < N; i++) {
		threads[i] = tasks[i] = (struct waiter){.ctx = i % 2 ? ctx : value};
		assert_int_equal(pthread_create(&thread[i], NULL, wait_on_a_thread,
						&threads[i]), 0);
		assert_int_equal(belay_go(belay_background(), wait_in_a_task, &tasks[i]), 0);
	}
	for (int i = 0; i < N; i++) {
		assert_true(check_until_asleep(&threads[i].tid));
		assert_true(check_until_asleep(&tasks[i].tid));
	}
	belay_cancel(ctx);
	for (int i = 0; i < N; i++) {
		pthread_join(thread[i], NULL);
		assert_true(check_until(atomic_load(&tasks[i].over)));
		assert_int_equal(threads[i].result, -ECANCELED);
		assert_int_equal(tasks[i].result, -ECANCELED);
	}
	belay_end(value);
	belay_end(ctx);
}

static void waiting_for_what_can_never_be_done_is_edeadlk(void **state)
{
	belay_ctx *value = belay_with_value(belay_background(), &key, NULL);
	belay_ctx *without = belay_without_cancel(value);

	assert_int_equal(belay_wait(belay_background()), -EDEADLK);
	assert_int_equal(belay_wait(belay_todo()), -EDEADLK);
	assert_int_equal(belay_wait(value), -EDEADLK);
	assert_int_equal(belay_wait(without), -EDEADLK);
	assert_int_equal(belay_wait(NULL), -EINVAL);
	belay_end(without);
	belay_end(value);
}

static void receiving_from_a_done_channel_blocks_until_the_end(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_MS(2));

	assert_int_equal(belay_recv(belay_background(), belay_done(ctx), NULL), -EPIPE);
	assert_int_equal(belay_err(ctx), -ETIME);
	belay_end(ctx);
}

static void a_done_channel_is_closed_by_the_contexts_end_alone(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_chan *done = belay_done(ctx);

	assert_int_equal(belay_chan_close(done), -EINVAL);
	assert_int_equal(belay_err(ctx), 0);
	assert_int_equal(belay_try_recv(done, NULL), -EAGAIN);
	assert_int_equal(belay_chan_len(done), 0);
	assert_int_equal(belay_chan_cap(done), 0);
	belay_cancel(ctx);
	assert_int_equal(belay_try_recv(done, NULL), -EPIPE);
	belay_end(ctx);
}

static void a_reference_to_the_done_channel_keeps_the_context_alive(void **state)
{
	size_t before = belay_tree_count();
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_chan *done = belay_chan_ref(belay_done(ctx));

	assert_ptr_equal(done, belay_done(ctx));
	belay_end(ctx);
	assert_int_equal(belay_tree_count(), before + 1);
	assert_int_equal(belay_try_recv(done, NULL), -EPIPE);
	belay_chan_unref(done);
	assert_int_equal(belay_tree_count(), before);
}

static void a_value_has_its_parents_done_channel(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_ctx *value = belay_with_value(ctx, &key, NULL);

	assert_ptr_equal(belay_done(value), belay_done(ctx));
	belay_end(value);
	belay_end(ctx);
}

static void a_descriptor_becomes_readable_when_the_context_is_done(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	int fd = belay_done_fd(ctx);

	assert_true(fd >= 0);
	assert_int_equal(belay_done_fd(ctx), fd);
	assert_int_equal(polled(fd, 0), 0);
	belay_cancel(ctx);
	assert_int_equal(polled(fd, 0), POLLIN);
	assert_int_equal(polled(fd, 0), POLLIN);
	assert_int_equal(belay_done_fd(ctx), fd);
	belay_end(ctx);
}

static void a_descriptor_of_a_done_context_is_readable_at_once(void **state)
{
	belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), 0));
	int fd = belay_done_fd(ctx);

	assert_true(fd >= 0);
	assert_int_equal(polled(fd, 0), POLLIN);
	belay_end(ctx);
}

static void poll_is_woken_by_a_deadline(void **state)
{
	belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), BELAY_MS(2)));
	int fd = belay_done_fd(ctx);

	assert_true(fd >= 0);
	assert_int_equal(polled(fd, 60000), POLLIN);
	assert_int_equal(belay_err(ctx), -ETIME);
	belay_end(ctx);
}

static void epoll_is_woken_by_an_ancestors_end(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_ctx *child = belay_with_cancel(ctx);
	struct epoll_event event = {.events = EPOLLIN}, got;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	assert_true(epoll >= 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, belay_done_fd(child), &event), 0);
	assert_int_equal(epoll_wait(epoll, &got, 1, 0), 0);
	belay_cancel(ctx);
	assert_int_equal(epoll_wait(epoll, &got, 1, 60000), 1);
	close(epoll);
	belay_end(child);
	belay_end(ctx);
}

static void a_values_descriptor_tells_its_parents_end(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	belay_ctx *value = check_live(belay_with_value(ctx, &key, NULL));
	int fd = belay_done_fd(value);

	assert_true(fd >= 0);
	assert_int_equal(belay_done_fd(value), fd);
	belay_cancel(ctx);
	assert_int_equal(polled(fd, 0), POLLIN);
	belay_end(value);
	belay_end(ctx);
}

static void the_descriptor_goes_with_the_context(void **state)
{
	unsigned before = check_descriptors();

	for (int i = 0; i < 100; i++) {
		belay_ctx *ctx = belay_with_cancel(belay_background());

		assert_true(belay_done_fd(ctx) >= 0);
		if (i % 2)
			belay_cancel(ctx);
		belay_unref(ctx);
	}
	assert_int_equal(check_descriptors(), before);
}

static void what_can_never_be_done_has_no_descriptor(void **state)
{
	belay_ctx *without = belay_without_cancel(belay_background());

	assert_int_equal(belay_done_fd(belay_background()), -EDEADLK);
	assert_int_equal(belay_done_fd(belay_todo()), -EDEADLK);
	assert_int_equal(belay_done_fd(without), -EDEADLK);
	assert_int_equal(belay_done_fd(NULL), -EINVAL);
	belay_end(without);
}

static void without_descriptors_left_it_is_emfile_and_can_be_asked_again(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	int fd;

	forbid_descriptors();
	fd = belay_done_fd(ctx);
	allow_descriptors();
	assert_int_equal(fd, -EMFILE);
	assert_int_equal(belay_err(ctx), 0);
	fd = belay_done_fd(ctx);
	assert_true(fd >= 0);
	belay_cancel(ctx);
	assert_int_equal(polled(fd, 0), POLLIN);
	belay_end(ctx);
}

static void *ask_for_descriptor(void *arg)
{
	struct waiter *waiter = arg;

	waiter->result = belay_done_fd(waiter->ctx);
	return NULL;
}

static void many_threads_that_ask_at_once_get_one_descriptor(void **state)
{
	enum { N = 8 };

	for (int round = 0; round < 50; round++) {
		unsigned before = check_descriptors();
		belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
		struct waiter asker[N];
		pthread_t thread[N];

		for (int i = 0; i < N; i++) {
			asker[i] = (struct waiter){.ctx = ctx};
			assert_int_equal(pthread_create(&thread[i], NULL, ask_for_descriptor,
							&asker[i]), 0);
		}
		if (round % 2)
			belay_cancel(ctx);
		for (int i = 0; i < N; i++)
			pthread_join(thread[i], NULL);
		for (int i = 0; i < N; i++)
			assert_int_equal(asker[i].result, asker[0].result);
		belay_cancel(ctx);
		assert_int_equal(polled(asker[0].result, 0), POLLIN);
		assert_int_equal(check_descriptors(), before + 1);
		belay_end(ctx);
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(waiting_returns_the_error_of_a_done_context_at_once),
		cmocka_unit_test(waiting_blocks_until_another_thread_cancels),
		cmocka_unit_test(any_number_of_threads_and_tasks_are_woken),
		cmocka_unit_test(waiting_for_what_can_never_be_done_is_edeadlk),
		cmocka_unit_test(receiving_from_a_done_channel_blocks_until_the_end),
		cmocka_unit_test(a_done_channel_is_closed_by_the_contexts_end_alone),
		cmocka_unit_test(a_reference_to_the_done_channel_keeps_the_context_alive),
		cmocka_unit_test(a_value_has_its_parents_done_channel),
		cmocka_unit_test(a_descriptor_becomes_readable_when_the_context_is_done),
		cmocka_unit_test(a_descriptor_of_a_done_context_is_readable_at_once),
		cmocka_unit_test(poll_is_woken_by_a_deadline),
		cmocka_unit_test(epoll_is_woken_by_an_ancestors_end),
		cmocka_unit_test(a_values_descriptor_tells_its_parents_end),
		cmocka_unit_test(the_descriptor_goes_with_the_context),
		cmocka_unit_test(what_can_never_be_done_has_no_descriptor),
		cmocka_unit_test(without_descriptors_left_it_is_emfile_and_can_be_asked_again),
		cmocka_unit_test(many_threads_that_ask_at_once_get_one_descriptor))
