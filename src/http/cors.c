/* SPDX-License-Identifier: MIT
 *
 * cors.c - which pages of other origins may read the answers (WHATWG Fetch, "HTTP CORS protocol").
 *
 * The headers are set before the handler runs, so that they stand on error pages too: a page can
 * then read why it failed.
 */
#include "http/misuse.h"
#include "http/vary.h"

#include <belay/http_middleware.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_any(const struct belay_cors_options *cors)
{
	return cors->origins[0] && strcmp(cors->origins[0], "*") == 0;
}

/* Origins are compared byte by byte, as the standard's "CORS check" has it. */
static bool is_listed(const struct belay_cors_options *cors, const char *origin)
{
	for (const char *const *o = cors->origins; *o; o++)
		if (strcmp(*o, origin) == 0)
			return true;
	return false;
}

/* One header, unless there is nothing for it to say. */
static int put(belay_response *res, const char *name, const char *value)
{
	return value ? belay_response_header(res, name, value) : 0;
}

/* With "*" answers are the same for all, and never with credentials: the standard does not let "*"
 * go with them, and to name whoever asks would let every page in with the user's cookies. */
static int allow(belay_response *res, const struct belay_cors_options *cors, const char *origin)
{
	int r;

	if (is_any(cors))
		return put(res, "Access-Control-Allow-Origin", "*");
	r = belay__vary(res, "Origin");
	if (r < 0 || !origin || !is_listed(cors, origin))
		return r;
	r = put(res, "Access-Control-Allow-Origin", origin);
	if (r == 0 && cors->credentials)
		r = put(res, "Access-Control-Allow-Credentials", "true");
	return r;
}

/* ---- Preflights ------------------------------------------------------------------------------ */

static int put_max_age(belay_response *res, const struct belay_cors_options *cors)
{
	char text[24];

	if (cors->max_age <= 0)
		return 0;
	snprintf(text, sizeof text, "%" PRId64, cors->max_age / BELAY_S(1));
	return put(res, "Access-Control-Max-Age", text);
}

/* What is said is the same whatever is asked for, so that caches need not know what was. */
static int answer_preflight(belay_response *res, const struct belay_cors_options *cors)
{
	int r = belay_response_status(res, 204);

	if (r == 0)
		r = put(res, "Access-Control-Allow-Methods", cors->methods);
	if (r == 0)
		r = put(res, "Access-Control-Allow-Headers", cors->headers);
	return r == 0 ? put_max_age(res, cors) : r;
}

static bool is_preflight(const belay_request *req)
{
	return strcmp(belay_request_method(req), "OPTIONS") == 0 &&
	       belay_request_header(req, "origin") &&
	       belay_request_header(req, "access-control-request-method");
}

/* An origin that may not is told nothing, not even what others may. */
static int refuse_preflight(belay_response *res)
{
	return belay_response_status(res, 204);
}

int belay_http_cors(belay_ctx *ctx, belay_request *req, belay_response *res,
		    const belay_chain *next, void *arg)
{
	const struct belay_cors_options *cors = arg;
	const char *origin = belay_request_header(req, "origin");
	int r;

	if (!cors)
		return belay__answer_misuse(ctx, req, res, "belay_http_cors", "options");
	r = allow(res, cors, origin);
	if (r < 0)
		return r;
	if (is_preflight(req))
		return is_any(cors) || is_listed(cors, origin) ? answer_preflight(res, cors)
							       : refuse_preflight(res);
	r = put(res, "Access-Control-Expose-Headers", cors->exposed);
	return r == 0 ? belay_next(ctx, req, res, next) : r;
}
