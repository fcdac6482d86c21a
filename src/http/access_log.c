/* SPDX-License-Identifier: MIT
 *
 * access_log.c - one line a request, once its handler has returned.
 */
#include "http/outcome.h"
#include "http/request.h"
#include "http/response.h"

#include <belay/log.h>

#include <string.h>

static void write_line(const belay_ctx *ctx, const belay_request *req, belay_response *res, int r,
		       int64_t ns)
{
	const char *name, *trouble = belay__response_trouble(res, ctx, &name);

	belay_log(ctx, BELAY_LOG_INFO, "%s %.*s %d %.1fms%s%s%s%s%s", req->method,
		  (int)strcspn(req->line, "?"), req->line, belay__outcome_status(ctx, res, r),
		  (double)ns / 1e6, trouble ? " " : "", trouble ? name : "",
		  trouble ? "=\"" : "", trouble ? trouble : "", trouble ? "\"" : "");
}

int belay_http_access_log(belay_ctx *ctx, belay_request *req, belay_response *res,
			  const belay_chain *next, void *arg)
{
	int64_t start = belay_now();
	int r = belay_next(ctx, req, res, next);

	write_line(ctx, req, res, r, belay_now() - start);
	return r;
}
