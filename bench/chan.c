/* SPDX-License-Identifier: MIT
 *
 * chan.c - what it costs to send an element and receive it again.
 */
#include "bench.h"

static void send_and_receive_alone(void *arg, long n)
{
	belay_ctx *ctx = belay_background();

	for (long i = 0; i < n; i++)
		if (belay_send(ctx, arg, &i) != 0 || belay_recv(ctx, arg, &i) != 0)
			abort();
}

static void try_receive_from_an_empty_one(void *arg, long n)
{
	long element;

	while (n-- > 0)
		if (belay_try_recv(arg, &element) == 0)
			abort();
}

/* ---- Two tasks ------------------------------------------------------------------------------- */

struct stream {
	belay_chan *elements, *over;
	long n;
};

static void send_all(belay_ctx *ctx, void *arg)
{
	struct stream *stream = arg;

	for (long i = 0; i < stream->n; i++)
		if (belay_send(ctx, stream->elements, &i) != 0)
			abort();
}

static void receive_all(belay_ctx *ctx, void *arg)
{
	struct stream *stream = arg;

	for (long i = 0, element; i < stream->n; i++)
		if (belay_recv(ctx, stream->elements, &element) != 0 || element != i)
			abort();
	belay_send(ctx, stream->over, NULL);
}

static void between_two_tasks(void *arg, long n)
{
	struct stream *stream = arg;
	belay_ctx *ctx = belay_background();

	stream->n = n;
	if (belay_go(ctx, receive_all, stream) != 0 || belay_go(ctx, send_all, stream) != 0 ||
	    belay_recv(ctx, stream->over, NULL) != 0)
		abort();
}

static void bench_stream(const char *name, size_t capacity)
{
	struct stream stream = {belay_chan_new(sizeof(long), capacity), belay_chan_new(0, 1), 0};

	bench(name, between_two_tasks, &stream, 100000);
	belay_chan_unref(stream.elements);
	belay_chan_unref(stream.over);
}

int main(void)
{
	belay_chan *buffered = belay_chan_new(sizeof(long), 1);

	bench_heading();
	bench("send, recv by one thread", send_and_receive_alone, buffered, 500000);
	bench("try_recv from an empty channel", try_receive_from_an_empty_one, buffered, 1000000);
	bench_stream("one task to another, rendezvous", 0);
	bench_stream("one task to another, capacity 128", 128);
	belay_chan_unref(buffered);
	belay_shutdown();
}
