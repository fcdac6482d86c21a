/* SPDX-License-Identifier: MIT
 *
 * test_server_contexts.c - what the context of a request promises: semantics, section 4.
 */
#include "site.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

BELAY_KEY(on_server, const char *, .destroy = NULL);
BELAY_KEY(on_connection, char *, .destroy = free);

static struct site site;

static int set_up(void **state)
{
	site_init(&site);
	return 0;
}

static int tear_down(void **state)
{
	site_stop(&site);
	return 0;
}

/* ---- Contexts that stand in a line ----------------------------------------------------------- */

static belay_ctx *put_remote(belay_ctx *ctx, const char *remote, void *arg)
{
	return with_on_connection(ctx, strdup(remote));
}

static int tell_values(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *remote = on_connection_of(ctx);

	check(remote && strcmp(remote, belay_request_remote(req)) == 0);
	return belay_response_printf(ctx, res, "%s %s", on_server_of(ctx), remote);
}

static int ask_for_values(struct reply *reply, int fd)
{
	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_read_reply(fd, reply, false);
	return reply->status;
}

/* semantics 4.1 */
static void requests_descend_from_their_connection_and_that_from_the_server(void **state)
{
	static const struct belay_server_options options = {.connection = put_remote};
	BELAY_SCOPED belay_ctx *base = with_on_server(belay_background(), "base");
	struct reply first, second, again;
	int a, b;

	check(belay_router_add(site.router, "GET /", tell_values, NULL) == 0);
	site_start(&site, base, &options);
	a = site_dial(&site);
	b = site_dial(&site);
	assert_int_equal(ask_for_values(&first, a), 200);
	assert_int_equal(ask_for_values(&second, b), 200);
	assert_int_equal(ask_for_values(&again, a), 200);
	assert_int_equal(strncmp(first.body, "base 127.0.0.1:", 15), 0);
	assert_string_not_equal(first.body, second.body);
	assert_string_equal(first.body, again.body);
	close(a);
	close(b);
}

static int end_of_base(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_cause cause;

	belay_cancel_cause(belay_request_data(req), -EDOM, "closing time");
	check(belay_err(ctx) == -ECANCELED);
	check(belay_cause_of(ctx, &cause) == 0 && strcmp(cause.message, "closing time") == 0);
	check(cause.file && strcmp(cause.file, __FILE__) == 0 && cause.levels_up > 0);
	return belay_err(ctx);
}

/* semantics 4.1 */
static void the_end_of_the_server_s_base_ends_its_requests(void **state)
{
	BELAY_SCOPED belay_ctx *base = check_live(belay_with_cancel(belay_background()));
	struct reply reply;

	check(belay_router_add(site.router, "GET /", end_of_base, base) == 0);
	site_start(&site, base, NULL);
	site_ask(&site, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_int_equal(reply.status, 503);
	assert_non_null(strstr(reply.body, "closing time"));
}

static int keep_ctx(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_ctx **kept = belay_request_data(req);

	check(belay_err(ctx) == 0);
	*kept = belay_ref(ctx);
	return belay_response_puts(ctx, res, "kept");
}

/* semantics 1.31 */
static void what_outlives_a_handler_is_told_that_it_has_returned(void **state)
{
	belay_ctx *kept = NULL;
	belay_cause cause = {0};
	struct reply reply;

	check(belay_router_add(site.router, "GET /", keep_ctx, &kept) == 0);
	site_start(&site, belay_background(), NULL);
	site_ask(&site, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_int_equal(belay_cause_of(kept, &cause), 0);
	assert_string_equal(cause.message, "the handler has returned");
	assert_null(cause.file);
	assert_int_equal(cause.levels_up, 0);
	belay_unref(kept);
}

/* ---- When it is live ------------------------------------------------------------------------- */

/* semantics 4.2 */
static void a_request_s_context_is_live_for_its_handler_and_done_after_it(void **state)
{
	belay_ctx *kept = NULL;
	struct reply reply;
	int fd;

	check(belay_router_add(site.router, "GET /", keep_ctx, &kept) == 0);
	site_start(&site, belay_background(), NULL);
	fd = site_dial(&site);
	for (int i = 0; i < 20; i++) {
		raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
		raw_read_reply(fd, &reply, false);
		assert_string_equal(reply.body, "kept");
		assert_int_equal(belay_err(kept), -ECANCELED);
		belay_unref(kept);
	}
	close(fd);
}

/* ---- Clients that go away -------------------------------------------------------------------- */

struct watch {
	belay_chan *started, *ended;
	char cause[64];
	bool placed; /* names a line */
	int code;
};

static void watch_init(struct watch *watch)
{
	*watch = (struct watch){belay_chan_new(0, 1), check_made(belay_chan_new(0, 1))};
}

static void watch_fini(struct watch *watch)
{
	belay_chan_unref(watch->started);
	belay_chan_unref(watch->ended);
}

static void signal_chan(belay_chan *ch)
{
	check((belay_send)(belay_background(), ch, "") == 0);
}

static void await_chan(belay_chan *ch)
{
	BELAY_SCOPED belay_ctx *ctx =
		check_live(belay_with_timeout(belay_background(), BELAY_S(30)));

	assert_int_equal((belay_recv)(ctx, ch, NULL), 0);
}

static int note_end(belay_ctx *ctx, struct watch *watch)
{
	belay_cause cause = {0};

	if (check(belay_cause_of(ctx, &cause) == 0)) {
		snprintf(watch->cause, sizeof watch->cause, "%s", cause.message);
		watch->code = cause.code;
		watch->placed = cause.file;
	}
	signal_chan(watch->ended);
	return belay_err(ctx);
}

static int wait_for_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct watch *watch = belay_request_data(req);

	signal_chan(watch->started);
	belay_wait(ctx);
	return note_end(ctx, watch);
}

/* Computes, without giving up its worker, until it is told to stop. */
static int compute(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct watch *watch = belay_request_data(req);
	int64_t until = belay_now() + BELAY_S(30);

	signal_chan(watch->started);
	while (belay_err(ctx) == 0 && belay_now() < until)
		;
	return note_end(ctx, watch);
}

/* Lets a client send text, and leave once the handler has started. */
static void leave(belay_handler *handler, const char *text, void (*go)(int fd))
{
	struct watch watch;
	int fd;

	check_needs_memory(); /* for the handler to be asked at all */
	watch_init(&watch);
	check(belay_router_add(site.router, "/", handler, &watch) == 0);
	site_start(&site, belay_background(), NULL);
	fd = site_dial(&site);
	raw_send(fd, text);
	await_chan(watch.started);
	go(fd);
	await_chan(watch.ended);
	assert_string_equal(watch.cause, "client disconnected");
	assert_int_equal(watch.code, -ECONNRESET);
	assert_false(watch.placed);
	site_stop(&site);
	site_init(&site);
	watch_fini(&watch);
}

static void close_it(int fd)
{
	close(fd);
}

static void reset_it(int fd)
{
	const struct linger abort = {.l_onoff = 1};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort), 0);
	close(fd);
}

/* semantics 4.3 */
static void a_client_that_goes_away_ends_its_request(void **state)
{
	leave(wait_for_end, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", close_it);
}

/* semantics 4.3 */
static void a_client_that_resets_ends_its_request(void **state)
{
	leave(wait_for_end, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", reset_it);
}

/* semantics 4.3 */
static void a_client_that_goes_away_with_an_unread_body_ends_its_request(void **state)
{
	leave(wait_for_end, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345",
	      close_it);
}

/* semantics 4.3 */
static void a_client_that_goes_away_ends_a_handler_that_only_computes(void **state)
{
	leave(compute, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", close_it);
}

static int read_on(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct watch *watch = belay_request_data(req);
	char buf[64];
	ssize_t n;

	signal_chan(watch->started);
	while ((n = belay_request_read(ctx, req, buf, sizeof buf)) > 0)
		;
	check(n == -ECANCELED);
	return note_end(ctx, watch);
}

/* semantics 4.3 */
static void a_client_that_goes_away_ends_a_read_of_its_body(void **state)
{
	leave(read_on, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345", close_it);
}

static int write_on(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct watch *watch = belay_request_data(req);
	static const char block[65536];
	int r = 0;

	signal_chan(watch->started);
	while (r == 0)
		r = belay_response_write(ctx, res, block, sizeof block);
	check(r == -ECANCELED);
	return note_end(ctx, watch);
}

/* semantics 4.3 */
static void a_client_that_goes_away_ends_a_write_that_waits_for_it(void **state)
{
	leave(write_on, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", close_it);
}

/* semantics 4.3 */
static void another_client_s_request_goes_on(void **state)
{
	struct watch watch;
	struct reply reply;
	int gone, there;
	belay_ctx *kept = NULL;

	check_needs_memory(); /* for the peer to be asked at all */
	watch_init(&watch);
	check(belay_router_add(site.router, "GET /", wait_for_end, &watch) == 0);
	check(belay_router_add(site.router, "GET /kept", keep_ctx, &kept) == 0);
	site_start(&site, belay_background(), NULL);
	gone = site_dial(&site);
	there = site_dial(&site);
	raw_send(gone, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	await_chan(watch.started);
	close(gone);
	await_chan(watch.ended);
	raw_send(there, "GET /kept HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_read_reply(there, &reply, false);
	assert_int_equal(reply.status, 200);
	belay_unref(kept);
	close(there);
	site_stop(&site);
	site_init(&site);
	watch_fini(&watch);
}

/* ---- Pipelining ------------------------------------------------------------------------------ */

struct gate {
	belay_chan *started, *open;
};

static int pass_gate(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct gate *gate = belay_request_data(req);
	int r;

	signal_chan(gate->started);
	r = (belay_recv)(ctx, gate->open, NULL);
	return r < 0 ? r : belay_response_puts(ctx, res, belay_request_query(req, "n"));
}

/* semantics 4.4 */
static void a_pipelined_request_does_not_end_the_current_one(void **state)
{
	struct gate gate = {belay_chan_new(0, 1), check_made(belay_chan_new(0, 0))};
	struct reply reply;
	int fd;

	check_needs_memory(); /* for the peer to be asked at all */
	check(belay_router_add(site.router, "GET /", pass_gate, &gate) == 0);
	site_start(&site, belay_background(), NULL);
	fd = site_dial(&site);
	raw_send(fd, "GET /?n=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	await_chan(gate.started);
	raw_send(fd, "GET /?n=2 HTTP/1.1\r\nHost: x\r\n\r\nGET /?n=3 HTTP/1.1\r\nHost: x\r\n\r\n");
	signal_chan(gate.open);
	for (int i = 1; i <= 3; i++) {
		raw_read_reply(fd, &reply, false);
		assert_int_equal(reply.status, 200);
		assert_int_equal(atoi(reply.body), i);
		if (i < 3) {
			await_chan(gate.started);
			signal_chan(gate.open);
		}
	}
	close(fd);
	belay_chan_unref(gate.started);
	belay_chan_unref(gate.open);
}

#define SITE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(SITE_TEST(requests_descend_from_their_connection_and_that_from_the_server),
		SITE_TEST(the_end_of_the_server_s_base_ends_its_requests),
		SITE_TEST(what_outlives_a_handler_is_told_that_it_has_returned),
		SITE_TEST(a_request_s_context_is_live_for_its_handler_and_done_after_it),
		SITE_TEST(a_client_that_goes_away_ends_its_request),
		SITE_TEST(a_client_that_resets_ends_its_request),
		SITE_TEST(a_client_that_goes_away_with_an_unread_body_ends_its_request),
		SITE_TEST(a_client_that_goes_away_ends_a_handler_that_only_computes),
		SITE_TEST(a_client_that_goes_away_ends_a_read_of_its_body),
		SITE_TEST(a_client_that_goes_away_ends_a_write_that_waits_for_it),
		SITE_TEST(another_client_s_request_goes_on),
		SITE_TEST(a_pipelined_request_does_not_end_the_current_one))
