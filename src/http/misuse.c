/* SPDX-License-Identifier: MIT
 *
 * misuse.c - a middleware or a handler that was added without what it needs.
 *
 * Routers don't know what their parts need, so it shows with the first request. That one is told
 * nothing but 500: a limit that is not there must not look like one that lets everybody through.
 */
#include "http/misuse.h"

#include <belay/log.h>

int belay__answer_misuse(belay_ctx *ctx, belay_request *req, belay_response *res, const char *name,
			 const char *what)
{
	belay_log(ctx, BELAY_LOG_ERROR, "%s was given no %s when it was added to the router", name,
		  what);
	return belay_response_error(ctx, req, res, 500, NULL);
}
