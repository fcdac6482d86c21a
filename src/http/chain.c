/* SPDX-License-Identifier: MIT
 *
 * chain.c - middlewares around a handler.
 *
 * Invariants  a chain ends in one entry without a middleware, which runs the handler and answers
 *             for it where it failed. A chain is not changed once requests run through it.
 */
#include "http/router.h"
#include "http/status.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

struct belay_chain *belay__chain_new(belay_handler *handler)
{
	struct belay_chain *last = belay__calloc(1, sizeof *last);

	if (last)
		last->handler = handler;
	return last;
}

void belay__chain_free(struct belay_chain *chain)
{
	while (chain) {
		struct belay_chain *next = chain->next;

		belay__free(chain);
		chain = next;
	}
}

int belay__chain_add(struct belay_chain **chain, belay_middleware *middleware, void *arg)
{
	struct belay_chain *added = belay__calloc(1, sizeof *added);

	if (!added)
		return -ENOMEM;
	while ((*chain)->middleware)
		chain = &(*chain)->next;
	added->middleware = middleware;
	added->arg = arg;
	added->next = *chain;
	*chain = added;
	return 0;
}

/* ---- What a handler's error becomes ---------------------------------------------------------- */

/* Whether a client may still read an answer though the request's context is done: everybody but one
 * that has gone. */
static bool is_awaited(const belay_ctx *ctx, const struct belay_response *res)
{
	belay_cause cause;

	return res->awaited && belay_cause_of(ctx, &cause) == 0 && cause.code != -ECONNRESET;
}

int belay__answer_the_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return is_awaited(ctx, res) ? belay_response_error(ctx, req, res, 503, NULL)
				    : belay_err(ctx);
}

static int answer_for_an_error(belay_ctx *ctx, belay_request *req, belay_response *res, int err)
{
	int status = err == req->failed ? belay__status_of_body(err) : belay__status_of(err);

	return belay__response_error_page(ctx, req->router, req, res, status, NULL, NULL);
}

/* A body that is known to be too long is refused without asking the handler. So is any request
 * where a context could not be made for want of memory: it lacks what the handler relies on to find
 * there, a trace id or a user. One that returned 0
 * though it was told to stop, and could not write what it wanted, has not answered. */
static int ask_handler(belay_ctx *ctx, belay_request *req, belay_response *res,
		       belay_handler *handler)
{
	int r = req->failed;

	if (belay_err(ctx) == -ENOMEM)
		return -ENOMEM;
	if (r == 0)
		r = handler(ctx, req, res);
	return r == 0 && (res->denied || !res->written) ? belay_err(ctx) : r;
}

static int run_handler(belay_ctx *ctx, belay_request *req, belay_response *res,
		       belay_handler *handler)
{
	int r = ask_handler(ctx, req, res, handler);

	if (r != 0 && belay_err(ctx) == 0)
		res->failure = r;
	if (r == 0 || belay_response_is_sent(res))
		return r;
	return belay_err(ctx) < 0 ? belay__answer_the_end(ctx, req, res)
				  : answer_for_an_error(ctx, req, res, r);
}

int belay_next(belay_ctx *ctx, belay_request *req, belay_response *res, const belay_chain *next)
{
	if (next->middleware)
		return next->middleware(ctx, req, res, next->next, next->arg);
	return run_handler(ctx, req, res, next->handler);
}
