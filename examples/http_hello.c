/* SPDX-License-Identifier: MIT
 *
 * http_hello.c - an HTTP server, whole: a route, a deadline, an end in good order.
 *
 *     ./http_hello [ADDRESS]
 *     curl http://127.0.0.1:8080/hello/world
 *     curl http://127.0.0.1:8080/slow?timeout=50ms
 */
#include <belay.h>
#include <belay/http.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static int hello(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_printf(ctx, res, "hello %s\n", belay_request_param(req, "name"));
}

/* Whoever waits under the request's context is told when to stop: the client has gone, its time is
 * up, or the server ends. */
static int slow(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_sleep(ctx, BELAY_S(60));

	return r < 0 ? r : belay_response_puts(ctx, res, "at last\n");
}

static int add_routes(belay_router *router)
{
	static const struct belay_http_limit limit = {.most = BELAY_S(90)};
	int r = belay_router_use(router, belay_http_deadline, (void *)&limit);

	if (r == 0)
		r = belay_router_add(router, "GET /hello/{name}", hello, NULL);
	return r == 0 ? belay_router_add(router, "GET /slow", slow, NULL) : r;
}

static int serve(belay_ctx *stop, belay_server *server, const char *address)
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

int main(int argc, char **argv)
{
	belay_ctx *stop = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	const char *address = argc > 1 ? argv[1] : "127.0.0.1:8080";
	belay_router *router = belay_router_new();
	belay_server *server = NULL;
	int r = router ? add_routes(router) : -ENOMEM;

	if (r == 0)
		r = belay_server_new(belay_background(), router, NULL, &server);
	if (r == 0)
		r = serve(stop, server, address);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", address, belay_strerror(r));
	belay_server_free(server);
	belay_router_free(router);
	belay_end(stop);
	belay_shutdown();
	return r < 0;
}
