/* SPDX-License-Identifier: MIT
 *
 * test_h2_contexts.c - what the context of a request promises over HTTP/2: semantics, section 4,
 * for streams.
 */
#include "h2_test.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

BELAY_KEY(on_connection, char *, .destroy = free);

static struct h2_peer peer;

static void begin(const struct belay_server_options *options)
{
	site_start(&site, belay_background(), options);
	h2_dial(&site, &peer);
}

/* ---- Handlers that wait for their end -------------------------------------------------------- */

enum { WATCHES = 4 };

static struct watch {
	belay_chan *started, *ended;
	char cause[64];
	int code;
} watches[WATCHES];

static void watches_init(void)
{
	for (size_t i = 0; i < WATCHES; i++)
		watches[i] = (struct watch){check_made(belay_chan_new(0, 1)),
					    check_made(belay_chan_new(0, 1))};
}

static void watches_fini(void)
{
	for (size_t i = 0; i < WATCHES; i++) {
		belay_chan_unref(watches[i].started);
		belay_chan_unref(watches[i].ended);
	}
}


static int watch(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct watch *w = &watches[atoi(belay_request_param(req, "index"))];
	belay_cause cause = {0};

	belay_chan_close(w->started);
	belay_wait(ctx);
	if (check(belay_cause_of(ctx, &cause) == 0)) {
		snprintf(w->cause, sizeof w->cause, "%s", cause.message);
		w->code = cause.code;
	}
	belay_chan_close(w->ended);
	return belay_err(ctx);
}

/* A stream of watches[index], whose handler runs when this returns. */
static int32_t start_watch(int index)
{
	char path[24];
	int32_t id;

	snprintf(path, sizeof path, "/watch/%d", index);
	id = h2_ask(&peer, "GET", path, NULL, NULL);
	assert_int_equal((belay_recv)(belay_background(), watches[index].started, NULL), -EPIPE);
	return id;
}

static void await_end_of(int index, const char *cause)
{
	BELAY_SCOPED belay_ctx *ctx =
		check_live(belay_with_timeout(belay_background(), BELAY_S(30)));

	assert_int_equal((belay_recv)(ctx, watches[index].ended, NULL), -EPIPE);
	assert_string_equal(watches[index].cause, cause);
	assert_int_equal(watches[index].code, -ECONNRESET);
}

static bool has_ended(int index)
{
	return belay_try_recv(watches[index].ended, (void *)NULL) == -EPIPE;
}

static int hello(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "hello");
}

static void begin_watching(void)
{
	watches_init();
	check(belay_router_add(site.router, "GET /watch/{index}", watch, NULL) == 0);
	check(belay_router_add(site.router, "GET /", hello, NULL) == 0);
	begin(NULL);
}

static void end_watching(void)
{
	site_stop(&site); /* handlers are through */
	site_init(&site);
	watches_fini();
}

/* semantics 4.3, for a stream */
static void a_reset_stream_ends_its_request_and_no_other(void **state)
{
	int32_t first;

	begin_watching();
	first = start_watch(0);
	start_watch(1);
	h2_reset(&peer, first, NGHTTP2_CANCEL);
	await_end_of(0, "client reset the stream (CANCEL)");
	assert_string_equal(h2_get(&peer, "/")->body, "hello");
	assert_false(has_ended(1));
	h2_close(&peer);
	await_end_of(1, "client disconnected");
	end_watching();
}

static void a_reset_says_why(void **state)
{
	begin_watching();
	h2_reset(&peer, start_watch(0), NGHTTP2_INTERNAL_ERROR);
	await_end_of(0, "client reset the stream (INTERNAL_ERROR)");
	h2_reset(&peer, start_watch(1), NGHTTP2_NO_ERROR);
	await_end_of(1, "client reset the stream (NO_ERROR)");
	h2_close(&peer);
	end_watching();
}

/* semantics 4.3 */
static void a_client_that_goes_away_ends_all_its_requests(void **state)
{
	begin_watching();
	for (int i = 0; i < WATCHES; i++)
		start_watch(i);
	h2_close(&peer);
	for (int i = 0; i < WATCHES; i++)
		await_end_of(i, "client disconnected");
	end_watching();
}

static void a_broken_rule_ends_all_requests_of_the_connection(void **state)
{
	begin_watching();
	start_watch(0);
	start_watch(1);
	h2_raw_send(peer.fd, NGHTTP2_DATA, 0, 0, "", 0); /* DATA for the connection */
	h2_await_end(&peer);
	assert_true(peer.goaway);
	assert_int_equal(peer.goaway_code, NGHTTP2_PROTOCOL_ERROR);
	await_end_of(0, "the HTTP/2 connection is over");
	await_end_of(1, "the HTTP/2 connection is over");
	h2_close(&peer);
	end_watching();
}

static int tell_watch(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char byte;
	ssize_t n;

	belay_chan_close(watches[0].started);
	do
		n = belay_request_read(ctx, req, &byte, 1);
	while (n > 0);
	check(n == -ECONNRESET || (n < 0 && n == belay_err(ctx)));
	return watch(ctx, req, res);
}

/* RFC 9113, section 8.1.1: a Content-Length that the DATA frames do not keep is malformed. */
static void a_malformed_body_ends_its_request(void **state)
{
	static const char *const said[] = {"content-length", "9", NULL};
	struct h2_body body = {"1234", 4, .open = true};
	int32_t id;

	watches_init();
	check(belay_router_add(site.router, "POST /{index}", tell_watch, NULL) == 0);
	begin(NULL);
	id = h2_ask(&peer, "POST", "/0", said, &body);
	assert_int_equal((belay_recv)(belay_background(), watches[0].started, NULL), -EPIPE);
	body.open = false;
	h2_more(&peer, id);
	assert_int_equal(h2_await(&peer, id)->code, NGHTTP2_PROTOCOL_ERROR);
	await_end_of(0, "stream closed (PROTOCOL_ERROR)");
	h2_close(&peer);
	end_watching();
}

/* As one may who has to tell somebody else of the end, whatever becomes of the request. */
static int pour_under_its_own(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	BELAY_SCOPED belay_ctx *own = check_live(belay_with_cancel(belay_background()));
	static const char piece[10000];
	int r;

	do
		r = belay_response_write(own, res, piece, sizeof piece);
	while (r == 0);
	check(r == -ECONNRESET);
	belay_chan_close(watches[0].ended);
	return r;
}

/* The client has taken what its window has room for, and waits, as does the handler then. */
static void begin_pouring(void)
{
	int32_t id;

	watches_init();
	check(belay_router_add(site.router, "GET /", pour_under_its_own, NULL) == 0);
	site_start(&site, belay_background(), NULL);
	h2_dial_with(&site, &peer, 65535, true);
	id = h2_ask(&peer, "GET", "/", NULL, NULL);
	while (h2_reply_of(&peer, id)->size < 65535)
		assert_true(h2_pump(&peer));
}

static void await_end_of_pouring(void)
{
	BELAY_SCOPED belay_ctx *ctx =
		check_live(belay_with_timeout(belay_background(), BELAY_S(30)));

	assert_int_equal((belay_recv)(ctx, watches[0].ended, NULL), -EPIPE);
}

static void a_handler_that_waits_under_its_own_context_learns_that_its_client_has_gone(void **state)
{
	begin_pouring();
	h2_close(&peer);
	await_end_of_pouring();
	end_watching();
}

static void a_handler_that_waits_under_its_own_context_learns_of_a_broken_rule(void **state)
{
	begin_pouring();
	h2_raw_send(peer.fd, NGHTTP2_DATA, 0, 0, "", 0); /* DATA for the connection */
	await_end_of_pouring();
	h2_close(&peer);
	end_watching();
}

/* ---- Contexts that stand in a line ----------------------------------------------------------- */

static belay_ctx *put_remote(belay_ctx *ctx, const char *remote, void *arg)
{
	return with_on_connection(ctx, strdup(remote));
}

static belay_ctx *kept[2];
static atomic_uint kept_count;

static int keep_ctx(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *remote = on_connection_of(ctx);

	check(belay_err(ctx) == 0);
	check(remote && strcmp(remote, belay_request_remote(req)) == 0);
	kept[atomic_fetch_add(&kept_count, 1)] = belay_ref(ctx);
	return belay_response_puts(ctx, res, "kept");
}

/* semantics 4.1, 4.2 */
static void a_stream_s_context_is_its_own_and_done_after_its_handler(void **state)
{
	static const struct belay_server_options options = {.connection = put_remote};
	belay_cause cause;

	atomic_store(&kept_count, 0);
	check(belay_router_add(site.router, "GET /", keep_ctx, NULL) == 0);
	begin(&options);
	assert_string_equal(h2_get(&peer, "/")->body, "kept");
	assert_string_equal(h2_get(&peer, "/")->body, "kept");
	assert_ptr_not_equal(kept[0], kept[1]);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(belay_cause_of(kept[i], &cause), 0);
		assert_string_equal(cause.message, "the handler has returned");
		belay_unref(kept[i]);
	}
	h2_close(&peer);
}

/* ---- Deadlines ------------------------------------------------------------------------------- */

static int sleep_on(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_sleep(ctx, BELAY_S(60));
}

/* semantics 4.5 */
static void a_late_handler_is_answered_for(void **state)
{
	struct belay_http_limit limit = {.most = BELAY_MS(20)};
	struct h2_reply *reply;

	check(belay_router_use(site.router, belay_http_deadline, &limit) == 0);
	check(belay_router_add(site.router, "GET /slow", sleep_on, NULL) == 0);
	check(belay_router_add(site.router, "GET /", hello, NULL) == 0);
	begin(NULL);
	reply = h2_get(&peer, "/slow");
	assert_int_equal(reply->status, 503);
	assert_non_null(strstr(reply->body, "deadline exceeded"));
	assert_null(strstr(reply->head, "connection"));
	assert_string_equal(h2_get(&peer, "/")->body, "hello");
	h2_close(&peer);
}

static int late_after_some(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_response_puts(ctx, res, "some");
	belay_response_flush(ctx, res);
	return belay_sleep(ctx, BELAY_S(60));
}

static void a_handler_that_is_late_in_its_body_has_its_stream_reset(void **state)
{
	struct belay_http_limit limit = {.most = BELAY_MS(20)};
	struct h2_reply *reply;

	check(belay_router_use(site.router, belay_http_deadline, &limit) == 0);
	check(belay_router_add(site.router, "GET /", late_after_some, NULL) == 0);
	begin(NULL);
	reply = h2_get(&peer, "/");
	assert_string_equal(reply->body, "some");
	assert_false(reply->ended);
	assert_int_equal(reply->code, NGHTTP2_INTERNAL_ERROR);
	h2_close(&peer);
}

static int hog(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int64_t until = belay_now() + BELAY_S(30);

	belay_chan_close(watches[0].started);
	while (belay_err(ctx) == 0 && belay_now() < until)
		;
	belay_chan_close(watches[0].ended);
	return belay_err(ctx);
}

/* semantics 4.3: also where no worker is left to read what the client says. */
static void a_handler_that_computes_learns_that_its_client_has_gone(void **state)
{
	watches_init();
	check(belay_router_add(site.router, "GET /", hog, NULL) == 0);
	begin(NULL);
	h2_ask(&peer, "GET", "/", NULL, NULL);
	assert_int_equal((belay_recv)(belay_background(), watches[0].started, NULL), -EPIPE);
	h2_close(&peer);
	assert_int_equal((belay_recv)(belay_background(), watches[0].ended, NULL), -EPIPE);
	end_watching();
}

BELAY_TEST_MAIN(H2_TEST(a_reset_stream_ends_its_request_and_no_other),
		H2_TEST(a_reset_says_why),
		H2_TEST(a_client_that_goes_away_ends_all_its_requests),
		H2_TEST(a_broken_rule_ends_all_requests_of_the_connection),
		H2_TEST(a_malformed_body_ends_its_request),
		H2_TEST(a_handler_that_waits_under_its_own_context_learns_that_its_client_has_gone),
		H2_TEST(a_handler_that_waits_under_its_own_context_learns_of_a_broken_rule),
		H2_TEST(a_stream_s_context_is_its_own_and_done_after_its_handler),
		H2_TEST(a_late_handler_is_answered_for),
		H2_TEST(a_handler_that_is_late_in_its_body_has_its_stream_reset),
		H2_TEST(a_handler_that_computes_learns_that_its_client_has_gone))
