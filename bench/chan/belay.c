/* SPDX-License-Identifier: MIT
 *
 * belay.c - Belay's channels: an element from one to the other, and to oneself.
 */
#include "bench.h"

#include <belay.h>
#include <errno.h>

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

/* As one task: Go has nothing else. */
struct alone {
	bench_work *work;
	belay_chan *ch, *over;
};

static void tell_of_a_task(belay_ctx *ctx, void *arg)
{
	struct alone *alone = arg;

	bench_tell("ns", bench_cpu(alone->work, alone->ch));
	bench_must(belay_send(ctx, alone->over, NULL) == 0);
}

static void run_alone(bench_work *work)
{
	belay_ctx *ctx = belay_background();
	struct alone alone = {work, belay_chan_new(sizeof(long), 1), belay_chan_new(0, 1)};

	bench_must(belay_go(ctx, tell_of_a_task, &alone) == 0);
	bench_must(belay_recv(ctx, alone.over, NULL) == 0);
	belay_chan_unref(alone.ch);
	belay_chan_unref(alone.over);
}

static void work_alone(void)
{
	run_alone(send_and_receive);
}

static void work_try_recv(void)
{
	run_alone(try_to_receive);
}

/* ---- Two tasks ------------------------------------------------------------------------------- */

struct stream {
	belay_chan *elements, *over;
	long n;
};

static void send_all(belay_ctx *ctx, void *arg)
{
	struct stream *stream = arg;
	long n = stream->n; /* which may be the next stream's once the last is received */

	for (long i = 0; i < n; i++)
		bench_must(belay_send(ctx, stream->elements, &i) == 0);
}

static void receive_all(belay_ctx *ctx, void *arg)
{
	struct stream *stream = arg;

	for (long i = 0, element; i < stream->n; i++)
		bench_must(belay_recv(ctx, stream->elements, &element) == 0 && element == i);
	bench_must(belay_send(ctx, stream->over, NULL) == 0);
}

static void stream(void *arg, long n)
{
	struct stream *stream = arg;
	belay_ctx *ctx = belay_background();

	stream->n = n;
	bench_must(belay_go(ctx, receive_all, stream) == 0);
	bench_must(belay_go(ctx, send_all, stream) == 0);
	bench_must(belay_recv(ctx, stream->over, NULL) == 0);
}

static void work_stream(void)
{
	struct stream arg = {
		.elements = belay_chan_new(sizeof(long), (size_t)bench_arg("capacity", 0)),
		.over = belay_chan_new(0, 1),
	};

	bench_tell("ns", bench_wall(1, stream, &arg));
	belay_chan_unref(arg.elements);
	belay_chan_unref(arg.over);
}

int main(int argc, char **argv)
{
	static const struct bench_entry entries[] = {
		{"alone", work_alone},
		{"try_recv", work_try_recv},
		{"stream", work_stream},
		{NULL, NULL},
	};
	int status = bench_main(argc, argv, entries);

	belay_shutdown();
	return status;
}
