/* SPDX-License-Identifier: MIT
 *
 * test_server_shutdown.c - how a server stops: semantics 4.6.
 */
#include "site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONG = 192 * 1024 };

/* A handler that waits for the gate, or its end. */
struct gate {
	belay_chan *started, *open;
	_Atomic int code;       /* of the cause of the end that it saw */
	char message[64];
};

static struct site site;
static struct gate gate;

static int pass_gate(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_cause cause;
	int r;

	check((belay_send)(belay_background(), gate.started, "") == 0);
	r = (belay_recv)(ctx, gate.open, NULL);
	if (r == 0)
		return belay_response_puts(ctx, res, "passed");
	if (check(belay_cause_of(ctx, &cause) == 0)) {
		snprintf(gate.message, sizeof gate.message, "%s", cause.message);
		atomic_store(&gate.code, cause.code);
	}
	return r;
}

/* More than lies in the client's kernel before it reads. */
static int pass_gate_at_length(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static const char block[LONG];
	int r = pass_gate(ctx, req, res);

	return r == 0 ? belay_response_write(ctx, res, block, sizeof block) : r;
}

static int set_up(void **state)
{
	gate = (struct gate){belay_chan_new(0, 16), check_made(belay_chan_new(0, 0))};
	site_init(&site);
	check(belay_router_add(site.router, "GET /", pass_gate, NULL) == 0);
	check(belay_router_add(site.router, "POST /", pass_gate_at_length, NULL) == 0);
	site_start(&site, belay_background(), NULL);
	return 0;
}

static int tear_down(void **state)
{
	site_stop(&site);
	belay_chan_unref(gate.started);
	belay_chan_unref(gate.open);
	return 0;
}

/* A client whose request's handler has started. */
static int begin_request(void)
{
	int fd = site_dial(&site);

	check_needs_memory(); /* for the handler to be asked at all */
	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal((belay_recv)(belay_background(), gate.started, NULL), 0);
	return fd;
}

static void open_gate(void)
{
	assert_int_equal((belay_send)(belay_background(), gate.open, ""), 0);
}

/* A shutdown in a thread of its own. */
struct stopper {
	pthread_t thread;
	belay_ctx *ctx;
	_Atomic bool returned;
	int result;
};

static void *stop(void *arg)
{
	struct stopper *stopper = arg;

	stopper->result = belay_server_shutdown(stopper->ctx, site.server);
	atomic_store(&stopper->returned, true);
	return NULL;
}

static void begin_shutdown(struct stopper *stopper, belay_ctx *ctx)
{
	*stopper = (struct stopper){.ctx = ctx};
	assert_int_equal(pthread_create(&stopper->thread, NULL, stop, stopper), 0);
}

static int join(struct stopper *stopper)
{
	pthread_join(stopper->thread, NULL);
	return stopper->result;
}

static bool is_refused_a_connection(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	to.sin_port = htons((uint16_t)atoi(strrchr(site.address, ':') + 1));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r = connect(fd, (struct sockaddr *)&to, sizeof to);
	close(fd);
	return r < 0;
}

/* semantics 4.6 */
static void a_shutdown_stops_listening(void **state)
{
	close(begin_request());
	assert_int_equal(belay_server_shutdown(belay_background(), site.server), 0);
	assert_true(is_refused_a_connection());
	site_join(&site);
	assert_int_equal(site.result, 0);
}

/* semantics 4.6 */
static void a_shutdown_closes_idle_connections(void **state)
{
	struct reply reply;
	int used = begin_request(), fresh = site_dial(&site);

	open_gate();
	raw_read_reply(used, &reply, false);
	assert_true(check_until(belay_server_connections(site.server) == 2));
	assert_int_equal(belay_server_shutdown(belay_background(), site.server), 0);
	assert_true(raw_is_closed(used));
	assert_true(raw_is_closed(fresh));
	assert_int_equal(belay_server_connections(site.server), 0);
	close(used);
	close(fresh);
}

/* Its first request may be on its way: of that, nobody can know of the shutdown. */
static void a_shutdown_leaves_a_new_connection_a_moment_for_its_request(void **state)
{
	struct stopper stopper;
	struct reply reply;
	int fd = site_dial(&site);
	int64_t begin;

	assert_true(check_until(belay_server_connections(site.server) == 1));
	begin = belay_now();
	begin_shutdown(&stopper, belay_background());
	assert_true(check_until(is_refused_a_connection()));
	check_needs_memory();
	raw_send(fd, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	if (belay_now() - begin > BELAY_MS(900)) { /* the moment may be over */
		join(&stopper);
		close(fd);
		skip();
	}
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 404);
	assert_true(reply.closes);
	assert_true(raw_is_closed(fd));
	assert_int_equal(join(&stopper), 0);
	close(fd);
}

/* semantics 4.6 */
static void a_shutdown_lets_running_requests_finish(void **state)
{
	struct stopper stopper;
	struct reply reply;
	int fd = begin_request();

	begin_shutdown(&stopper, belay_background());
	assert_true(check_until(is_refused_a_connection()));
	assert_false(atomic_load(&stopper.returned));
	open_gate();
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, "passed");
	assert_true(reply.closes);
	assert_true(raw_is_closed(fd));
	assert_int_equal(join(&stopper), 0);
	close(fd);
}

/* It is not reset before it could read all of its answer: all that comes is the end. */
static void a_client_that_sends_through_a_shutdown_gets_all_of_its_answer(void **state)
{
	static char block[65536];
	struct stopper stopper;
	int fd = site_dial_narrow(&site, 4096);
	size_t size = 0;
	ssize_t n;

	check_needs_memory();
	raw_send(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n");
	assert_int_equal((belay_recv)(belay_background(), gate.started, NULL), 0);
	begin_shutdown(&stopper, belay_background());
	assert_true(check_until(is_refused_a_connection()));
	open_gate();
	while ((n = TEMP_FAILURE_RETRY(recv(fd, block, 4096, 0))) > 0) {
		size += (size_t)n;
		raw_send_bytes(fd, block, 64);
	}
	assert_int_equal(n, 0);
	assert_true(size > LONG);
	close(fd);
	assert_int_equal(join(&stopper), 0);
}

/* semantics 4.6 */
static void a_shutdown_whose_context_is_done_ends_the_requests_that_run(void **state)
{
	BELAY_SCOPED belay_ctx *patience = check_live(belay_with_cancel(belay_background()));
	struct stopper stopper;
	struct reply reply;
	int fd = begin_request();

	begin_shutdown(&stopper, patience);
	assert_true(check_until(is_refused_a_connection()));
	assert_int_equal(atomic_load(&gate.code), 0);
	belay_cancel(patience);
	assert_int_equal(join(&stopper), -ECANCELED);
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 503);
	assert_non_null(strstr(reply.body, "server shutting down"));
	assert_string_equal(gate.message, "server shutting down");
	assert_int_equal(atomic_load(&gate.code), -ESHUTDOWN);
	close(fd);
}

/* semantics 4.6 */
static void a_shutdown_by_a_deadline_returns_its_error(void **state)
{
	BELAY_SCOPED belay_ctx *patience =
		check_live(belay_with_timeout(belay_background(), BELAY_MS(20)));
	struct reply reply;
	int fd = begin_request();

	assert_int_equal(belay_server_shutdown(patience, site.server), -ETIME);
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 503);
	close(fd);
}

static void a_shutdown_of_an_idle_server_succeeds_under_any_context(void **state)
{
	BELAY_SCOPED belay_ctx *done = check_live(belay_with_cancel(belay_background()));

	assert_int_equal(belay_server_shutdown(belay_background(), site.server), 0);
	belay_cancel(done);
	assert_int_equal(belay_server_shutdown(done, site.server), 0);
}

static void a_server_that_was_shut_down_serves_nobody(void **state)
{
	belay_listener *listener;

	assert_int_equal(belay_server_shutdown(belay_background(), site.server), 0);
	assert_int_equal(belay_listen(belay_background(), "127.0.0.1:0", &listener), 0);
	assert_int_equal(belay_server_serve(belay_background(), site.server, listener), 0);
}

/* semantics 4.6 */
static void the_end_of_serving_s_own_context_stops_listening_alone(void **state)
{
	struct reply reply;
	int fd = begin_request();

	belay_cancel(site.stop);
	site_join(&site);
	assert_int_equal(site.result, -ECANCELED);
	assert_true(is_refused_a_connection());
	assert_int_equal(atomic_load(&gate.code), 0);
	open_gate();
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 200);
	close(fd);
}

static void freeing_a_server_ends_its_requests_and_waits_for_them(void **state)
{
	int fd = begin_request();

	site_stop(&site);
	assert_int_equal(atomic_load(&gate.code), -ESHUTDOWN);
	close(fd);
	site_init(&site);
}

/* Pipelined requests behind the one that runs are not begun. */
struct serving {
	belay_server *server;
	belay_listener *listener;
};

static void serve(belay_ctx *ctx, void *arg)
{
	const struct serving *serving = arg;

	check(belay_server_serve(ctx, serving->server, serving->listener) == 0);
}

/* Who serves may not have returned yet from what the shutdown has ended: that is waited for. */
static void a_server_that_was_shut_down_may_be_freed(void **state)
{
	check_needs_memory();
	for (int round = 0; round < 300; round++) {
		struct serving serving;
		belay_conn *conn;

		assert_int_equal(
			belay_server_new(belay_background(), site.router, NULL, &serving.server),
			0);
		assert_int_equal(belay_listen(belay_background(), "127.0.0.1:0", &serving.listener),
				 0);
		assert_int_equal(belay_dial(belay_background(),
					    belay_listener_address(serving.listener), &conn),
				 0);
		assert_int_equal(belay_go(belay_background(), serve, &serving), 0);
		assert_true(check_until(belay_server_connections(serving.server) == 1));
		belay_conn_close(conn);
		assert_int_equal(belay_server_shutdown(belay_background(), serving.server), 0);
		belay_server_free(serving.server);
	}
}

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "answered");
}

/* Nobody has accepted them by then. */
static void who_had_connected_before_serving_ends_is_answered(void **state)
{
	belay_ctx *over = check_live(belay_with_cancel(belay_background()));
	struct site late = {0};
	struct reply reply;
	int fds[3];

	check_needs_memory();
	site_init(&late);
	check(belay_router_add(late.router, "GET /", answer, NULL) == 0);
	assert_int_equal(belay_server_new(belay_background(), late.router, NULL, &late.server), 0);
	assert_int_equal(belay_listen(belay_background(), "127.0.0.1:0", &late.listener), 0);
	snprintf(late.address, sizeof late.address, "%s", belay_listener_address(late.listener));
	for (int i = 0; i < 3; i++) {
		fds[i] = site_dial(&late);
		raw_send(fds[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	}
	belay_cancel(over);
	assert_int_equal(belay_server_serve(over, late.server, late.listener), -ECANCELED);
	for (int i = 0; i < 3; i++) {
		raw_read_reply(fds[i], &reply, false);
		assert_string_equal(reply.body, "answered");
		close(fds[i]);
	}
	assert_int_equal(belay_server_shutdown(belay_background(), late.server), 0);
	belay_server_free(late.server);
	belay_router_free(late.router);
	belay_end(over);
}

static void requests_behind_the_one_that_runs_are_not_begun(void **state)
{
	struct stopper stopper;
	struct reply reply;
	int fd = begin_request();

	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	begin_shutdown(&stopper, belay_background());
	assert_true(check_until(is_refused_a_connection()));
	open_gate();
	raw_read_reply(fd, &reply, false);
	assert_true(reply.closes);
	assert_true(raw_is_closed(fd));
	assert_int_equal(join(&stopper), 0);
	assert_int_equal(belay_chan_len(gate.started), 0);
	close(fd);
}

#define SITE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(SITE_TEST(a_shutdown_stops_listening),
		SITE_TEST(a_shutdown_closes_idle_connections),
		SITE_TEST(a_shutdown_leaves_a_new_connection_a_moment_for_its_request),
		SITE_TEST(a_shutdown_lets_running_requests_finish),
		SITE_TEST(a_client_that_sends_through_a_shutdown_gets_all_of_its_answer),
		SITE_TEST(a_shutdown_whose_context_is_done_ends_the_requests_that_run),
		SITE_TEST(a_shutdown_by_a_deadline_returns_its_error),
		SITE_TEST(a_shutdown_of_an_idle_server_succeeds_under_any_context),
		SITE_TEST(a_server_that_was_shut_down_serves_nobody),
		SITE_TEST(the_end_of_serving_s_own_context_stops_listening_alone),
		SITE_TEST(freeing_a_server_ends_its_requests_and_waits_for_them),
		SITE_TEST(a_server_that_was_shut_down_may_be_freed),
		SITE_TEST(who_had_connected_before_serving_ends_is_answered),
		SITE_TEST(requests_behind_the_one_that_runs_are_not_begun))
