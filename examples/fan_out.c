/* SPDX-License-Identifier: MIT
 *
 * fan_out.c - one channel, several tasks that receive from it: who is free takes the next piece.
 *
 *     fan_out [BELOW]         counts the primes below that number
 *
 * The pieces at the end of the line are harder than those at its beginning. Dealt out beforehand
 * they would keep one task busy while the others are through; taken from one channel they balance
 * themselves. A channel with little room also keeps the source from running ahead.
 */
#include "explain.h"

#include <errno.h>
#include <signal.h>

enum {
	TASKS = 4,
	PIECE = 1000
};

struct piece {
	unsigned long from, to; /* without to itself */
};

BELAY_CHAN(piece_chan, struct piece);

/* Each task counts for itself, and who has waited for all adds up: no lock is needed. */
struct counter {
	piece_chan *pieces;
	unsigned long primes;
};

static bool is_prime(unsigned long n)
{
	for (unsigned long i = 2; i <= n / i; i++)
		if (n % i == 0)
			return false;
	return n >= 2;
}

/* Code that computes asks its context now and then, which is one load, and lets others run. */
static int count_piece(belay_ctx *ctx, const struct piece *piece, unsigned long *primes)
{
	for (unsigned long n = piece->from; n < piece->to; n++) {
		if (belay_err(ctx) < 0)
			return belay_err(ctx);
		*primes += is_prime(n);
	}
	belay_yield();
	return 0;
}

static int count(belay_ctx *ctx, void *arg)
{
	struct counter *counter = arg;
	struct piece piece;
	int err;

	while ((err = piece_chan_recv(ctx, counter->pieces, &piece)) == 0) {
		err = count_piece(ctx, &piece, &counter->primes);
		if (err < 0)
			return err;
	}
	return err == -EPIPE ? 0 : err; /* closed: there are no more pieces */
}

static int cut(belay_ctx *ctx, piece_chan *pieces, unsigned long below)
{
	int err = 0;

	for (unsigned long n = 0; n < below && err == 0; n += PIECE) {
		struct piece piece = {n, below - n > PIECE ? n + PIECE : below};

		err = piece_chan_send(ctx, pieces, &piece);
	}
	piece_chan_close(pieces);
	return err;
}

/* The caller is the source. It sends under the group's context, so that it stops too where a task
 * fails; and whatever happens, it closes the channel, so that the tasks end. */
static int run(belay_ctx *ctx, struct counter counters[TASKS], unsigned long below)
{
	belay_group *group = belay_group_new(ctx);
	int err = 0, failed;

	if (!group)
		return -ENOMEM;
	for (int i = 0; i < TASKS && err == 0; i++)
		err = belay_group_go(group, count, &counters[i]);
	if (err == 0)
		err = cut(belay_group_ctx(group), counters[0].pieces, below);
	else
		belay_cancel(belay_group_ctx(group));
	failed = belay_group_wait(group);
	return failed < 0 ? failed : err;
}

static int count_primes(belay_ctx *ctx, unsigned long below, unsigned long *ret)
{
	struct counter counters[TASKS] = {{NULL, 0}};
	piece_chan *pieces = piece_chan_new(TASKS);
	int err;

	if (!pieces)
		return -ENOMEM;
	for (int i = 0; i < TASKS; i++)
		counters[i].pieces = pieces;
	err = run(ctx, counters, below);
	piece_chan_unref(pieces);
	*ret = 0;
	for (int i = 0; i < TASKS; i++)
		*ret += counters[i].primes;
	return err;
}

int main(int argc, char **argv)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	unsigned long below = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000, primes;
	int err = count_primes(ctx, below, &primes), status;

	if (err == 0)
		printf("%lu primes below %lu\n", primes, below);
	status = explain("fan_out", ctx, err);
	belay_end(ctx);
	belay_shutdown();
	return status;
}
