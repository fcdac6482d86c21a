/* SPDX-License-Identifier: MIT
 *
 * exchange.h - one request and its answer, whatever carries them.
 */
#ifndef BELAY_SRC_HTTP_EXCHANGE_H
#define BELAY_SRC_HTTP_EXCHANGE_H

#include "http/router.h"

/* How long a client is given to take an answer when the server shuts down, and to stop sending when
 * a connection closes. */
#define BELAY__FAREWELL BELAY_S(1)

/* Has the handler answer, under the request's own context ctx, which is done when this returns.
 * What the outermost middleware returned. */
int belay__exchange_run(belay_ctx *ctx, const belay_router *router, belay_request *req,
			belay_response *res);

/* Sends what is left of an answer that went with result, or an error page in its place. ctx is the
 * connection's, and gone: its client has. True: all of it is on its way. */
bool belay__exchange_complete(belay_ctx *ctx, bool gone, const belay_router *router,
			      belay_request *req, belay_response *res, int result);

/* Answers a request that could not be understood, for err; nothing is said to those who have gone.
 * True: it is on its way. */
bool belay__exchange_refuse(belay_ctx *ctx, bool gone, const belay_router *router,
			    belay_response *res, int err);

#endif
