/* SPDX-License-Identifier: MIT
 *
 * client_propagate.c - what a request takes along from its context: trace, baggage, time left.
 *
 * The trace id goes as X-Trace-Id and, where it has the form, as a W3C traceparent (Trace Context,
 * section 3.2) with a span id of this request's own; the baggage as W3C Baggage; the time left as
 * Request-Timeout, in whole microseconds cut off, so that the peer never thinks it has longer.
 * A header that the caller has set, or that could not stand in a header, is left out.
 */
#include "client.h"

#include <belay/log.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

BELAY_KEY(baggage, char *, .destroy = belay__free);

static int add(const struct belay_http_call *call, struct curl_slist **list, const char *name,
	       const char *value)
{
	if (!belay__is_field_value(value, strlen(value)) || belay__call_has(call, name))
		return 0;
	return belay__add_header(list, name, value) ? 0 : -ENOMEM;
}

static int add_trace(belay_ctx *ctx, const struct belay_http_call *call, struct curl_slist **list)
{
	char parent[BELAY_TRACEPARENT_SIZE];
	const char *id = belay_trace_id(ctx);
	int err;

	if (!id || !*id)
		return 0;
	err = add(call, list, "X-Trace-Id", id);
	if (err || belay_traceparent_format(ctx, parent) < 0)
		return err;
	return add(call, list, "traceparent", parent);
}

static int add_baggage(belay_ctx *ctx, const struct belay_http_call *call,
		       struct curl_slist **list)
{
	const char *baggage = belay_baggage(ctx);

	return baggage && *baggage ? add(call, list, "baggage", baggage) : 0;
}

static int add_time_left(belay_ctx *ctx, const struct belay_http_call *call,
			 struct curl_slist **list)
{
	int64_t when, left;
	char text[32];

	if (!belay_deadline(ctx, &when))
		return 0;
	left = when - belay_now();
	if (left <= 0)
		return 0;
	snprintf(text, sizeof text, "%" PRId64 "us", left / 1000);
	return add(call, list, "Request-Timeout", text);
}

int belay__propagate(belay_ctx *ctx, const struct belay_http_call *call, struct curl_slist **list)
{
	int err;

	if ((err = add_trace(ctx, call, list)) || (err = add_baggage(ctx, call, list)))
		return err;
	return add_time_left(ctx, call, list);
}

/* ---- Public ---------------------------------------------------------------------------------- */

/* Derivation can't fail: what could not be copied becomes a context that is done. */
belay_ctx *belay_with_baggage(belay_ctx *parent, const char *baggage)
{
	char *copy = baggage ? belay__strdup(baggage) : NULL;
	belay_ctx *ctx;

	if (copy || !baggage)
		return with_baggage(parent, copy);
	ctx = belay_with_cancel(parent);
	belay_cancel_cause_at(ctx, -ENOMEM, NULL, "out of memory for baggage");
	return ctx;
}

const char *belay_baggage(const belay_ctx *ctx)
{
	return baggage_of(ctx);
}
