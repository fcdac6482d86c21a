/* SPDX-License-Identifier: MIT
 *
 * main.c - a search service over the packages that this machine knows.
 *
 * One context ends everything: the signal's. Requests don't descend from it, so that those that run
 * when Ctrl-C comes can finish, for GRACE_S seconds; then the server ends them.
 */
#include "database.h"
#include "events.h"
#include "handlers.h"
#include "import.h"
#include "listeners.h"
#include "options.h"
#include "page.h"
#include "replicas.h"
#include "reply.h"
#include "store.h"

#include <belay.h>
#include <belay/http.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRACE_S = 5 };

static const struct {
	const char *pattern;
	belay_handler *handler;
	bool watched; /* told of in /events */
} routes[] = {
	{"GET /", handle_page, false},
	{"GET /events", handle_events, false},
	{"GET /healthz", handle_health, false},
	{"GET /debug/contexts", belay_tree_handler, false},
	{"GET /debug/stats", belay_stats_handler, false},
	{"GET /packages", handle_search, true},
	{"GET /packages/{name}", handle_package, true},
	{"GET /packages/{name}/closure", handle_closure, true},
	{"GET /packages/{name}/similar", handle_similar, true},
	{"GET /twins", handle_twins, true},
	{"GET /first/packages/{name}", handle_first, true},
};

/* ---- Wiring ---------------------------------------------------------------------------------- */

static int add_routes(belay_router *router, struct store *store)
{
	size_t i;
	int r = 0;

	for (i = 0; i < sizeof routes / sizeof *routes && !r; i++) {
		r = belay_router_add(router, routes[i].pattern, routes[i].handler, store);
		if (!r && routes[i].watched)
			r = belay_router_use_for(router, routes[i].pattern, events_watch,
						 store->events);
	}
	return r;
}

static int build_router(belay_router *router, struct store *store)
{
	int r = belay_router_use(router, belay_http_trace, NULL);

	if (!r)
		r = belay_router_use(router, belay_http_access_log, NULL);
	if (!r)
		r = belay_router_use(router, belay_http_deadline, NULL);
	if (!r)
		r = add_routes(router, store);
	belay_router_error_page(router, reply_error_page, NULL);
	return r;
}

/* ---- Serving --------------------------------------------------------------------------------- */

/* Until ctx is done. Then what runs may finish. */
static void serve(belay_ctx *ctx, belay_server *server, const struct listeners *listeners,
		  struct store *store)
{
	belay_ctx *grace;
	belay_cause cause;

	listeners_serve(ctx, server, listeners);
	if (belay_cause_of(ctx, &cause) == 0)
		belay_log(ctx, BELAY_LOG_INFO, "%s: shutting down", cause.message);
	grace = belay_with_timeout(belay_background(), BELAY_S(GRACE_S));
	events_close(store->events);
	belay_server_shutdown(grace, server);
	belay_end(grace);
}

static int listen_and_serve(belay_ctx *ctx, const struct options *options, belay_server *server,
			    struct store *store)
{
	struct listeners listeners;
	int r = listeners_open(ctx, options, &listeners);

	if (!r)
		serve(ctx, server, &listeners, store);
	return r;
}

static int run_server(belay_ctx *ctx, const struct options *options, struct store *store)
{
	belay_router *router = belay_router_new();
	belay_server *server = NULL;
	int r = router ? build_router(router, store) : -ENOMEM;

	if (!r)
		r = belay_server_new(belay_background(), router, NULL, &server);
	if (!r)
		r = listen_and_serve(ctx, options, server, store);
	belay_server_free(server);
	belay_router_free(router);
	return r;
}

/* ---- Opening what is needed, in turn, and closing it ----------------------------------------- */

static int run_with_replicas(belay_ctx *ctx, const struct options *options, struct store *store)
{
	belay_ctx *grace;
	int r = replicas_start(ctx, options, store, &store->replicas);

	if (r) {
		fprintf(stderr, "store: can't start the replicas: %s\n", belay_strerror(r));
		return r;
	}
	r = run_server(ctx, options, store);
	grace = belay_with_timeout(belay_background(), BELAY_S(GRACE_S));
	replicas_stop(grace, store->replicas);
	belay_end(grace);
	return r;
}

static int run_with_database(belay_ctx *ctx, const struct options *options)
{
	struct store store = {.events = events_new()};
	int r = store.events ? database_open(ctx, options->db, &store.db) : -ENOMEM;

	if (!r) {
		r = run_with_replicas(ctx, options, &store);
		database_close(&store.db);
	}
	events_free(store.events);
	return r;
}

/* A Ctrl-C while it is still starting is no success: nothing has been served. */
static int run(const struct options *options)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	int r = import(ctx, options);

	if (!r)
		r = run_with_database(ctx, options);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options options;
	int status;

	switch (options_parse(argc, argv, &options)) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_HELPED:
		return EXIT_SUCCESS;
	default:
		return 2;
	}
	status = run(&options);
	belay_shutdown();
	return status;
}
