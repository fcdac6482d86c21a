/* SPDX-License-Identifier: MIT
 *
 * h2_by_hand.h - a client that sends frames written by hand to a server of its own: "/" answers,
 * "/wait" waits for its request's end.
 */
#ifndef BELAY_TESTS_HTTP_H2_BY_HAND_H
#define BELAY_TESTS_HTTP_H2_BY_HAND_H

#include "h2_test.h"

#include <stdatomic.h>
#include <unistd.h>

static int fd; /* the client's, which has said hello */

/* Handlers: how many have begun (or, where a test says so, ended), run, and have run at once. */
static atomic_uint begun, running, most;

static inline void begins_to_run(void)
{
	unsigned now = atomic_fetch_add(&running, 1) + 1, before = atomic_load(&most);

	while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
		;
}

static inline int wait_for_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	begins_to_run();
	atomic_fetch_add(&begun, 1);
	belay_wait(ctx);
	atomic_fetch_sub(&running, 1);
	return belay_err(ctx);
}

static inline int hello(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "hello");
}

static inline void begin(const struct belay_server_options *options)
{
	atomic_store(&begun, 0);
	atomic_store(&running, 0);
	atomic_store(&most, 0);
	check(belay_router_add(site.router, "/", hello, NULL) == 0);
	check(belay_router_add(site.router, "GET /wait", wait_for_end, NULL) == 0);
	site_start(&site, belay_background(), options);
	fd = h2_raw_dial(&site);
}

/* The server has closed with this code. */
static inline void expect_goaway(uint32_t code)
{
	assert_int_equal(h2_raw_goaway(fd), code);
	close(fd);
}

#endif
