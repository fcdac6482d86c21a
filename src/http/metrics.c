/* SPDX-License-Identifier: MIT
 *
 * metrics.c - counts requests, each processor for itself.
 *
 * A request adds to the counters of the processor that it is on at that moment: nobody else touches
 * their cache lines but a reader, and a task that was preempted between looking and adding. So they
 * are atomic all the same, but never contended.
 *
 * Memory      Counters are relaxed: each is true by itself, and a reader that comes in between sees
 *             a request counted in one and not yet in the other. A series is put at the head of its
 *             list by a compare-and-swap (release); readers load the head (acquire) and follow
 *             next, which is never changed after that.
 */
#include "http/metrics.h"

#include "http/misuse.h"
#include "http/outcome.h"
#include "http/request.h"
#include "http/response.h"

#include "base/alloc.h"
#include "base/processors.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

enum { MOST_PROCESSORS = 1024 };

const int64_t belay__metrics_bounds[BELAY__METRICS_BUCKETS] = {
	BELAY_US(500), BELAY_MS(1),   BELAY_US(2500), BELAY_MS(5),   BELAY_MS(10),
	BELAY_MS(25),  BELAY_MS(50),  BELAY_MS(100),  BELAY_MS(250), BELAY_MS(500),
	BELAY_S(1),    BELAY_MS(2500), BELAY_S(5),    BELAY_S(10),
};

const char *const belay__metrics_methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT",
					      "OPTIONS", "TRACE", "PATCH", "other", NULL};

/* ---- Which counters -------------------------------------------------------------------------- */

static unsigned processor(const belay_metrics *metrics)
{
	int cpu = sched_getcpu();

	return cpu > 0 ? (unsigned)cpu % metrics->processors : 0;
}

/* The last one stands for all others. */
static unsigned method_of(const belay_request *req)
{
	unsigned i = 0;

	while (belay__metrics_methods[i + 1] && strcmp(belay__metrics_methods[i], req->method) != 0)
		i++;
	return i;
}

/* The path of a pattern. */
static const char *route_of(const belay_request *req)
{
	const char *slash = req->route ? strchr(req->route, '/') : NULL;

	return slash ? slash : "";
}

/* FNV-1a. */
static size_t head_of(const char *route, unsigned method, unsigned status_class)
{
	uint32_t hash = 2166136261u ^ (method * 8 + status_class);

	for (; *route; route++)
		hash = (hash ^ (unsigned char)*route) * 16777619u;
	return (hash ^ hash >> 16) % BELAY__METRICS_HEADS;
}

static struct belay__series *find(struct belay__series *s, const char *route, unsigned method,
				  unsigned status_class)
{
	while (s && (s->method != method || s->status_class != status_class ||
		     strcmp(s->route, route) != 0))
		s = s->next;
	return s;
}

static void *make_zeroed(size_t size)
{
	void *block = belay__aligned_alloc(64, size);

	return block ? memset(block, 0, size) : NULL;
}

static void series_free(struct belay__series *s)
{
	if (s)
		belay__free(s->tallies);
	belay__free(s);
}

static struct belay__series *series_new(const belay_metrics *metrics, const char *route)
{
	struct belay__series *s = belay__calloc(1, sizeof *s + strlen(route) + 1);

	if (!s)
		return NULL;
	strcpy(s->route, route);
	s->tallies = make_zeroed(metrics->processors * sizeof *s->tallies);
	if (s->tallies)
		return s;
	series_free(s);
	return NULL;
}

/* Puts made into the table, unless another thread was first: that one's, then. */
static struct belay__series *publish(_Atomic(struct belay__series *) *head,
				     struct belay__series *made)
{
	struct belay__series *first = atomic_load_explicit(head, memory_order_acquire), *other;

	do {
		other = find(first, made->route, made->method, made->status_class);
		if (other) {
			series_free(made);
			return other;
		}
		made->next = first;
	} while (!atomic_compare_exchange_weak_explicit(head, &first, made, memory_order_release,
							memory_order_acquire));
	return made;
}

/* NULL: there is no memory for it. */
static struct belay__series *series_of(belay_metrics *metrics, const belay_request *req, int status)
{
	const char *route = route_of(req);
	unsigned method = method_of(req), status_class = (unsigned)status / 100;
	_Atomic(struct belay__series *) *head =
		&metrics->heads[head_of(route, method, status_class)];
	struct belay__series *s = find(atomic_load_explicit(head, memory_order_acquire), route,
				       method, status_class);

	if (s)
		return s;
	s = series_new(metrics, route);
	if (!s)
		return NULL;
	s->method = method;
	s->status_class = status_class;
	return publish(head, s);
}

/* ---- Counting -------------------------------------------------------------------------------- */

static void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static unsigned bucket_of(int64_t ns)
{
	unsigned i = 0;

	while (i < BELAY__METRICS_BUCKETS && ns > belay__metrics_bounds[i])
		i++;
	return i;
}

static enum belay__cut cut_of(const belay_ctx *ctx, belay_response *res, int result)
{
	if (!belay__response_note_cause(res, ctx))
		return result < 0 ? BELAY__CUT_ERROR : BELAY__CUT_NONE;
	switch (res->cause_code) {
	case -ECONNRESET:
		return BELAY__CUT_CLIENT;
	case -ESHUTDOWN:
		return BELAY__CUT_SHUTDOWN;
	default:
		return res->cause_err == -ETIME ? BELAY__CUT_DEADLINE : BELAY__CUT_CANCELLED;
	}
}

static void count(belay_metrics *metrics, const belay_request *req, const belay_response *res,
		  int status, int64_t ns)
{
	unsigned cpu = processor(metrics);
	struct belay__series *s = series_of(metrics, req, status);
	struct belay__tally *tally;

	if (!s) {
		add(&metrics->totals[cpu].uncounted, 1);
		return;
	}
	tally = &s->tallies[cpu];
	add(&tally->counts[bucket_of(ns)], 1);
	add(&tally->ns, (uint64_t)ns);
	add(&tally->received, req->received);
	if (!res->head_only)
		add(&tally->sent, res->taken);
}

static void fly(belay_metrics *metrics, int64_t n)
{
	atomic_fetch_add_explicit(&metrics->totals[processor(metrics)].in_flight, n,
				  memory_order_relaxed);
}

int belay_http_measure(belay_ctx *ctx, belay_request *req, belay_response *res,
		       const belay_chain *next, void *arg)
{
	belay_metrics *metrics = arg;
	int64_t start = belay_now();
	enum belay__cut cut;
	int r;

	if (!metrics)
		return belay__answer_misuse(ctx, req, res, "belay_http_measure", "metrics");
	fly(metrics, 1);
	r = belay_next(ctx, req, res, next);
	fly(metrics, -1);
	count(metrics, req, res, belay__outcome_status(ctx, res, r), belay_now() - start);
	cut = cut_of(ctx, res, r);
	if (cut != BELAY__CUT_NONE)
		add(&metrics->totals[processor(metrics)].cut[cut], 1);
	return r;
}

/* ---- Making ---------------------------------------------------------------------------------- */

belay_metrics *belay_metrics_new(void)
{
	belay_metrics *metrics = belay__calloc(1, sizeof *metrics);

	if (!metrics)
		return NULL;
	metrics->processors = belay__processors();
	if (metrics->processors > MOST_PROCESSORS)
		metrics->processors = MOST_PROCESSORS;
	metrics->totals = make_zeroed(metrics->processors * sizeof *metrics->totals);
	if (metrics->totals)
		return metrics;
	belay__free(metrics);
	return NULL;
}

void belay_metrics_free(belay_metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < BELAY__METRICS_HEADS; i++)
		for (struct belay__series *s = metrics->heads[i], *next; s; s = next) {
			next = s->next;
			series_free(s);
		}
	belay__free(metrics->totals);
	belay__free(metrics);
}
