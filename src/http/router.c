/* SPDX-License-Identifier: MIT
 *
 * router.c - sends each request to its handler, through the middlewares.
 *
 * A router is built by one thread and then only read, by any number of tasks at once.
 */
#include "http/router.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

/* ---- Serving --------------------------------------------------------------------------------- */

static void set_params(belay_request *req, const struct belay__route *route)
{
	const struct belay__target *target = &req->target;

	for (unsigned i = 0; i < route->param_count; i++) {
		const struct belay__route_param *param = &route->params[i];
		const char *text = param->tail ? target->path : target->segments;

		req->params[i].name = param->name;
		req->params[i].value = text + target->starts[param->segment];
	}
	req->param_count = route->param_count;
	req->route = route->pattern;
	req->data = route->data;
}

static int refuse(belay_ctx *ctx, belay_request *req, belay_response *res,
		  const struct belay__match *match)
{
	if (!match->known)
		return belay_response_error(ctx, req, res, 404, "no such path");
	belay_response_header(res, "Allow", match->allow);
	return belay_response_error(ctx, req, res, 405, NULL);
}

/* The last one of the router's own chain. */
static int dispatch(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct belay__match match;

	belay__match(req->router->root, req->method, &req->target, &match);
	if (!match.route)
		return refuse(ctx, req, res, &match);
	set_params(req, match.route);
	return belay_next(ctx, req, res, match.route->chain);
}

int belay__router_serve(belay_ctx *ctx, const struct belay_router *router,
			struct belay_request *req, struct belay_response *res)
{
	req->router = router;
	return belay_next(ctx, req, res, router->chain);
}

/* ---- Building -------------------------------------------------------------------------------- */

static struct belay__route *find(const struct belay_router *router, const char *pattern)
{
	struct belay__route *route = router->routes;

	while (route && strcmp(route->pattern, pattern) != 0)
		route = route->next;
	return route;
}

/* Makes route one of node's, unless there is one for its method. */
static int join(struct belay__segment *node, struct belay__route *route)
{
	for (struct belay__route *r = node->routes; r; r = r->next_method)
		if (strcmp(r->method, route->method) == 0)
			return -EEXIST;
	route->next_method = node->routes;
	node->routes = route;
	return 0;
}

belay_router *belay_router_new(void)
{
	belay_router *router = belay__calloc(1, sizeof *router);

	if (!router)
		return NULL;
	router->root = belay__segment_new("", 0);
	router->chain = belay__chain_new(dispatch);
	if (!router->root || !router->chain) {
		belay_router_free(router);
		return NULL;
	}
	return router;
}

void belay_router_free(belay_router *router)
{
	if (!router)
		return;
	for (struct belay__route *r = router->routes, *next; r; r = next) {
		next = r->next;
		belay__route_free(r);
	}
	belay__segment_free(router->root);
	belay__chain_free(router->chain);
	belay__free(router);
}

int belay_router_add(belay_router *router, const char *pattern, belay_handler *handler, void *data)
{
	struct belay__segment *node;
	struct belay__route *route;
	int r;

	if (!router || !pattern || !handler)
		return -EINVAL;
	r = belay__route_parse(router->root, pattern, &route, &node);
	if (r < 0)
		return r;
	route->data = data;
	route->chain = belay__chain_new(handler);
	r = route->chain ? join(node, route) : -ENOMEM;
	if (r < 0) {
		belay__route_free(route);
		return r;
	}
	route->next = router->routes;
	router->routes = route;
	return 0;
}

int belay_router_use(belay_router *router, belay_middleware *middleware, void *arg)
{
	return router && middleware ? belay__chain_add(&router->chain, middleware, arg) : -EINVAL;
}

int belay_router_use_for(belay_router *router, const char *pattern, belay_middleware *middleware,
			 void *arg)
{
	struct belay__route *route;

	if (!router || !pattern || !middleware)
		return -EINVAL;
	route = find(router, pattern);
	return route ? belay__chain_add(&route->chain, middleware, arg) : -ENOENT;
}

void belay_router_error_page(belay_router *router, belay_error_page *page, void *arg)
{
	router->page = page;
	router->page_arg = arg;
}
