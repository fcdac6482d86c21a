/* SPDX-License-Identifier: MIT
 *
 * test_h2_shutdown.c - how a server takes leave of HTTP/2's clients: GOAWAY (RFC 9113, section
 * 6.8), and the requests that run finish.
 */
#include "h2_test.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct h2_peer peer;

/* A shutdown on a thread of its own. */
struct stopping {
	belay_ctx *ctx;
	pthread_t thread;
	int result;
};

static void *stop(void *arg)
{
	struct stopping *stopping = arg;

	stopping->result = belay_server_shutdown(stopping->ctx, site.server);
	return NULL;
}

static void stop_begin(struct stopping *stopping)
{
	stopping->ctx = check_live(belay_with_cancel(belay_background()));
	assert_int_equal(pthread_create(&stopping->thread, NULL, stop, stopping), 0);
}

static int stop_end(struct stopping *stopping)
{
	pthread_join(stopping->thread, NULL);
	belay_end(stopping->ctx);
	return stopping->result;
}

static belay_chan *started, *go_on;

static int wait_and_answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r;

	belay_chan_close(started);
	r = (belay_recv)(ctx, go_on, NULL);
	return r == -EPIPE ? belay_response_puts(ctx, res, "through") : r;
}

static void begin(void)
{
	started = check_made(belay_chan_new(0, 0));
	go_on = check_made(belay_chan_new(0, 0));
	check(belay_router_add(site.router, "GET /wait", wait_and_answer, NULL) == 0);
	site_start(&site, belay_background(), NULL);
	h2_dial(&site, &peer);
}

static void end(void)
{
	h2_close(&peer);
	site_stop(&site);
	site_init(&site);
	belay_chan_unref(started);
	belay_chan_unref(go_on);
}

/* semantics 4.6 */
static void a_request_that_runs_finishes_and_the_connection_closes(void **state)
{
	struct stopping stopping;
	int32_t id;

	begin();
	id = h2_ask(&peer, "GET", "/wait", NULL, NULL);
	assert_int_equal((belay_recv)(belay_background(), started, NULL), -EPIPE);
	stop_begin(&stopping);
	while (peer.goaways < 2)
		assert_true(h2_pump(&peer));
	assert_int_equal(peer.goaway_last, id);
	assert_int_equal(peer.goaway_code, NGHTTP2_NO_ERROR);
	belay_chan_close(go_on);
	assert_string_equal(h2_await(&peer, id)->body, "through");
	h2_await_end(&peer);
	assert_int_equal(stop_end(&stopping), 0);
	end();
}

static void an_idle_connection_is_closed(void **state)
{
	struct stopping stopping;

	begin();
	assert_int_equal(h2_get(&peer, "/")->status, 404);
	stop_begin(&stopping);
	h2_await_end(&peer);
	assert_int_equal(peer.goaway_code, NGHTTP2_NO_ERROR);
	assert_int_equal(stop_end(&stopping), 0);
	end();
}

/* One that the server has heard of. */
static int dial_and_settle(void)
{
	struct h2_frame frame;
	int fd = h2_raw_dial(&site);

	assert_true(h2_raw_await(fd, NGHTTP2_SETTINGS, &frame));
	return fd;
}

/* What had been sent before the client could know of the shutdown is served. */
static void a_request_that_was_on_its_way_is_served(void **state)
{
	struct stopping stopping;
	struct h2_frame frame, ping;
	bool both = false;
	int fd;

	begin();
	fd = dial_and_settle();
	stop_begin(&stopping);
	assert_true(h2_raw_await(fd, NGHTTP2_PING, &ping));
	assert_true(h2_raw_await(fd, NGHTTP2_GOAWAY, &frame));
	assert_int_equal(h2_number(frame.payload), 0x7fffffff);
	h2_raw_get(fd, 1, "/x", NGHTTP2_FLAG_END_STREAM);
	h2_raw_send(fd, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, ping.payload, 8);
	for (bool answered = false, told = false; h2_raw_next(fd, &frame);) {
		answered |= frame.type == NGHTTP2_HEADERS && frame.id == 1;
		told |= frame.type == NGHTTP2_GOAWAY && h2_number(frame.payload) == 1;
		both = answered && told;
	}
	assert_true(both);
	close(fd);
	h2_await_end(&peer);
	assert_int_equal(stop_end(&stopping), 0);
	end();
}

/* One that does not even answer a PING holds nothing up for long. */
static void a_client_that_says_nothing_is_not_waited_for(void **state)
{
	struct stopping stopping;
	int fd;

	begin();
	fd = dial_and_settle();
	stop_begin(&stopping);
	h2_await_end(&peer);
	assert_int_equal(h2_raw_goaway(fd), NGHTTP2_NO_ERROR);
	assert_int_equal(stop_end(&stopping), 0);
	close(fd);
	end();
}

/* semantics 4.7 */
static void requests_that_outlast_the_shutdown_s_context_are_ended_and_answered(void **state)
{
	struct stopping stopping;
	struct h2_reply *reply;
	int32_t id;

	begin();
	id = h2_ask(&peer, "GET", "/wait", NULL, NULL);
	assert_int_equal((belay_recv)(belay_background(), started, NULL), -EPIPE);
	stop_begin(&stopping);
	while (peer.goaways < 1)
		assert_true(h2_pump(&peer));
	belay_cancel(stopping.ctx);
	reply = h2_await(&peer, id);
	assert_int_equal(reply->status, 503);
	assert_non_null(strstr(reply->body, "server shutting down"));
	h2_await_end(&peer);
	assert_int_equal(stop_end(&stopping), -ECANCELED);
	end();
}

/* RFC 9113, section 6.8: the client's own leave. */
static void a_client_that_takes_leave_is_served_to_the_end(void **state)
{
	int32_t id;

	begin();
	id = h2_ask(&peer, "GET", "/wait", NULL, NULL);
	assert_int_equal((belay_recv)(belay_background(), started, NULL), -EPIPE);
	h2_raw_send(peer.fd, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
	belay_chan_close(go_on);
	assert_string_equal(h2_await(&peer, id)->body, "through");
	h2_await_end(&peer);
	end();
}

static void a_client_that_takes_leave_and_has_no_request_is_let_go(void **state)
{
	begin();
	assert_int_equal(h2_get(&peer, "/")->status, 404);
	h2_raw_send(peer.fd, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
	h2_await_end(&peer);
	end();
}

BELAY_TEST_MAIN(H2_TEST(a_request_that_runs_finishes_and_the_connection_closes),
		H2_TEST(an_idle_connection_is_closed),
		H2_TEST(a_request_that_was_on_its_way_is_served),
		H2_TEST(a_client_that_says_nothing_is_not_waited_for),
		H2_TEST(requests_that_outlast_the_shutdown_s_context_are_ended_and_answered),
		H2_TEST(a_client_that_takes_leave_is_served_to_the_end),
		H2_TEST(a_client_that_takes_leave_and_has_no_request_is_let_go))
