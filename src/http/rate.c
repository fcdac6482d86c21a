/* SPDX-License-Identifier: MIT
 *
 * rate.c - so many requests from each client: token buckets in a table that does not grow.
 *
 * A bucket is one moment: the one at which it would be full again, had no more come. A request
 * moves it on by one interval, and is refused where that would put it more than burst intervals
 * ahead of now. That is the generic cell rate algorithm (ATM Forum, Traffic Management 4.0, section
 * 4.4.2), which lets through exactly what a token bucket does, and needs no clock that fills it. A
 * moment that has passed is a full bucket, as is no entry at all: so entries need not be removed.
 *
 * Invariants  a client stands in one way of its row at most. Of two clients with the same 64 bits,
 *             which nobody can find, one would be refused for the other.
 * Locking     each row has its own lock, BELAY__RANK_LEAF.
 */
#include "http/client_key.h"
#include "http/misuse.h"
#include "http/refusal.h"

#include "base/alloc.h"
#include "base/lock.h"

#include <belay/http_middleware.h>

#include <errno.h>
#include <string.h>

enum { WAYS = 8, DEFAULT_CLIENTS = 16384 };

struct bucket {
	uint64_t client;
	int64_t full_at; /* on belay_now()'s clock */
};

struct row {
	struct belay__lock lock; /* guards buckets */
	struct bucket buckets[WAYS];
};

struct belay_rate_limit {
	const char *(*key)(const belay_request *req, void *arg);
	void *arg;
	int64_t interval;  /* of one request             */
	int64_t tolerance; /* how far ahead of now one may get */
	uint64_t secret[2];
	size_t mask;       /* of rows */
	struct row rows[];
};

/* ---- The table ------------------------------------------------------------------------------- */

/* The client's bucket, or the one that is the fullest, made the client's. */
static struct bucket *bucket_of(struct row *row, uint64_t client, int64_t now)
{
	struct bucket *fullest = row->buckets;

	for (size_t i = 0; i < WAYS; i++) {
		struct bucket *b = &row->buckets[i];

		if (b->client == client)
			return b;
		if (b->full_at < fullest->full_at)
			fullest = b;
	}
	*fullest = (struct bucket){.client = client, .full_at = now};
	return fullest;
}

/* 0, or how long until there is a token, in ns. */
static int64_t take(const belay_rate_limit *limit, struct bucket *bucket, int64_t now)
{
	int64_t from = bucket->full_at > now ? bucket->full_at : now;
	int64_t wait = from + limit->interval - now - limit->tolerance;

	if (wait > 0)
		return wait;
	bucket->full_at = from + limit->interval;
	return 0;
}

static int64_t ask(belay_rate_limit *limit, uint64_t client)
{
	struct row *row = &limit->rows[client & limit->mask];
	int64_t now = belay_now(), wait;

	belay__lock_take(&row->lock, BELAY__RANK_LEAF);
	wait = take(limit, bucket_of(row, client, now), now);
	belay__lock_give(&row->lock, BELAY__RANK_LEAF);
	return wait;
}

/* ---- The middleware -------------------------------------------------------------------------- */

static uint64_t client_of(const belay_rate_limit *limit, const belay_request *req)
{
	const char *text = limit->key ? limit->key(req, limit->arg) : NULL;

	return text ? belay__siphash(limit->secret, text, strlen(text))
		    : belay__client_key(limit->secret, belay_request_remote(req));
}

int belay_http_limit_rate(belay_ctx *ctx, belay_request *req, belay_response *res,
			  const belay_chain *next, void *arg)
{
	belay_rate_limit *limit = arg;
	int64_t wait;

	if (!limit)
		return belay__answer_misuse(ctx, req, res, "belay_http_limit_rate", "limit");
	wait = ask(limit, client_of(limit, req));
	if (wait == 0)
		return belay_next(ctx, req, res, next);
	return belay__refuse_for_now(ctx, req, res, 429, (uint64_t)(wait - 1) / BELAY_S(1) + 1,
				     "too many requests from you");
}

/* ---- Making ---------------------------------------------------------------------------------- */

static size_t rows_for(unsigned clients)
{
	size_t rows = 1;

	while (rows * WAYS < (clients ? clients : DEFAULT_CLIENTS))
		rows *= 2;
	return rows;
}

/* False: numbers that make no sense, or more than the clock counts. */
static bool set_pace(belay_rate_limit *limit, const struct belay_rate_options *options)
{
	int64_t period = options->period ? options->period : BELAY_S(1);
	int64_t burst = options->burst ? options->burst : options->requests;

	limit->interval = period / options->requests;
	return limit->interval > 0 &&
	       !__builtin_mul_overflow(limit->interval, burst, &limit->tolerance) &&
	       limit->tolerance < BELAY_FOREVER / 4;
}

int belay_rate_limit_new(const struct belay_rate_options *options, belay_rate_limit **ret)
{
	size_t rows = rows_for(options->clients);
	belay_rate_limit *limit;

	if (options->requests == 0 || options->period < 0)
		return -EINVAL;
	limit = belay__calloc(1, sizeof *limit + rows * sizeof limit->rows[0]);
	if (!limit)
		return -ENOMEM;
	limit->key = options->key;
	limit->arg = options->arg;
	limit->mask = rows - 1;
	if (!set_pace(limit, options)) {
		belay__free(limit);
		return -EINVAL;
	}
	if (belay__siphash_secret(limit->secret) < 0) {
		belay__free(limit);
		return -EIO;
	}
	*ret = limit;
	return 0;
}

void belay_rate_limit_free(belay_rate_limit *limit)
{
	belay__free(limit);
}
