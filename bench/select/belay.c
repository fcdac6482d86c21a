/* SPDX-License-Identifier: MIT
 *
 * belay.c - Belay's select: an element or the end of a context, and any of eight.
 */
#include "tasks.h"

#include <belay.h>
#include <stdlib.h>

/* ---- An element, or done --------------------------------------------------------------------- */

struct ping {
	belay_ctx *root, *ctx;
	belay_chan *there, *back;
	long n;
};

static long receive(const struct ping *ping, belay_chan *ch)
{
	long element;

	bench_must(belay_select(ping->root, BELAY_RECV(ch, &element), BELAY_DONE(ping->ctx)) == 0);
	return element;
}

static void give(const struct ping *ping, belay_chan *ch, long element)
{
	bench_must(belay_send(ping->root, ch, &element) == 0);
}

static void ask_or_answer(void *arg, int part)
{
	const struct ping *ping = arg;

	for (long i = 0; i < ping->n; i++) {
		if (part == 0) {
			give(ping, ping->there, i);
			bench_must(receive(ping, ping->back) == i);
		} else {
			give(ping, ping->back, receive(ping, ping->there));
		}
	}
}

static void there_and_back(void *arg, long n)
{
	struct ping *ping = arg;

	ping->n = n;
	bench_tasks(2, ask_or_answer, ping);
}

static void work_done(void)
{
	size_t capacity = (size_t)bench_arg("capacity", 1);
	struct ping ping = {
		.root = belay_background(),
		.ctx = belay_with_cancel(belay_background()),
		.there = belay_chan_new(sizeof(long), capacity),
		.back = belay_chan_new(sizeof(long), capacity),
	};

	bench_must(ping.there && ping.back);
	bench_tell("ns", bench_here_inside(there_and_back, &ping));
	belay_chan_unref(ping.there);
	belay_chan_unref(ping.back);
	belay_end(ping.ctx);
}

/* ---- One of eight ---------------------------------------------------------------------------- */

enum { CHANNELS = 8, DRAWN = 1024 };

struct eight {
	belay_chan *ch[CHANNELS];
	uint32_t *drawn;
};

static int receive_any(belay_chan *const ch[CHANNELS], long *ret)
{
	return belay_select(belay_background(), BELAY_RECV(ch[0], ret), BELAY_RECV(ch[1], ret),
			    BELAY_RECV(ch[2], ret), BELAY_RECV(ch[3], ret), BELAY_RECV(ch[4], ret),
			    BELAY_RECV(ch[5], ret), BELAY_RECV(ch[6], ret), BELAY_RECV(ch[7], ret));
}

static void send_to_one(void *arg, long n)
{
	const struct eight *eight = arg;

	for (long i = 0, element; i < n; i++) {
		int one = (int)(eight->drawn[i % DRAWN] % CHANNELS);

		bench_must(belay_send(belay_background(), eight->ch[one], &i) == 0);
		bench_must(receive_any(eight->ch, &element) == one && element == i);
	}
}

static void work_eight(void)
{
	struct eight eight = {.drawn = bench_shuffled(DRAWN)};

	for (int i = 0; i < CHANNELS; i++) {
		eight.ch[i] = belay_chan_new(sizeof(long), 1);
		bench_must(eight.ch[i] != NULL);
	}
	bench_tell("ns", bench_here_inside(send_to_one, &eight));
	for (int i = 0; i < CHANNELS; i++)
		belay_chan_unref(eight.ch[i]);
	free(eight.drawn);
}

int main(int argc, char **argv)
{
	static const struct bench_entry entries[] = {
		{"done", work_done},
		{"eight", work_eight},
		{NULL, NULL},
	};
	int status = bench_main(argc, argv, entries);

	belay_shutdown();
	return status;
}
