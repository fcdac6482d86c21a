/* SPDX-License-Identifier: MIT
 *
 * around.h - one middleware around one handler, without a socket.
 */
#ifndef BELAY_TESTS_HTTP_AROUND_H
#define BELAY_TESTS_HTTP_AROUND_H

#include "check.h"

#include <belay/http.h>

#include <string.h>


/* handler answers "/{rest...}", whatever the method. */
static inline belay_router *around_new(belay_middleware *middleware, const void *arg,
				       belay_handler *handler, void *data)
{
	belay_router *router = check_made(belay_router_new());

	check(belay_router_use(router, middleware, (void *)arg) == 0);
	check(belay_router_add(router, "/{rest...}", handler, data) == 0);
	return router;
}

/* A request with up to one header (NULL: none), served under ctx. */
static inline belay_recorder *around_ask(belay_ctx *ctx, const belay_router *router,
					 const char *method, const char *target, const char *name,
					 const char *value)
{
	belay_recorder *rec = check_made(belay_recorder_new(method, target));

	if (name)
		check(belay_recorder_header(rec, name, value) == 0);
	belay_recorder_serve(ctx, rec, router);
	return rec;
}

/* The same, and the status alone. */
static inline int around_status(belay_ctx *ctx, const belay_router *router, const char *name,
				const char *value)
{
	belay_recorder *rec = around_ask(ctx, router, "GET", "/", name, value);
	int status = belay_recorder_status(rec);

	belay_recorder_free(rec);
	return status;
}

/* Whether the answer has this header with this value (NULL: not at all). */
static inline bool around_header_is(const belay_recorder *rec, const char *name, const char *value)
{
	const char *is = belay_recorder_get_header(rec, name);

	return value ? is && strcmp(is, value) == 0 : !is;
}

#endif
