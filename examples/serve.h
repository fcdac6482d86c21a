/* SPDX-License-Identifier: MIT
 *
 * serve.h - what the servers among the examples begin and end with.
 */
#ifndef BELAY_EXAMPLES_SERVE_H
#define BELAY_EXAMPLES_SERVE_H

#include <belay.h>
#include <belay/http.h>

#include <signal.h>
#include <stdio.h>

static inline int serve_listening(belay_ctx *stop, belay_server *server, const char *address)
{
	BELAY_SCOPED belay_ctx *grace = NULL;
	belay_listener *listener;
	int r = belay_listen(stop, address, &listener);

	if (r < 0)
		return r;
	printf("http://%s/\n", belay_listener_address(listener));
	fflush(stdout);
	belay_server_serve(stop, server, listener);
	grace = belay_with_timeout(belay_background(), BELAY_S(5));
	return belay_server_shutdown(grace, server);
}

/* Serves what router knows on address until SIGINT or SIGTERM; then requests have 5 s to finish. 0,
 * or an error that has been told. */
static inline int serve_with(const struct belay_server_options *options, belay_router *router,
			     const char *address)
{
	BELAY_SCOPED belay_ctx *stop = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	belay_server *server = NULL;
	int r = belay_server_new(belay_background(), router, options, &server);

	if (r == 0)
		r = serve_listening(stop, server, address);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", address, belay_strerror(r));
	belay_server_free(server);
	return r;
}

static inline int serve(belay_router *router, const char *address)
{
	return serve_with(NULL, router, address);
}

/* A router that gives each request a trace id and a line in the log; NULL: no memory. */
static inline belay_router *serve_router(void)
{
	belay_router *router = belay_router_new();

	if (router && belay_router_use(router, belay_http_trace, NULL) == 0 &&
	    belay_router_use(router, belay_http_access_log, NULL) == 0)
		return router;
	belay_router_free(router);
	return NULL;
}

#endif
