/* SPDX-License-Identifier: MIT
 *
 * crew.h - many at once, half of them plain threads and half tasks, and a look into a lock's queue.
 */
#ifndef BELAY_TESTS_SYNC_CREW_H
#define BELAY_TESTS_SYNC_CREW_H

#include "check.h"

#include "sync/sync.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CREW_MOST = 16 };

/* One of a crew: its number, and what all share. */
struct hand {
	struct crew *crew;
	unsigned number;
	uint64_t random;
	bool task;
};

struct crew {
	void (*fn)(struct hand *hand);
	void *arg;
	struct hand hands[CREW_MOST];
	pthread_t threads[CREW_MOST];
	unsigned size;
	atomic_uint running;
};

/* The count is the last touch of the crew, which may stand on the stack of who joins. */
static inline void crew_run(struct hand *hand)
{
	struct crew *crew = hand->crew;

	crew->fn(hand);
	atomic_fetch_sub(&crew->running, 1);
}

static inline void *crew_thread(void *arg)
{
	crew_run(arg);
	return NULL;
}

static inline void crew_task(belay_ctx *ctx, void *arg)
{
	crew_run(arg);
}

/* One more hand runs fn, in a task or on a thread of its own. */
static inline void crew_add_kind(struct crew *crew, bool task)
{
	unsigned number = crew->size++;
	struct hand *hand = &crew->hands[number];

	*hand = (struct hand){crew, number, 0x9e3779b97f4a7c15u * (number + 1), task};
	atomic_fetch_add(&crew->running, 1);
	if (task)
		assert_int_equal(belay_go(belay_background(), crew_task, hand), 0);
	else
		assert_int_equal(pthread_create(&crew->threads[number], NULL, crew_thread, hand),
				 0);
}

/* A thread, then a task, then a thread ... */
static inline void crew_add(struct crew *crew)
{
	crew_add_kind(crew, crew->size % 2 == 1);
}

/* On return every hand has returned from fn. */
static inline void crew_join(struct crew *crew)
{
	for (unsigned i = 0; i < crew->size; i++)
		if (!crew->hands[i].task)
			pthread_join(crew->threads[i], NULL);
	assert_true(check_until(atomic_load(&crew->running) == 0));
}

static inline void crew_all(unsigned size, void (*fn)(struct hand *hand), void *arg)
{
	struct crew crew = {.fn = fn, .arg = arg};

	for (unsigned i = 0; i < size; i++)
		crew_add(&crew);
	crew_join(&crew);
}

/* xorshift64, Marsaglia. */
static inline unsigned hand_random(struct hand *hand, unsigned below)
{
	hand->random ^= hand->random << 13;
	hand->random ^= hand->random >> 7;
	hand->random ^= hand->random << 17;
	return (unsigned)(hand->random >> 33) % below;
}

/* A context that ends within a few dozen microseconds, now and then one that does not. */
static inline belay_ctx *hand_ctx(struct hand *hand)
{
	if (hand_random(hand, 8) == 0)
		return check_live(belay_with_cancel(belay_background()));
	return check_live(belay_with_timeout(belay_background(), BELAY_US(hand_random(hand, 60))));
}

/* How many stand in the queue. */
static inline size_t queued(struct belay_waiters *waiters)
{
	struct belay__list *queue, *link;
	size_t n = 0;

	belay__waiters_take(waiters);
	queue = belay__waiters_queue(waiters);
	for (link = queue->next; link != queue; link = link->next)
		n++;
	belay__waiters_give(waiters);
	return n;
}

#endif
