/* SPDX-License-Identifier: MIT
 *
 * router.h - the inside of a router: chains of middlewares, and a tree of segments.
 */
#ifndef BELAY_SRC_HTTP_ROUTER_H
#define BELAY_SRC_HTTP_ROUTER_H

#include "http/request.h"
#include "http/response.h"

/* A middleware and what stands behind it; the last of a chain has the handler in its place. */
struct belay_chain {
	belay_middleware *middleware; /* NULL: the last one */
	void *arg;
	struct belay_chain *next;
	belay_handler *handler;
};

/* chain.c. A chain of the handler alone; NULL: no memory. */
struct belay_chain *belay__chain_new(belay_handler *handler);
void belay__chain_free(struct belay_chain *chain);

/* Puts a middleware around the last one, inside of all others. 0 or -ENOMEM. */
int belay__chain_add(struct belay_chain **chain, belay_middleware *middleware, void *arg);

/* Answers a request whose context is done and that nothing was sent for: 503, where somebody waits
 * for it; else nothing, and the context's error. */
int belay__answer_the_end(belay_ctx *ctx, belay_request *req, belay_response *res);

/* A handler for a pattern. */
struct belay__route {
	struct belay__route *next;        /* of the router's                            */
	struct belay__route *next_method; /* another one for the same paths             */
	struct belay_chain *chain;
	void *data;
	unsigned param_count;
	struct belay__route_param {
		const char *name;
		size_t segment; /* which one of the path it stands for          */
		bool tail;      /* and all that follow                          */
	} params[BELAY__MOST_PARAMS];
	char *pattern;      /* as it was added                                      */
	const char *method; /* "": all                                              */
	char text[];        /* of pattern, method and names                         */
};

/* A node of the tree: what has been matched so far, and what may come next. */
struct belay__segment {
	struct belay__segment *next;  /* another text below the same parent */
	struct belay__segment *texts; /* children, by their text            */
	struct belay__segment *any;   /* the child for {name}               */
	struct belay__segment *tail;  /* the child for {name...}            */
	struct belay__route *routes;  /* those whose pattern ends here      */
	char text[];
};

struct belay_router {
	struct belay_chain *chain; /* around everything; its last one finds the route */
	struct belay__route *routes;
	struct belay__segment *root;
	belay_error_page *page;
	void *page_arg;
};

/* pattern.c. A route for pattern, without a chain, and the node where it belongs, made where need
 * be; not yet one of the node's. 0; -EINVAL: not a pattern; -ENOMEM. */
int belay__route_parse(struct belay__segment *root, const char *pattern, struct belay__route **ret,
		       struct belay__segment **ret_node);
void belay__route_free(struct belay__route *route);
struct belay__segment *belay__segment_new(const char *text, size_t size);
void belay__segment_free(struct belay__segment *root);

/* match.c. What looking up a path gives. */
struct belay__match {
	const char *method;
	const struct belay__target *target;
	const struct belay__route *route; /* NULL: none for this method        */
	bool known;                       /* there is one for others           */
	char allow[256];                  /* and these they are: "GET, HEAD"   */
};
void belay__match(const struct belay__segment *root, const char *method,
		  const struct belay__target *target, struct belay__match *ret);

/* router.c. Runs the request through the router; what the outermost middleware returned. */
int belay__router_serve(belay_ctx *ctx, const struct belay_router *router,
			struct belay_request *req, struct belay_response *res);

#endif
