/* SPDX-License-Identifier: MIT
 *
 * pipeline.c - stages, each a task, joined by channels: what one sends the next receives.
 *
 *     pipeline [COUNT]        generate 1..COUNT -> square -> add
 *
 * The end travels down the pipeline in two ways. In order: a stage that has no more to send closes
 * its channel, and the next, once it has drained it, closes its own. At once: where the context
 * ends, or a stage fails, which ends the group's context, every send and receive returns an error.
 */
#include "explain.h"

#include <errno.h>
#include <signal.h>

BELAY_CHAN(number_chan, unsigned long);

/* Stands on the stack of who waits for all of the stages, so nobody has to free it. */
struct pipeline {
	unsigned long count, sum;
	number_chan *numbers, *squares;
};

/* A closed channel is how a stage hears that its work is done. */
static int unless_closed(int err)
{
	return err == -EPIPE ? 0 : err;
}

static int generate(belay_ctx *ctx, void *arg)
{
	struct pipeline *p = arg;
	int err = 0;

	for (unsigned long n = 1; n <= p->count && err == 0; n++)
		err = number_chan_send(ctx, p->numbers, &n);
	number_chan_close(p->numbers);
	return err;
}

static int square(belay_ctx *ctx, void *arg)
{
	struct pipeline *p = arg;
	unsigned long n;
	int err;

	while ((err = number_chan_recv(ctx, p->numbers, &n)) == 0) {
		n *= n;
		err = number_chan_send(ctx, p->squares, &n);
		if (err < 0)
			break;
	}
	number_chan_close(p->squares);
	return unless_closed(err);
}

static int add(belay_ctx *ctx, void *arg)
{
	struct pipeline *p = arg;
	unsigned long n;
	int err;

	while ((err = number_chan_recv(ctx, p->squares, &n)) == 0)
		p->sum += n;
	return unless_closed(err);
}

/* Returns when all stages have. A stage that could not be started would be waited for in vain, so
 * the others are told to stop. */
static int run(belay_ctx *ctx, struct pipeline *p)
{
	int (*const stages[])(belay_ctx * ctx, void *arg) = {generate, square, add};
	belay_group *group = belay_group_new(ctx);
	int err = 0, failed;

	if (!group)
		return -ENOMEM;
	for (size_t i = 0; i < 3 && err == 0; i++)
		err = belay_group_go(group, stages[i], p);
	if (err < 0)
		belay_cancel(belay_group_ctx(group));
	failed = belay_group_wait(group);
	return err < 0 ? err : failed;
}

/* A little room in the channels lets the stages work side by side. */
static int sum_of_squares(belay_ctx *ctx, unsigned long count, unsigned long *ret)
{
	struct pipeline p = {
		.count = count,
		.numbers = number_chan_new(16),
		.squares = number_chan_new(16),
	};
	int err = p.numbers && p.squares ? run(ctx, &p) : -ENOMEM;

	number_chan_unref(p.numbers);
	number_chan_unref(p.squares);
	if (err == 0)
		*ret = p.sum;
	return err;
}

int main(int argc, char **argv)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 10, sum;
	int err = sum_of_squares(ctx, count, &sum), status;

	if (err == 0)
		printf("the squares of 1 to %lu add up to %lu\n", count, sum);
	status = explain("pipeline", ctx, err);
	belay_end(ctx);
	belay_shutdown();
	return status;
}
