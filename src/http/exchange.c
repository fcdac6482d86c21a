/* SPDX-License-Identifier: MIT
 *
 * exchange.c - one request and its answer, whatever carries them.
 *
 * The request's context is done before the rest of the answer is sent: who has the whole answer can
 * rely on it. So that rest goes out under another one, the connection's; and when a server ends its
 * requests, under one that outlives that by a moment, so that their clients are told.
 */
#include "http/exchange.h"

#include "http/refused.h"
#include "http/status.h"

#include <errno.h>

/* To be unref'ed, not ended: it may be the connection's own. */
static belay_ctx *sending_ctx(belay_ctx *ctx, bool gone)
{
	belay_ctx *values, *timed;

	if (belay_err(ctx) == 0 || gone)
		return belay_ref(ctx);
	values = belay_without_cancel(ctx);
	timed = belay_with_timeout(values, BELAY__FAREWELL);
	belay_unref(values);
	return timed;
}

/* Answers status in place of what is there, which nothing has been sent of. */
static int replace(belay_ctx *ctx, const belay_router *router, const belay_request *req,
		   belay_response *res, int status)
{
	int r = belay__response_error_page(ctx, router, req, res, status, NULL, NULL);

	return r == -EALREADY ? r : belay__response_finish(ctx, res);
}

static int finish(belay_ctx *ctx, const belay_router *router, belay_request *req,
		  belay_response *res, int result)
{
	int r = result;

	if (r == 0)
		r = belay__response_finish(ctx, res);
	if (r == 0 || belay_response_is_sent(res) || belay_err(ctx) < 0)
		return r;
	return replace(ctx, router, req, res, belay__status_of(r));
}

static int status_of_refusal(int err)
{
	switch (err) {
	case -E2BIG:
		return 431;
	case -EOPNOTSUPP:
		return 417;
	case -EPROTONOSUPPORT:
		return 505;
	case -EBADMSG:
	case -ETIMEDOUT:
		return belay__status_of_body(err);
	default:
		return belay__status_of(err);
	}
}

/* ---- For the neighbours ---------------------------------------------------------------------- */

int belay__exchange_run(belay_ctx *ctx, const belay_router *router, belay_request *req,
			belay_response *res)
{
	int r = belay__router_serve(ctx, router, req, res);

	belay_cancel_cause_at(ctx, -ECANCELED, NULL, "the handler has returned");
	return r;
}

bool belay__exchange_complete(belay_ctx *ctx, bool gone, const belay_router *router,
			      belay_request *req, belay_response *res, int result)
{
	belay_ctx *sending = sending_ctx(ctx, gone);
	int r = finish(sending, router, req, res, result);

	belay_unref(sending);
	return r == 0;
}

bool belay__exchange_refuse(belay_ctx *ctx, bool gone, const belay_router *router,
			    belay_response *res, int err)
{
	belay_ctx *sending = sending_ctx(ctx, gone);
	int r = belay_err(sending), status = status_of_refusal(err);

	belay__count_refused(status);
	if (r == 0)
		r = replace(sending, router, NULL, res, status);
	belay_unref(sending);
	return r == 0;
}
