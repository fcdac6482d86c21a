/* SPDX-License-Identifier: MIT
 *
 * access_log.c - one line a request, once its handler has returned.
 */
#include "http/request.h"
#include "http/response.h"

#include <belay/log.h>

#include <errno.h>
#include <string.h>

/* nginx's own, for those that had gone before they were answered. */
enum { CLIENT_CLOSED_REQUEST = 499 };

/* What was answered, or would have been. */
static int status_of(const belay_ctx *ctx, const belay_response *res, int r)
{
	belay_cause cause;

	if (res->written || (r == 0 && belay_err(ctx) == 0))
		return res->status;
	if (belay_cause_of(ctx, &cause) == 0)
		return cause.code == -ECONNRESET ? CLIENT_CLOSED_REQUEST : 503;
	return 500;
}

static void write_line(const belay_ctx *ctx, const belay_request *req, belay_response *res, int r,
		       int64_t ns)
{
	const char *cause = belay__response_note_cause(res, ctx);

	belay_log(ctx, BELAY_LOG_INFO, "%s %.*s %d %.1fms%s%s%s", req->method,
		  (int)strcspn(req->line, "?"), req->line, status_of(ctx, res, r),
		  (double)ns / 1e6, cause ? " cause=\"" : "", cause ? cause : "",
		  cause ? "\"" : "");
}

int belay_http_access_log(belay_ctx *ctx, belay_request *req, belay_response *res,
			  const belay_chain *next, void *arg)
{
	int64_t start = belay_now();
	int r = belay_next(ctx, req, res, next);

	write_line(ctx, req, res, r, belay_now() - start);
	return r;
}
