/* SPDX-License-Identifier: MIT
 *
 * metrics_text.c - metrics in Prometheus' text format
 * (https://prometheus.io/docs/instrumenting/exposition_formats/), version 0.0.4.
 *
 * Each family is written in one go, as the format wants it, so that the table is gone through once
 * for each. Numbers that belong together may differ by the requests that ended meanwhile; within
 * one histogram the count is the sum of its buckets, whatever happens.
 */
#include "http/metrics.h"

#include "http/client_count.h"
#include "http/dropped.h"
#include "http/misuse.h"
#include "http/refused.h"
#include "http/request.h"

#include "base/alloc.h"

#include <belay/stats.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* ---- Sums ------------------------------------------------------------------------------------ */

/* Of one series, over all processors. */
struct sums {
	uint64_t ns, received, sent, all;
	uint64_t counts[BELAY__METRICS_BUCKETS + 1];
};

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static struct sums sum_up(const belay_metrics *metrics, const struct belay__series *s)
{
	struct sums sums = {0};

	for (unsigned cpu = 0; cpu < metrics->processors; cpu++) {
		const struct belay__tally *tally = &s->tallies[cpu];

		sums.ns += load(&tally->ns);
		sums.received += load(&tally->received);
		sums.sent += load(&tally->sent);
		for (size_t i = 0; i <= BELAY__METRICS_BUCKETS; i++)
			sums.counts[i] += load(&tally->counts[i]);
	}
	for (size_t i = 0; i <= BELAY__METRICS_BUCKETS; i++)
		sums.all += sums.counts[i];
	return sums;
}

/* ---- Families -------------------------------------------------------------------------------- */

static void begin(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP belay_http_%s %s\n# TYPE belay_http_%s %s\n", name, help, name, type);
}

/* Without the closing brace: there may be one more label. */
static void put_labels(FILE *out, const char *name, const struct belay__series *s)
{
	fprintf(out, "belay_http_%s{route=\"", name);
	for (const char *c = s->route; *c; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', out);
		if (*c == '\n')
			fputs("\\n", out);
		else
			fputc(*c, out);
	}
	fprintf(out, "\",method=\"%s\",code=\"%uxx\"", belay__metrics_methods[s->method],
		s->status_class);
}

static void put_count(FILE *out, const struct belay__series *s, const char *name, uint64_t n)
{
	put_labels(out, name, s);
	fprintf(out, "} %" PRIu64 "\n", n);
}

static void put_requests(FILE *out, const struct belay__series *s, const struct sums *sums)
{
	put_count(out, s, "requests_total", sums->all);
}

static void put_received(FILE *out, const struct belay__series *s, const struct sums *sums)
{
	put_count(out, s, "request_bytes_total", sums->received);
}

static void put_sent(FILE *out, const struct belay__series *s, const struct sums *sums)
{
	put_count(out, s, "response_bytes_total", sums->sent);
}

static void put_durations(FILE *out, const struct belay__series *s, const struct sums *sums)
{
	uint64_t below = 0;

	for (size_t i = 0; i < BELAY__METRICS_BUCKETS; i++) {
		put_labels(out, "request_duration_seconds_bucket", s);
		fprintf(out, ",le=\"%g\"} %" PRIu64 "\n", (double)belay__metrics_bounds[i] / 1e9,
			below += sums->counts[i]);
	}
	put_labels(out, "request_duration_seconds_bucket", s);
	fprintf(out, ",le=\"+Inf\"} %" PRIu64 "\n", sums->all);
	put_labels(out, "request_duration_seconds_sum", s);
	fprintf(out, "} %.9g\n", (double)sums->ns / 1e9);
	put_count(out, s, "request_duration_seconds_count", sums->all);
}

/* Acquire pairs with the release that put the series there. */
static void for_each(belay_metrics *metrics, FILE *out,
		     void (*put)(FILE *, const struct belay__series *, const struct sums *))
{
	for (size_t i = 0; i < BELAY__METRICS_HEADS; i++)
		for (const struct belay__series *s = atomic_load_explicit(&metrics->heads[i],
									  memory_order_acquire);
		     s; s = s->next) {
			const struct sums sums = sum_up(metrics, s);

			put(out, s, &sums);
		}
}

/* ---- Totals ---------------------------------------------------------------------------------- */

static void put_in_flight(const belay_metrics *metrics, FILE *out)
{
	int64_t sum = 0;

	for (unsigned cpu = 0; cpu < metrics->processors; cpu++)
		sum += atomic_load_explicit(&metrics->totals[cpu].in_flight, memory_order_relaxed);
	fprintf(out, "belay_http_requests_in_flight %" PRId64 "\n", sum > 0 ? sum : 0);
}

static void put_cuts(const belay_metrics *metrics, FILE *out)
{
	static const char *const names[BELAY__CUTS] = {"client_disconnected", "deadline",
						       "shutdown", "cancelled", "error"};

	for (unsigned i = 0; i < BELAY__CUTS; i++) {
		uint64_t sum = 0;

		for (unsigned cpu = 0; cpu < metrics->processors; cpu++)
			sum += load(&metrics->totals[cpu].cut[i]);
		fprintf(out, "belay_http_requests_cut_total{cause=\"%s\"} %" PRIu64 "\n", names[i],
			sum);
	}
}

static void put_uncounted(const belay_metrics *metrics, FILE *out)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < metrics->processors; cpu++)
		sum += load(&metrics->totals[cpu].uncounted);
	fprintf(out, "belay_http_requests_uncounted_total %" PRIu64 "\n", sum);
}

static void put_dropped(FILE *out)
{
	for (int kind = 0; kind < BELAY__DROPPED_KINDS; kind++)
		fprintf(out, "belay_http_headers_dropped_total{header=\"%s\"} %" PRIu64 "\n",
			belay__dropped_name((enum belay__dropped)kind),
			belay__dropped_count((enum belay__dropped)kind));
}

static void put_refused(void *out, int status, uint64_t n)
{
	char code[8] = "other";

	if (status)
		snprintf(code, sizeof code, "%d", status);
	fprintf(out, "belay_http_requests_refused_total{code=\"%s\"} %" PRIu64 "\n", code, n);
}

int belay_metrics_text(belay_metrics *metrics, FILE *out)
{
	begin(out, "requests_total", "counter", "Requests that have been answered.");
	for_each(metrics, out, put_requests);
	begin(out, "request_duration_seconds", "histogram", "From the head to the handler's end.");
	for_each(metrics, out, put_durations);
	begin(out, "request_bytes_total", "counter", "Bytes of request bodies that were read.");
	for_each(metrics, out, put_received);
	begin(out, "response_bytes_total", "counter", "Bytes of response bodies.");
	for_each(metrics, out, put_sent);
	begin(out, "requests_in_flight", "gauge", "Requests that are being handled.");
	put_in_flight(metrics, out);
	begin(out, "requests_cut_total", "counter", "Requests that were cut short, by cause.");
	put_cuts(metrics, out);
	begin(out, "requests_uncounted_total", "counter", "Requests without memory to count them.");
	put_uncounted(metrics, out);
	begin(out, "requests_refused_total", "counter",
	      "Requests that were answered before a route was looked for.");
	belay__refused_visit(put_refused, out);
	begin(out, "headers_dropped_total", "counter", "Malformed headers that were passed over.");
	put_dropped(out);
	belay__client_counts_text(out);
	return ferror(out) ? -EIO : 0;
}

/* ---- The handler ----------------------------------------------------------------------------- */

static int print(belay_metrics *metrics, char **ret, size_t *ret_size)
{
	FILE *out = belay__alloc_fails() ? NULL : open_memstream(ret, ret_size);
	int r;

	if (!out)
		return -ENOMEM;
	r = belay_metrics_text(metrics, out);
	if (r == 0)
		r = belay_stats_text(out);
	if (fclose(out) && r == 0)
		r = -ENOMEM;
	return r;
}

int belay_metrics_handler(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_metrics *metrics = belay_request_data(req);
	char *text = NULL;
	size_t size = 0;
	int r;

	if (!metrics)
		return belay__answer_misuse(ctx, req, res, "belay_metrics_handler", "metrics");
	r = print(metrics, &text, &size);
	if (r == 0)
		r = belay_response_header(res, "Content-Type",
					  "text/plain; version=0.0.4; charset=utf-8");
	if (r == 0)
		r = belay_response_write(ctx, res, text, size);
	free(text);
	return r;
}
