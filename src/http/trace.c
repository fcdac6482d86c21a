/* SPDX-License-Identifier: MIT
 *
 * trace.c - gives each request a trace id, and its answer the same; takes along what came with it.
 *
 * What a client sends is not trusted: what is malformed is as good as not there, and counted.
 */
#include "http/baggage.h"
#include "http/dropped.h"
#include "http/request.h"
#include "http/response.h"
#include "http/trace_flags.h"
#include "http/tracestate.h"

#include "base/alloc.h"

#include <belay/http.h>
#include <belay/http_client.h>
#include <belay/log.h>

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { ID_DIGITS = 32, LONGEST_ID = 64 };

static bool is_id(const char *text)
{
	size_t size = strlen(text);

	return size > 0 && size <= LONGEST_ID &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
		       size;
}

static int make_id(char ret[33])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char random[ID_DIGITS / 2];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EIO;
	random[0] |= 1; /* all zeros is no id */
	for (size_t i = 0; i < sizeof random; i++) {
		ret[2 * i] = digits[random[i] >> 4];
		ret[2 * i + 1] = digits[random[i] & 15];
	}
	ret[ID_DIGITS] = '\0';
	return 0;
}

/* The id of the one traceparent that there is (W3C Trace Context, section 3.2). */
static bool take_parent(const belay_request *req, char ret[33])
{
	size_t at = belay__headers_find(&req->headers, "traceparent", 0);

	if (at == req->headers.count)
		return false;
	if (belay__headers_find(&req->headers, "traceparent", at + 1) == req->headers.count &&
	    belay_traceparent_parse(belay__headers_value(&req->headers, at), ret) == 0)
		return true;
	belay__drop(BELAY__DROPPED_TRACEPARENT);
	return false;
}

/* Where the id of this request is: in a header, or in ret. NULL: there are no random numbers. */
static const char *choose_id(const belay_request *req, char ret[33], bool *ret_parent)
{
	const char *id = belay_request_header(req, "x-trace-id");

	*ret_parent = take_parent(req, ret);
	if (*ret_parent)
		return ret;
	if (id && is_id(id))
		return id;
	if (id)
		belay__drop(BELAY__DROPPED_TRACE_ID);
	return make_id(ret) == 0 ? ret : NULL;
}

/* Those of a trace that begins here need not be said. */
static belay_ctx *take_flags(belay_ctx *ctx, const belay_request *req)
{
	unsigned flags = belay__trace_flags_parse(belay_request_header(req, "traceparent"));

	return flags == BELAY__TRACE_SAMPLED ? belay_ref(ctx) : belay__with_trace_flags(ctx, flags);
}

/* 0 and *ret, which is ctx itself where there is nothing to be taken along; -ENOMEM. */
static int take_state(belay_ctx *ctx, const belay_request *req, belay_ctx **ret)
{
	char *text;
	int r = belay__headers_join(&req->headers, "tracestate", ",", &text);

	if (r < 0)
		return r;
	if (text && belay__is_tracestate(text)) {
		*ret = belay_with_tracestate(ctx, text);
	} else {
		*ret = belay_ref(ctx);
		if (text)
			belay__drop(BELAY__DROPPED_TRACESTATE);
	}
	belay__free(text);
	return 0;
}

/* As take_state(). */
static int take_baggage(belay_ctx *ctx, const belay_request *req, belay_ctx **ret)
{
	size_t size = 0;
	char *text;
	int r = belay__headers_join(&req->headers, "baggage", ",", &text);

	if (r < 0)
		return r;
	if (text && belay__baggage_scan(text, &size) < 0)
		belay__drop(BELAY__DROPPED_BAGGAGE);
	if (size > 0) {
		text[size] = '\0';
		*ret = belay_with_baggage(ctx, text);
	} else {
		*ret = belay_ref(ctx);
	}
	belay__free(text);
	return 0;
}

static int next_laden(belay_ctx *ctx, belay_request *req, belay_response *res,
		      const belay_chain *next)
{
	belay_ctx *laden;
	int r = take_baggage(ctx, req, &laden);

	if (r < 0)
		return r;
	r = belay_next(laden, req, res, next);
	belay_unref(laden);
	return r;
}

/* Section 3.3: only beside a valid traceparent do flags and state mean something. */
static int next_traced(belay_ctx *ctx, belay_request *req, belay_response *res,
		       const belay_chain *next)
{
	belay_ctx *flagged = take_flags(ctx, req), *stated;
	int r = take_state(flagged, req, &stated);

	if (r == 0) {
		r = next_laden(stated, req, res, next);
		belay_unref(stated);
	}
	belay_end(flagged);
	return r;
}

int belay_http_trace(belay_ctx *ctx, belay_request *req, belay_response *res,
		     const belay_chain *next, void *arg)
{
	bool has_parent;
	char made[33];
	const char *id = choose_id(req, made, &has_parent);
	belay_ctx *traced;
	int r;

	if (!id)
		return belay_next(ctx, req, res, next);
	r = belay_response_header(res, "X-Trace-Id", id);
	if (r < 0)
		return r;
	traced = belay_with_trace_id(ctx, id);
	r = has_parent ? next_traced(traced, req, res, next) : next_laden(traced, req, res, next);
	belay_end(traced);
	return r;
}
