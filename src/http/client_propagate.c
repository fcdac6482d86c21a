/* SPDX-License-Identifier: MIT
 *
 * client_propagate.c - what a request takes along from its context: trace, baggage, time left.
 *
 * The trace id goes as X-Trace-Id and, where it has the form, as a W3C traceparent (Trace Context,
 * section 3.2) with a span id of this request's own, and with its tracestate; the baggage as W3C
 * Baggage; the time left as Request-Timeout and grpc-timeout, cut off, so that the peer never
 * thinks it has longer. A header that the caller has set, or that could not stand in a header, is
 * left out; so is a tracestate beside a traceparent of the caller's own.
 */
#include "client.h"

#include "http/baggage.h"
#include "http/dropped.h"
#include "http/grpc_timeout.h"
#include "http/trace_flags.h"
#include "wait/timer.h"

#include <belay/log.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int add(const struct belay_http_call *call, struct curl_slist **list, const char *name,
	       const char *value)
{
	if (!belay__is_field_value(value, strlen(value)) || belay__call_has(call, name))
		return 0;
	return belay__add_header(list, name, value) ? 0 : -ENOMEM;
}

/* They are its last two digits. */
static void put_flags(const belay_ctx *ctx, char parent[BELAY_TRACEPARENT_SIZE])
{
	snprintf(parent + BELAY_TRACEPARENT_SIZE - 3, 3, "%02x", belay__trace_flags(ctx) & 0xff);
}

static int add_trace(belay_ctx *ctx, const struct belay_http_call *call, struct curl_slist **list)
{
	char parent[BELAY_TRACEPARENT_SIZE];
	const char *id = belay_trace_id(ctx), *state = belay_tracestate(ctx);
	int err;

	if (!id || !*id)
		return 0;
	err = add(call, list, "X-Trace-Id", id);
	if (err || belay__call_has(call, "traceparent") ||
	    belay_traceparent_format(ctx, parent) < 0)
		return err;
	put_flags(ctx, parent);
	err = add(call, list, "traceparent", parent);
	return err == 0 && state ? add(call, list, "tracestate", state) : err;
}

/* The program's own may be anything. */
static int add_baggage(belay_ctx *ctx, const struct belay_http_call *call,
		       struct curl_slist **list)
{
	const char *baggage = belay_baggage(ctx);
	size_t size;
	char *kept;
	int err;

	if (!baggage)
		return 0;
	if (belay__baggage_scan(baggage, &size) < 0) {
		belay__drop(BELAY__DROPPED_BAGGAGE);
		return 0;
	}
	if (size == 0)
		return 0;
	kept = belay__strdup(baggage);
	if (!kept)
		return -ENOMEM;
	kept[size] = '\0';
	err = add(call, list, "baggage", kept);
	belay__free(kept);
	return err;
}

static int add_time_left(belay_ctx *ctx, const struct belay_http_call *call,
			 struct curl_slist **list)
{
	char text[32], grpc[BELAY__GRPC_TIMEOUT_SIZE];
	int64_t when, left;
	int err;

	if (!belay_deadline(ctx, &when))
		return 0;
	left = belay__until(when);
	if (left <= 0)
		return 0;
	snprintf(text, sizeof text, "%" PRId64 "us", left / 1000);
	belay__grpc_timeout_format(left, grpc);
	err = add(call, list, "Request-Timeout", text);
	return err ? err : add(call, list, "grpc-timeout", grpc);
}

int belay__propagate(belay_ctx *ctx, const struct belay_http_call *call, struct curl_slist **list)
{
	int err;

	if ((err = add_trace(ctx, call, list)) || (err = add_baggage(ctx, call, list)))
		return err;
	return add_time_left(ctx, call, list);
}
