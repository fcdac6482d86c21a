/* SPDX-License-Identifier: MIT
 *
 * error_page.c - what is answered when something went wrong.
 *
 * The application's page is given a context that is live, so that it can write, and has the values
 * of the request's, so that it can name the trace id; why the request's own was ended is told
 * besides.
 */
#include "http/response.h"
#include "http/request.h"
#include "http/router.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* "Not Found", or "Bad Request: limit is not a number". */
static int default_page(belay_ctx *ctx, belay_response *res, const struct belay_http_error *error)
{
	const char *phrase = belay_http_phrase(error->status);
	int r = belay_response_header(res, "Content-Type", "text/plain; charset=utf-8");

	if (r == 0)
		r = belay_response_puts(ctx, res, phrase);
	if (r == 0 && !belay__same_name(error->message, phrase))
		r = belay_response_printf(ctx, res, ": %s", error->message);
	if (r == 0 && error->cause)
		r = belay_response_printf(ctx, res, " (%s)", error->cause);
	return r == 0 ? belay_response_puts(ctx, res, "\n") : r;
}

int belay__response_error_page(belay_ctx *ctx, const belay_router *router,
			       const belay_request *req, struct belay_response *res, int status,
			       const char *message, const char *cause)
{
	const struct belay_http_error error = {
		.status = status,
		.message = message ? message : belay_http_phrase(status),
		.cause = cause,
	};
	int r;

	belay__response_clear_body(res);
	r = belay_response_status(res, status);
	if (r < 0)
		return r;
	r = router && router->page ? router->page(ctx, req, res, &error, router->page_arg)
				   : default_page(ctx, res, &error);
	if (r == 0 || belay_response_is_sent(res))
		return r;
	belay__response_clear_body(res);
	return 0;
}

int belay_response_error(belay_ctx *ctx, belay_request *req, belay_response *res, int status,
			 const char *fmt, ...)
{
	char message[512];
	belay_ctx *live;
	va_list args;
	int r;

	if (status < 400 || status > 599)
		return -EINVAL;
	if (belay_response_is_sent(res))
		return -EALREADY;
	va_start(args, fmt);
	if (fmt)
		vsnprintf(message, sizeof message, fmt, args);
	va_end(args);
	belay__response_note_cause(res, ctx);
	live = belay_without_cancel(ctx);
	r = belay__response_error_page(live, req ? req->router : NULL, req, res, status,
				       fmt ? message : NULL, res->cause[0] ? res->cause : NULL);
	belay_end(live);
	return r;
}
