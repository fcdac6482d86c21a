/* SPDX-License-Identifier: MIT
 *
 * pthread.c - what threads have for a channel: a ring under a mutex, and conditions.
 *
 * Locking     lock guards all of a queue.
 * Rendezvous  Capacity 0 is a ring of one place, whose sender also waits until its element is
 *             taken.
 */
#include "bench.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t element, room, taken;
	long *ring, sent, received; /* so many so far */
	long places;
	bool rendezvous, closed;
};

static void queue_init(struct queue *queue, long capacity)
{
	*queue = (struct queue){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.element = PTHREAD_COND_INITIALIZER,
		.room = PTHREAD_COND_INITIALIZER,
		.taken = PTHREAD_COND_INITIALIZER,
		.places = capacity > 0 ? capacity : 1,
		.rendezvous = capacity == 0,
	};
	queue->ring = bench_calloc((size_t)queue->places, sizeof *queue->ring);
}

static void queue_fini(struct queue *queue)
{
	free(queue->ring);
}

static void queue_send(struct queue *queue, long element)
{
	long mine;

	pthread_mutex_lock(&queue->lock);
	while (queue->sent - queue->received == queue->places)
		pthread_cond_wait(&queue->room, &queue->lock);
	mine = queue->sent++;
	queue->ring[mine % queue->places] = element;
	pthread_cond_signal(&queue->element);
	while (queue->rendezvous && queue->received <= mine)
		pthread_cond_wait(&queue->taken, &queue->lock);
	pthread_mutex_unlock(&queue->lock);
}

/* False: closed and empty. */
static bool queue_receive(struct queue *queue, long *ret)
{
	bool any;

	pthread_mutex_lock(&queue->lock);
	while (queue->sent == queue->received && !queue->closed)
		pthread_cond_wait(&queue->element, &queue->lock);
	any = queue->sent > queue->received;
	if (any) {
		*ret = queue->ring[queue->received++ % queue->places];
		pthread_cond_signal(&queue->room);
		if (queue->rendezvous)
			pthread_cond_broadcast(&queue->taken);
	}
	pthread_mutex_unlock(&queue->lock);
	return any;
}

static void queue_close(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->closed = true;
	pthread_cond_broadcast(&queue->element);
	pthread_mutex_unlock(&queue->lock);
}

/* ---- There and back -------------------------------------------------------------------------- */

struct ping {
	struct queue there, back;
	long n;
};

static void ask_or_answer(void *arg, int part)
{
	struct ping *ping = arg;

	for (long i = 0, element; i < ping->n; i++) {
		if (part == 0)
			queue_send(&ping->there, i);
		bench_must(queue_receive(part == 0 ? &ping->back : &ping->there, &element) &&
			   element == i);
		if (part == 1)
			queue_send(&ping->back, element);
	}
}

static void there_and_back(void *arg, long n)
{
	struct ping *ping = arg;

	ping->n = n;
	bench_threads(2, ask_or_answer, ping);
}

static void work_ping(void)
{
	struct ping ping;

	queue_init(&ping.there, bench_arg("capacity", 0));
	queue_init(&ping.back, bench_arg("capacity", 0));
	bench_tell("ns", bench_here(there_and_back, &ping));
	queue_fini(&ping.there);
	queue_fini(&ping.back);
}

/* ---- Streams --------------------------------------------------------------------------------- */

struct stream {
	struct queue queue;
	int senders, receivers, sending;
	long each, received;
};

static void send_all(struct stream *stream)
{
	for (long i = 0; i < stream->each; i++)
		queue_send(&stream->queue, i);
	if (__atomic_sub_fetch(&stream->sending, 1, __ATOMIC_ACQ_REL) == 0)
		queue_close(&stream->queue);
}

static void receive_all(struct stream *stream)
{
	long received = 0, element;

	while (queue_receive(&stream->queue, &element))
		received++;
	__atomic_fetch_add(&stream->received, received, __ATOMIC_RELAXED);
}

static void send_or_receive(void *arg, int i)
{
	struct stream *stream = arg;

	if (i < stream->senders)
		send_all(stream);
	else
		receive_all(stream);
}

static void run_stream(void *arg, long n)
{
	struct stream *stream = arg;

	queue_init(&stream->queue, bench_arg("capacity", 128));
	stream->sending = stream->senders;
	stream->each = n / stream->senders;
	stream->received = 0;
	bench_threads(stream->senders + stream->receivers, send_or_receive, stream);
	bench_must(stream->received == stream->each * stream->senders);
	queue_fini(&stream->queue);
}

static void work_stream(void)
{
	struct stream stream = {
		.senders = (int)bench_arg("senders", 1),
		.receivers = (int)bench_arg("receivers", 1),
	};

	bench_tell("ns", bench_here(run_stream, &stream));
}

static void send_and_receive(void *arg, long n)
{
	for (long i = 0, back; i < n; i++) {
		queue_send(arg, i);
		bench_must(queue_receive(arg, &back) && back == i);
	}
}

static void work_alone(void)
{
	struct queue queue;

	queue_init(&queue, 1);
	bench_tell("ns", bench_here(send_and_receive, &queue));
	queue_fini(&queue);
}

int main(int argc, char **argv)
{
	static const struct bench_entry entries[] = {
		{"alone", work_alone},
		{"rendezvous", work_ping}, /* with threads for tasks */
		{"threads", work_ping},
		{"mixed", work_ping},
		{"one_place", work_ping},
		{"one_place_threads", work_ping},
		{"one_place_mixed", work_ping},
		{"stream", work_stream},
		{NULL, NULL},
	};

	return bench_main(argc, argv, entries);
}
