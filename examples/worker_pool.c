/* SPDX-License-Identifier: MIT
 *
 * worker_pool.c - a few tasks that work for many, each of whom has a context of its own.
 *
 *     worker_pool [BELOW]     which of the numbers below takes most steps to 1 (Collatz)?
 *
 * A job carries the context of who asked for it: that one's patience counts, and not the pool's.
 * Who asks waits for room in the queue, so that it can't grow without end, and then for the answer;
 * if its context ends meanwhile it goes, and the job is dropped when its turn comes. The answer has
 * a channel of its own with room for it, so no worker ever waits for somebody who has gone.
 */
#include "explain.h"

#include <errno.h>
#include <signal.h>

enum {
	WORKERS = 3,
	QUEUE = 8,
	CLIENTS = 20
};

struct answer {
	int err;
	unsigned steps;
};

BELAY_CHAN(answer_chan, struct answer);

/* Owns both references: whoever has the job gives them up with job_fini(). */
struct job {
	belay_ctx *ctx;
	answer_chan *answer;
	unsigned long number;
};

BELAY_CHAN(job_chan, struct job);

/* ---- The pool -------------------------------------------------------------------------------- */

struct pool {
	job_chan *jobs;
	belay_group *workers;
};

static void job_fini(struct job *job)
{
	belay_unref(job->ctx);
	answer_chan_unref(job->answer);
}

static int count_steps(belay_ctx *ctx, unsigned long n, unsigned *ret)
{
	for (*ret = 0; n > 1; ++*ret) {
		if (belay_err(ctx) < 0)
			return belay_err(ctx);
		n = n % 2 ? 3 * n + 1 : n / 2;
	}
	return 0;
}

static int work(belay_ctx *ctx, void *arg)
{
	struct pool *pool = arg;
	struct job job;
	int err;

	while ((err = job_chan_recv(ctx, pool->jobs, &job)) == 0) {
		struct answer answer = {0, 0};

		answer.err = count_steps(job.ctx, job.number, &answer.steps);
		answer_chan_try_send(job.answer, &answer);
		job_fini(&job);
	}
	return err == -EPIPE ? 0 : err;
}

/* In order: what stands in the queue is still done. Where the context has ended, the workers leave
 * it there, and it is dropped here: a channel frees its elements, not what they point to. */
static int pool_stop(struct pool *pool)
{
	struct job job;
	int err;

	job_chan_close(pool->jobs);
	err = belay_group_wait(pool->workers);
	while (job_chan_try_recv(pool->jobs, &job) == 0)
		job_fini(&job);
	job_chan_unref(pool->jobs);
	return err;
}

/* 0, and the pool is to be stopped with pool_stop(); or an error, and there is none. */
static int pool_start(struct pool *pool, belay_ctx *ctx)
{
	int err = 0;

	pool->jobs = job_chan_new(QUEUE);
	pool->workers = belay_group_new(ctx);
	if (!pool->jobs || !pool->workers)
		err = -ENOMEM;
	for (int i = 0; i < WORKERS && err == 0; i++)
		err = belay_group_go(pool->workers, work, pool);
	if (err < 0 && pool->workers) {
		pool_stop(pool);
		return err;
	}
	if (err < 0)
		job_chan_unref(pool->jobs);
	return err;
}

/* Blocks for the answer, as long as ctx allows. */
static int pool_ask(belay_ctx *ctx, struct pool *pool, unsigned long number, unsigned *ret)
{
	answer_chan *channel = answer_chan_new(1);
	struct job job = {belay_ref(ctx), answer_chan_ref(channel), number};
	struct answer answer;
	int err = channel ? job_chan_send(ctx, pool->jobs, &job) : -ENOMEM;

	if (err < 0)
		job_fini(&job); /* a failed call has taken nothing */
	else
		err = answer_chan_recv(ctx, channel, &answer);
	answer_chan_unref(channel);
	if (err < 0)
		return err;
	*ret = answer.steps;
	return answer.err;
}

/* ---- Its clients ----------------------------------------------------------------------------- */

struct client {
	struct pool *pool;
	unsigned long first, below, best;
	unsigned steps;
};

static int ask_for(belay_ctx *ctx, struct client *client, unsigned long number)
{
	BELAY_SCOPED belay_ctx *patience = belay_with_timeout(ctx, BELAY_S(60));
	unsigned steps;
	int err = pool_ask(patience, client->pool, number, &steps);

	if (err == 0 && steps > client->steps) {
		client->steps = steps;
		client->best = number;
	}
	return err;
}

static int ask_for_many(belay_ctx *ctx, void *arg)
{
	struct client *client = arg;
	int err = 0;

	for (unsigned long n = client->first; n < client->below && err == 0; n += CLIENTS)
		err = ask_for(ctx, client, n);
	return err;
}

static int run_clients(belay_ctx *ctx, struct client clients[CLIENTS])
{
	belay_group *group = belay_group_new(ctx);
	int err = 0, failed;

	if (!group)
		return -ENOMEM;
	for (int i = 0; i < CLIENTS && err == 0; i++)
		err = belay_group_go(group, ask_for_many, &clients[i]);
	if (err < 0)
		belay_cancel(belay_group_ctx(group));
	failed = belay_group_wait(group);
	return err < 0 ? err : failed;
}

static int find_longest(belay_ctx *ctx, unsigned long below, struct client *ret)
{
	struct client clients[CLIENTS];
	struct pool pool;
	int err = pool_start(&pool, ctx), stopped;

	if (err < 0)
		return err;
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = (struct client){&pool, 1 + (unsigned long)i, below, 0, 0};
	err = run_clients(ctx, clients);
	stopped = pool_stop(&pool);
	*ret = clients[0];
	for (int i = 1; i < CLIENTS; i++)
		if (clients[i].steps > ret->steps)
			*ret = clients[i];
	return err < 0 ? err : stopped;
}

int main(int argc, char **argv)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	unsigned long below = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
	struct client longest;
	int err = find_longest(ctx, below, &longest), status;

	if (err == 0)
		printf("below %lu, %lu takes most steps: %u\n", below, longest.best, longest.steps);
	status = explain("worker_pool", ctx, err);
	belay_end(ctx);
	belay_shutdown();
	return status;
}
