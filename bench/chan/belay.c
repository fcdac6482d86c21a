/* SPDX-License-Identifier: MIT
 *
 * belay.c - Belay's channels: to oneself, there and back, and streams.
 */
#include "tasks.h"

#include <belay.h>
#include <errno.h>

/* ---- Alone ----------------------------------------------------------------------------------- */

static void send_and_receive(void *arg, long n)
{
	belay_ctx *ctx = belay_background();

	for (long i = 0, back; i < n; i++)
		bench_must(belay_send(ctx, arg, &i) == 0 && belay_recv(ctx, arg, &back) == 0 &&
			   back == i);
}

static void try_to_receive(void *arg, long n)
{
	long element;

	while (n-- > 0)
		bench_must(belay_try_recv(arg, &element) == -EAGAIN);
}

static void tell_alone(bench_work *work)
{
	belay_chan *ch = belay_chan_new(sizeof(long), 1);

	bench_must(ch != NULL);
	bench_tell("ns", bench_here_inside(work, ch));
	belay_chan_unref(ch);
}

static void work_alone(void)
{
	tell_alone(send_and_receive);
}

static void work_try_recv(void)
{
	tell_alone(try_to_receive);
}

/* ---- There and back -------------------------------------------------------------------------- */

struct ping {
	bench_crew *crew;
	belay_ctx *ctx;
	belay_chan *there, *back;
	long n;
};

static void ask(const struct ping *ping)
{
	for (long i = 0, answer; i < ping->n; i++)
		bench_must(belay_send(ping->ctx, ping->there, &i) == 0 &&
			   belay_recv(ping->ctx, ping->back, &answer) == 0 && answer == i);
}

static void answer(const struct ping *ping)
{
	for (long i = 0, question; i < ping->n; i++)
		bench_must(belay_recv(ping->ctx, ping->there, &question) == 0 && question == i &&
			   belay_send(ping->ctx, ping->back, &question) == 0);
}

static void ask_or_answer(void *arg, int i)
{
	if (i == 0)
		ask(arg);
	else
		answer(arg);
}

static void there_and_back(void *arg, long n)
{
	struct ping *ping = arg;

	ping->n = n;
	ping->crew(2, ask_or_answer, ping);
}

static void tell_ping(bench_crew *crew, belay_ctx *ctx)
{
	size_t capacity = (size_t)bench_arg("capacity", 0);
	struct ping ping = {
		.crew = crew,
		.ctx = ctx,
		.there = belay_chan_new(sizeof(long), capacity),
		.back = belay_chan_new(sizeof(long), capacity),
	};

	bench_must(ping.there && ping.back);
	bench_tell("ns", crew == bench_tasks ? bench_here_inside(there_and_back, &ping)
					     : bench_here(there_and_back, &ping));
	belay_chan_unref(ping.there);
	belay_chan_unref(ping.back);
}

static void work_tasks(void)
{
	tell_ping(bench_tasks, belay_background());
}

static void work_cancellable(void)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	tell_ping(bench_tasks, ctx);
	belay_end(ctx);
}

static void work_threads(void)
{
	tell_ping(bench_threads, belay_background());
}

static void work_mixed(void)
{
	tell_ping(bench_thread_and_tasks, belay_background());
}

/* ---- Streams --------------------------------------------------------------------------------- */

/* The last sender closes the channel, which ends the receivers. */
struct stream {
	belay_chan *ch;
	int senders, receivers, sending;
	long each, received;
};

static void send_all(struct stream *stream)
{
	for (long i = 0; i < stream->each; i++)
		bench_must(belay_send(belay_background(), stream->ch, &i) == 0);
	if (__atomic_sub_fetch(&stream->sending, 1, __ATOMIC_ACQ_REL) == 0)
		bench_must(belay_chan_close(stream->ch) == 0);
}

static void receive_all(struct stream *stream)
{
	long received = 0, element;

	while (belay_recv(belay_background(), stream->ch, &element) == 0)
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

	stream->ch = belay_chan_new(sizeof(long), (size_t)bench_arg("capacity", 128));
	bench_must(stream->ch != NULL);
	stream->sending = stream->senders;
	stream->each = n / stream->senders;
	stream->received = 0;
	bench_tasks(stream->senders + stream->receivers, send_or_receive, stream);
	bench_must(stream->received == stream->each * stream->senders);
	belay_chan_unref(stream->ch);
}

static void work_stream(void)
{
	struct stream stream = {
		.senders = (int)bench_arg("senders", 1),
		.receivers = (int)bench_arg("receivers", 1),
	};

	bench_tell("ns", bench_here_inside(run_stream, &stream));
}

int main(int argc, char **argv)
{
	static const struct bench_entry entries[] = {
		{"alone", work_alone},
		{"try_recv", work_try_recv},
		{"rendezvous", work_tasks},
		{"cancellable", work_cancellable},
		{"threads", work_threads},
		{"mixed", work_mixed},
		{"one_place", work_tasks},
		{"one_place_threads", work_threads},
		{"one_place_mixed", work_mixed},
		{"stream", work_stream},
		{NULL, NULL},
	};
	int status = bench_main(argc, argv, entries);

	belay_shutdown();
	return status;
}
