/* SPDX-License-Identifier: MIT
 *
 * test_client_context.c - what an HTTP request owes its context, phase by phase.
 *
 * The peer cancels the context itself, at the moment that a test is about, so that nothing has to
 * be waited for by the clock.
 */
#include "client_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CODE = 42 };

/* A test's context, for its peer to cancel, and what the peer saw of it. */
struct scene {
	belay_ctx *ctx;
	atomic_bool connection_ended;
};

static void cancel(struct scene *scene)
{
	belay_cancel_cause(scene->ctx, CODE, "the test is over");
}

static void assert_cancelled_with_cause(belay_ctx *ctx, int err)
{
	belay_cause cause;

	assert_int_equal(err, -ECANCELED);
	assert_int_equal(belay_cause_of(ctx, &cause), 0);
	assert_int_equal(cause.code, CODE);
	assert_string_equal(cause.message, "the test is over");
}

/* ---- Scripts --------------------------------------------------------------------------------- */

static void answer(struct peer *peer, int fd)
{
	struct peer_request request;

	while (peer_read(peer, fd, &request))
		peer_reply(fd, "ok");
}

static void cancel_once_connected(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	char first;

	if (check(recv(fd, &first, 1, 0) == 1))
		cancel(scene);
	peer_await_end(fd);
	atomic_store(&scene->connection_ended, true);
}

static void cancel_before_the_head(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	struct peer_request request;

	if (peer_read(peer, fd, &request))
		cancel(scene);
	peer_await_end(fd);
	atomic_store(&scene->connection_ended, true);
}

static void send_half_a_head_and_cancel(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	struct peer_request request;

	if (peer_read(peer, fd, &request)) {
		peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Le");
		cancel(scene);
	}
	peer_await_end(fd);
	atomic_store(&scene->connection_ended, true);
}

/* The first connection is left in mid-body; later ones are answered whole. */
static void send_half_a_body(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	struct peer_request request;

	if (atomic_load(&peer->connections) > 1) {
		answer(peer, fd);
		return;
	}
	if (peer_read(peer, fd, &request))
		peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	peer_await_end(fd);
	atomic_store(&scene->connection_ended, true);
}

static void say_nothing(struct peer *peer, int fd)
{
	struct peer_request request;

	peer_read(peer, fd, &request);
	peer_await_end(fd);
}

/* ---- 5.1: the context covers every phase ----------------------------------------------------- */

/* Runs a GET under a context that the script cancels; the connection must be closed. */
static void get_is_cancelled(void (*serve)(struct peer *, int), const char *scheme)
{
	belay_http_client *client = peer_client(NULL);
	struct scene scene = {.ctx = belay_with_cancel(belay_background())};
	belay_http_reply *reply = NULL;
	struct peer peer;
	char url[100];

	peer_start(&peer, serve, &scene);
	snprintf(url, sizeof url, "%s://127.0.0.1:%d/", scheme, peer.port);
	assert_cancelled_with_cause(scene.ctx,
				    belay_http_get(scene.ctx, client, url, &reply));
	assert_null(reply);
	assert_true(check_until(atomic_load(&scene.connection_ended)));
	belay_end(scene.ctx);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* semantics 5.1 */
static void a_done_context_fails_before_dialling(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply = NULL;
	struct scene scene = {.ctx = belay_with_cancel(belay_background())};
	struct peer peer;

	peer_start(&peer, answer, NULL);
	cancel(&scene);
	assert_cancelled_with_cause(scene.ctx,
				    belay_http_get(scene.ctx, client, peer.url, &reply));
	assert_null(reply);
	assert_int_equal(atomic_load(&peer.connections), 0);
	belay_end(scene.ctx);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* semantics 5.1 5.4 */
static void a_deadline_that_has_passed_fails_as_the_contexts(void **state)
{
	const struct belay_http_client_options options = {.timeout = BELAY_S(60)};
	belay_http_client *client = peer_client(&options);
	belay_ctx *ctx = belay_with_timeout_cause(belay_background(), 0, CODE, "too late");
	char text[100] = "";
	const struct belay_http_call call = {
		.url = "http://127.0.0.1:1/", .error = text, .error_size = sizeof text};
	belay_http_reply *reply;

	assert_int_equal(belay_http_send(ctx, client, &call, &reply), -ETIME);
	assert_string_equal(text, "too late");
	belay_end(ctx);
	belay_http_client_close(client);
}

/* semantics 5.1 */
static void the_context_covers_the_connect(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct peer_unreachable nobody;
	belay_http_reply *reply;
	belay_ctx *ctx;

	peer_unreachable_begin(&nobody);
	ctx = belay_with_timeout(belay_background(), BELAY_MS(50));
	assert_int_equal(belay_http_get(ctx, client, nobody.url, &reply), -ETIME);
	belay_end(ctx);
	belay_http_client_close(client);
	peer_unreachable_end(&nobody);
}

/* semantics 5.1 */
static void the_context_covers_the_tls_handshake(void **state)
{
	get_is_cancelled(cancel_once_connected, "https");
}

/* semantics 5.1 */
static void the_context_covers_sending_the_body(void **state)
{
	enum { SIZE = 64 << 20 };
	belay_http_client *client = peer_client(NULL);
	struct scene scene = {.ctx = belay_with_cancel(belay_background())};
	void *body = calloc(1, SIZE);
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, cancel_once_connected, &scene);
	assert_cancelled_with_cause(scene.ctx, belay_http_post(scene.ctx, client, peer.url, "x/y",
							       body, SIZE, &reply));
	free(body);
	assert_true(check_until(atomic_load(&scene.connection_ended)));
	belay_end(scene.ctx);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* semantics 5.1 */
static void the_context_covers_the_wait_for_the_head(void **state)
{
	get_is_cancelled(cancel_before_the_head, "http");
}

/* semantics 5.1 */
static void the_context_covers_the_head(void **state)
{
	get_is_cancelled(send_half_a_head_and_cancel, "http");
}

static void *cancel_on_a_thread(void *scene)
{
	cancel(scene);
	return NULL;
}

/* semantics 5.1 5.4: the reader's own context is live; it is the request's that ends. */
static void the_context_covers_the_body(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct scene scene = {.ctx = belay_with_cancel(belay_background())};
	belay_http_reply *reply;
	pthread_t thread;
	struct peer peer;
	char buf[8];

	peer_start(&peer, send_half_a_body, &scene);
	assert_int_equal(belay_http_get(scene.ctx, client, peer.url, &reply), 0);
	for (int n = 0; n < 4;) {
		ssize_t r = belay_http_reply_read(belay_background(), reply, buf, sizeof buf);

		assert_true(r > 0);
		n += (int)r;
	}
	pthread_create(&thread, NULL, cancel_on_a_thread, &scene);
	assert_cancelled_with_cause(scene.ctx, (int)belay_http_reply_read(belay_background(), reply,
									  buf, sizeof buf));
	assert_string_equal(belay_http_reply_error(reply), "the test is over");
	pthread_join(thread, NULL);
	belay_http_reply_end(reply);
	belay_end(scene.ctx);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* semantics 5.1: nobody is in a call when the context ends. */
static void a_context_that_ends_between_reads_closes_the_connection(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct scene scene = {.ctx = belay_with_cancel(belay_background())};
	belay_http_reply *reply;
	struct peer peer;
	char buf[8];

	peer_start(&peer, send_half_a_body, &scene);
	assert_int_equal(belay_http_get(scene.ctx, client, peer.url, &reply), 0);
	cancel(&scene);
	assert_true(check_until(atomic_load(&scene.connection_ended)));
	assert_cancelled_with_cause(scene.ctx, (int)belay_http_reply_read(belay_background(), reply,
									  buf, sizeof buf));
	belay_http_reply_end(reply);
	belay_end(scene.ctx);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* What came whole stays whole. */
static void a_context_that_ends_after_the_exchange_changes_nothing(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_http_reply *reply, *again;
	struct peer peer;
	char buf[8];

	peer_start(&peer, answer, NULL);
	assert_int_equal(belay_http_get(ctx, client, peer.url, &reply), 0);
	assert_int_equal(belay_http_reply_read(ctx, reply, buf, 2), 2);
	assert_int_equal(belay_http_reply_read(ctx, reply, buf, 2), 0);
	belay_cancel(ctx);
	assert_int_equal(belay_http_reply_read(belay_background(), reply, buf, 2), 0);
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &again), 0);
	assert_int_equal(atomic_load(&peer.connections), 1);
	belay_http_reply_end(again);
	belay_http_reply_end(reply);
	belay_end(ctx);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void send_the_rest_when_told(struct peer *peer, int fd)
{
	struct peer_request request;
	belay_chan *go_on = peer->arg;

	if (!peer_read(peer, fd, &request))
		return;
	peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha");
	check(belay_recv(belay_background(), go_on, NULL) == 0);
	peer_send(fd, "lf");
	peer_await_end(fd);
}

/* The context given to a read bounds that read, and takes nothing from the next one. */
static void a_reads_own_context_leaves_the_exchange_alone(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_ctx *brief = belay_with_timeout(belay_background(), BELAY_MS(20));
	belay_chan *go_on = check_made(belay_chan_new(0, 1));
	belay_http_reply *reply;
	char buf[8] = "", *rest;
	struct peer peer;

	peer_start(&peer, send_the_rest_when_told, go_on);
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	assert_int_equal(belay_http_reply_read(belay_background(), reply, buf, 2), 2);
	assert_int_equal(belay_http_reply_read(brief, reply, buf, sizeof buf), -ETIME);
	assert_string_equal(buf, "ha");
	assert_int_equal(belay_send(belay_background(), go_on, NULL), 0);
	assert_int_equal(belay_http_reply_read_all(belay_background(), reply, 100, &rest, NULL), 0);
	assert_string_equal(rest, "lf");
	free(rest);
	belay_http_reply_end(reply);
	belay_end(brief);
	belay_chan_unref(go_on);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* ---- 5.2: a connection in mid-body is not used again ----------------------------------------- */

/* semantics 5.2 */
static void cancelled_in_mid_body_the_connection_is_not_reused(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct scene scene = {.ctx = belay_with_cancel(belay_background())};
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, send_half_a_body, &scene);
	assert_int_equal(belay_http_get(scene.ctx, client, peer.url, &reply), 0);
	cancel(&scene);
	belay_http_reply_end(reply);
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	assert_int_equal(belay_http_reply_status(reply), 200);
	belay_http_reply_end(reply);
	assert_true(check_until(atomic_load(&scene.connection_ended)));
	assert_int_equal(atomic_load(&peer.connections), 2);
	belay_end(scene.ctx);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* ---- 5.3: the earlier of two limits ---------------------------------------------------------- */

/* semantics 5.3 */
static void the_clients_time_out_comes_first(void **state)
{
	const struct belay_http_client_options options = {.timeout = BELAY_MS(50)};
	belay_http_client *client = peer_client(&options);
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_S(60));
	char text[100] = "";
	struct belay_http_call call = {.error = text, .error_size = sizeof text};
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, say_nothing, NULL);
	call.url = peer.url;
	assert_int_equal(belay_http_send(ctx, client, &call, &reply), -ETIMEDOUT);
	assert_int_equal(belay_err(ctx), 0);
	assert_string_equal(text, "the client's time-out");
	belay_end(ctx);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* semantics 5.3 */
static void the_contexts_deadline_comes_first(void **state)
{
	const struct belay_http_client_options options = {.timeout = BELAY_S(60)};
	belay_http_client *client = peer_client(&options);
	belay_ctx *ctx = belay_with_timeout_cause(belay_background(), BELAY_MS(50), CODE, "late");
	char text[100] = "";
	struct belay_http_call call = {.error = text, .error_size = sizeof text};
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, say_nothing, NULL);
	call.url = peer.url;
	assert_int_equal(belay_http_send(ctx, client, &call, &reply), -ETIME);
	assert_string_equal(text, "late");
	belay_end(ctx);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* semantics 5.3 */
static void the_clients_time_out_covers_the_body(void **state)
{
	const struct belay_http_client_options options = {.timeout = BELAY_MS(200)};
	belay_http_client *client = peer_client(&options);
	struct scene scene = {0};
	belay_http_reply *reply;
	char *data = NULL;
	struct peer peer;

	peer_start(&peer, send_half_a_body, &scene);
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	assert_int_equal(belay_http_reply_read_all(belay_background(), reply, 1000, &data, NULL),
			 -ETIMEDOUT);
	assert_null(data);
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* ---- 5.4: whose error it is ------------------------------------------------------------------ */

/* semantics 5.4 */
static void a_time_out_of_the_peers_is_not_the_contexts(void **state)
{
	const struct belay_http_client_options options = {.connect_timeout = BELAY_MS(50)};
	belay_http_client *client = peer_client(&options);
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_S(60));
	struct peer_unreachable nobody;
	belay_http_reply *reply;

	peer_unreachable_begin(&nobody);
	assert_int_equal(belay_http_get(ctx, client, nobody.url, &reply), -ETIMEDOUT);
	assert_int_equal(belay_err(ctx), 0);
	belay_end(ctx);
	belay_http_client_close(client);
	peer_unreachable_end(&nobody);
}

static void break_off(struct peer *peer, int fd)
{
	struct peer_request request;

	if (peer_read(peer, fd, &request))
		peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

/* semantics 5.4: what had arrived comes first. */
static void a_body_that_breaks_off_is_the_peers_error(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;
	char buf[8];
	ssize_t n = 0;

	peer_start(&peer, break_off, NULL);
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	while (n < 4) {
		ssize_t r = belay_http_reply_read(belay_background(), reply, buf + n, 4);

		assert_true(r > 0);
		n += r;
	}
	assert_memory_equal(buf, "half", 4);
	assert_int_equal(belay_http_reply_read(belay_background(), reply, buf, 4), -ECONNRESET);
	assert_int_equal(belay_http_reply_read(belay_background(), reply, buf, 4), -ECONNRESET);
	assert_string_not_equal(belay_http_reply_error(reply), "");
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_done_context_fails_before_dialling),
		cmocka_unit_test(a_deadline_that_has_passed_fails_as_the_contexts),
		cmocka_unit_test(the_context_covers_the_connect),
		cmocka_unit_test(the_context_covers_the_tls_handshake),
		cmocka_unit_test(the_context_covers_sending_the_body),
		cmocka_unit_test(the_context_covers_the_wait_for_the_head),
		cmocka_unit_test(the_context_covers_the_head),
		cmocka_unit_test(the_context_covers_the_body),
		cmocka_unit_test(a_context_that_ends_between_reads_closes_the_connection),
		cmocka_unit_test(a_context_that_ends_after_the_exchange_changes_nothing),
		cmocka_unit_test(a_reads_own_context_leaves_the_exchange_alone),
		cmocka_unit_test(cancelled_in_mid_body_the_connection_is_not_reused),
		cmocka_unit_test(the_clients_time_out_comes_first),
		cmocka_unit_test(the_contexts_deadline_comes_first),
		cmocka_unit_test(the_clients_time_out_covers_the_body),
		cmocka_unit_test(a_time_out_of_the_peers_is_not_the_contexts),
		cmocka_unit_test(a_body_that_breaks_off_is_the_peers_error))
