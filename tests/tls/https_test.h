/* SPDX-License-Identifier: MIT
 *
 * https_test.h - a server of HTTP behind TLS for a program's tests, made anew for each.
 */
#ifndef BELAY_TESTS_TLS_HTTPS_TEST_H
#define BELAY_TESTS_TLS_HTTPS_TEST_H

#include "sides_test.h"

#include <belay/http.h>

static belay_router *router; /* routes are added before https_start() */
static belay_server *server;
static belay_listener *listener;
static belay_ctx *stop;
static belay_group *serving;
static char address[64];

/* The options of both sides can still be changed. */
static inline int https_set_up(void **state)
{
	check_needs_memory(); /* for the client to be answered at all */
	sides_set_options(state);
	router = belay_router_new();
	assert_non_null(router);
	return 0;
}

static inline int https_serve(belay_ctx *ctx, void *arg)
{
	check(belay_server_serve(ctx, server, listener) == -ECANCELED);
	return 0;
}

static inline void https_start(const struct belay_server_options *options)
{
	sides_make(&sides);
	stop = belay_with_cancel(belay_background());
	assert_int_equal(belay_server_new(belay_background(), router, options, &server), 0);
	assert_int_equal(belay_tls_listen(stop, "127.0.0.1:0", sides.server, &listener), 0);
	snprintf(address, sizeof address, "%s", belay_listener_address(listener));
	serving = belay_group_new(stop);
	assert_int_equal(belay_group_go(serving, https_serve, NULL), 0);
}

static inline int https_tear_down(void **state)
{
	belay_cancel(stop);
	belay_group_wait(serving);
	belay_server_free(server);
	belay_router_free(router);
	belay_end(stop);
	return sides_tear_down(state);
}

#define HTTPS_TEST(name) cmocka_unit_test_setup_teardown(name, https_set_up, https_tear_down)

#endif
