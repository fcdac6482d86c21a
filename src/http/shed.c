/* SPDX-License-Identifier: MIT
 *
 * shed.c - refuses what can't meet its deadline, before anything is done for it.
 *
 * What is judged is the whole way behind this middleware, queues and all. A probe now and then goes
 * through whatever the estimate says: without it nothing would be measured any more, and a server
 * that has once refused all would never stop.
 */
#include "http/latency.h"
#include "http/misuse.h"
#include "http/refusal.h"

#include "base/alloc.h"

#include <belay/http_middleware.h>

#include <errno.h>

#define PROBE_EVERY BELAY_MS(100)

struct belay_shedder {
	unsigned retry_after;
	_Atomic int64_t probe_at; /* when the next one may go; whoever moves it on is the probe */
	struct belay__latency latency;
};

static bool is_probe(belay_shedder *shedder, int64_t now)
{
	int64_t at = atomic_load_explicit(&shedder->probe_at, memory_order_relaxed);

	return now >= at && atomic_compare_exchange_strong_explicit(
				    &shedder->probe_at, &at, now + PROBE_EVERY,
				    memory_order_relaxed, memory_order_relaxed);
}

static bool is_hopeless(belay_ctx *ctx, belay_shedder *shedder, int64_t now)
{
	int64_t deadline;

	return belay_deadline(ctx, &deadline) &&
	       deadline - now < belay__latency_estimate(&shedder->latency, now) &&
	       !is_probe(shedder, now);
}

/* What took longer than its deadline is known to have taken longer, and not how much. */
static void count(const belay_ctx *ctx, belay_shedder *shedder, int64_t start)
{
	int64_t now = belay_now();

	switch (belay_err(ctx)) {
	case 0:
		belay__latency_add(&shedder->latency, now, now - start);
		break;
	case -ETIME:
		belay__latency_add(&shedder->latency, now, 2 * (now - start));
		break;
	}
}

int belay_http_shed(belay_ctx *ctx, belay_request *req, belay_response *res,
		    const belay_chain *next, void *arg)
{
	belay_shedder *shedder = arg;
	int64_t start = belay_now();
	int r;

	if (!shedder)
		return belay__answer_misuse(ctx, req, res, "belay_http_shed", "shedder");
	if (is_hopeless(ctx, shedder, start))
		return belay__refuse_for_now(ctx, req, res, 503, shedder->retry_after,
					     "there is not enough time for it");
	r = belay_next(ctx, req, res, next);
	count(ctx, shedder, start);
	return r;
}

int belay_shedder_new(const struct belay_shedder_options *options, belay_shedder **ret)
{
	double quantile = options && options->quantile != 0 ? options->quantile : 0.5;
	belay_shedder *shedder;

	if (!(quantile > 0 && quantile < 1))
		return -EINVAL;
	shedder = belay__calloc(1, sizeof *shedder);
	if (!shedder)
		return -ENOMEM;
	shedder->latency.quantile = quantile;
	shedder->retry_after = options && options->retry_after ? options->retry_after : 1;
	*ret = shedder;
	return 0;
}

void belay_shedder_free(belay_shedder *shedder)
{
	belay__free(shedder);
}

int64_t belay_shedder_estimate(belay_shedder *shedder)
{
	return belay__latency_estimate(&shedder->latency, belay_now());
}
