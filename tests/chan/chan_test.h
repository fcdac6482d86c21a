/* SPDX-License-Identifier: MIT
 *
 * chan_test.h - what the tests of channels share: channels of ints, and who is at their other end.
 */
#ifndef BELAY_TESTS_CHAN_TEST_H
#define BELAY_TESTS_CHAN_TEST_H

#include "check.h"

#include "asleep.h"

#include <pthread.h>
#include <stdatomic.h>

static inline belay_ctx *bg(void) { return belay_background(); }

static inline belay_chan *make(size_t capacity)
{
	belay_chan *ch = belay_chan_new(sizeof(int), capacity);

	assert_non_null(ch);
	return ch;
}

/* One end of a channel, for a thread or a task that uses it once. */
struct end {
	belay_ctx *ctx;
	belay_chan *ch;
	int value, result;
	atomic_int tid;
	atomic_bool over;
};

static inline void *send_on_a_thread(void *arg)
{
	struct end *end = arg;

	atomic_store(&end->tid, gettid());
	end->result = belay_send(end->ctx, end->ch, &end->value);
	atomic_store(&end->over, true);
	return NULL;
}

static inline void *recv_on_a_thread(void *arg)
{
	struct end *end = arg;

	atomic_store(&end->tid, gettid());
	end->result = belay_recv(end->ctx, end->ch, &end->value);
	atomic_store(&end->over, true);
	return NULL;
}

static inline void send_in_a_task(belay_ctx *ctx, void *arg) { send_on_a_thread(arg); }
static inline void recv_in_a_task(belay_ctx *ctx, void *arg) { recv_on_a_thread(arg); }

static inline pthread_t start(void *(*fn)(void *), struct end *end)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, fn, end), 0);
	return thread;
}

#endif
