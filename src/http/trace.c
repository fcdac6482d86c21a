/* SPDX-License-Identifier: MIT
 *
 * trace.c - gives each request a trace id, and its answer the same; takes its baggage along.
 *
 * What a client sends is not trusted: a malformed id is as good as none.
 */
#include "http/response.h"

#include <belay/http.h>
#include <belay/http_client.h>
#include <belay/log.h>

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { ID_DIGITS = 32, LONGEST_ID = 64, LONGEST_BAGGAGE = 8192 };

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

/* Where the id of this request is: in a header, or in ret. NULL: there are no random numbers. */
static const char *choose_id(const belay_request *req, char ret[33])
{
	const char *parent = belay_request_header(req, "traceparent");
	const char *id = belay_request_header(req, "x-trace-id");

	if (parent && belay_traceparent_parse(parent, ret) == 0)
		return ret;
	if (id && is_id(id))
		return id;
	return make_id(ret) == 0 ? ret : NULL;
}

/* W3C Baggage, section 3.3.2: up to 8192 bytes must be passed on. NULL: there is none. */
static belay_ctx *take_baggage(belay_ctx *ctx, const belay_request *req)
{
	const char *baggage = belay_request_header(req, "baggage");

	if (!baggage || strlen(baggage) > LONGEST_BAGGAGE)
		return NULL;
	return belay_with_baggage(ctx, baggage);
}

int belay_http_trace(belay_ctx *ctx, belay_request *req, belay_response *res,
		     const belay_chain *next, void *arg)
{
	char made[33];
	const char *id = choose_id(req, made);
	belay_ctx *traced, *laden;
	int r;

	if (!id)
		return belay_next(ctx, req, res, next);
	r = belay_response_header(res, "X-Trace-Id", id);
	if (r < 0)
		return r;
	traced = belay_with_trace_id(ctx, id);
	laden = take_baggage(traced, req);
	r = belay_next(laden ? laden : traced, req, res, next);
	belay_end(laden);
	belay_end(traced);
	return r;
}
