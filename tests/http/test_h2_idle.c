/* SPDX-License-Identifier: MIT
 *
 * test_h2_idle.c - HTTP/2 connections on which nothing comes for a while: nobody reads them, and
 * they are what they were when something comes.
 */
#include "h2_test.h"

#include <stdatomic.h>
#include <string.h>

static struct h2_peer peer;

static bool has_tasks(size_t many)
{
	struct belay_numbers numbers;

	belay_stats(&numbers, sizeof numbers);
	return belay_server_connections(site.server) == 1 && numbers.tasks == many;
}

static atomic_int started, ended;

static int wait_for_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	started++;
	belay_wait(ctx);
	ended++;
	return belay_err(ctx);
}

static void begin(const struct belay_server_options *options)
{
	started = ended = 0;
	check(belay_router_add(site.router, "GET /wait", wait_for_end, NULL) == 0);
	site_start(&site, belay_background(), options);
	h2_dial(&site, &peer);
}

static void an_idle_connection_holds_no_task(void **state)
{
	begin(NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(h2_get(&peer, "/")->status, 404);
		assert_true(check_until(has_tasks(0)));
	}
	h2_close(&peer);
}

static void nobody_reads_while_a_request_runs_and_its_reset_ends_it(void **state)
{
	int32_t id;

	begin(NULL);
	id = h2_ask(&peer, "GET", "/wait", NULL, NULL);
	assert_true(check_until(started == 1 && has_tasks(1)));
	h2_reset(&peer, id, NGHTTP2_CANCEL);
	assert_true(check_until(ended == 1 && has_tasks(0)));
	assert_int_equal(h2_get(&peer, "/")->status, 404);
	h2_close(&peer);
}

static void a_client_that_goes_ends_its_requests(void **state)
{
	begin(NULL);
	h2_ask(&peer, "GET", "/wait", NULL, NULL);
	assert_true(check_until(started == 1 && has_tasks(1)));
	h2_close(&peer);
	assert_true(check_until(ended == 1 && belay_server_connections(site.server) == 0));
}

static void its_time_closes_it(void **state)
{
	static const struct belay_server_options options = {.idle_time = BELAY_MS(200)};

	begin(&options);
	assert_int_equal(h2_get(&peer, "/")->status, 404);
	h2_await_end(&peer);
	assert_int_equal(peer.goaway_code, NGHTTP2_NO_ERROR);
	h2_close(&peer);
}

static void *shut_down(void *arg)
{
	check(belay_server_shutdown(belay_background(), site.server) == 0);
	return arg;
}

static void a_shutdown_takes_leave_of_it(void **state)
{
	pthread_t thread;

	begin(NULL);
	assert_int_equal(h2_get(&peer, "/")->status, 404);
	assert_true(check_until(has_tasks(0)));
	assert_int_equal(pthread_create(&thread, NULL, shut_down, NULL), 0);
	h2_await_end(&peer);
	assert_int_equal(peer.goaway_code, NGHTTP2_NO_ERROR);
	pthread_join(thread, NULL);
	h2_close(&peer);
}

BELAY_TEST_MAIN(H2_TEST(an_idle_connection_holds_no_task),
		H2_TEST(nobody_reads_while_a_request_runs_and_its_reset_ends_it),
		H2_TEST(a_client_that_goes_ends_its_requests),
		H2_TEST(its_time_closes_it),
		H2_TEST(a_shutdown_takes_leave_of_it))
