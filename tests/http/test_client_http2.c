/* SPDX-License-Identifier: MIT
 *
 * test_client_http2.c - exchanges that share one HTTP/2 connection.
 *
 * The peer is nghttp2 over OpenSSL, on a thread of its own: "/wait" gets no answer, all else "ok".
 */
#include "client_authority.h"
#include "client_peer.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* ---- The peer -------------------------------------------------------------------------------- */

struct scene {
	struct authority authority;
	atomic_uint waiting; /* requests for "/wait" so far */
	atomic_uint reset;   /* streams that the client gave up */
	atomic_uint ended;   /* connections */
};

struct session {
	struct scene *scene;
	SSL *ssl;
	nghttp2_session *h2;
};

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *size,
		     const unsigned char *in, unsigned in_size, void *arg)
{
	unsigned char *chosen;

	(void)ssl, (void)arg;
	if (nghttp2_select_next_protocol(&chosen, size, in, in_size) != 1)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static ssize_t on_send(nghttp2_session *h2, const uint8_t *data, size_t size, int flags, void *arg)
{
	struct session *session = arg;
	int n = SSL_write(session->ssl, data, (int)size);

	(void)h2, (void)flags;
	return n > 0 ? n : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* The path says what becomes of the stream; it is remembered as the stream's own data. */
static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
		     void *arg)
{
	static char wait[] = "wait";
	bool is_wait = value_size == 5 && memcmp(value, "/wait", 5) == 0;

	(void)flags, (void)arg;
	if (name_size == 5 && memcmp(name, ":path", 5) == 0 && is_wait)
		nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, wait);
	return 0;
}

static ssize_t read_ok(nghttp2_session *h2, int32_t stream, uint8_t *buf, size_t size,
		       uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	(void)h2, (void)stream, (void)size, (void)source, (void)arg;
	memcpy(buf, "ok", 2);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return 2;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	static uint8_t name[] = ":status", value[] = "200";
	const nghttp2_nv status = {name, value, 7, 3, NGHTTP2_NV_FLAG_NONE};
	const nghttp2_data_provider body = {.read_callback = read_ok};
	struct session *session = arg;

	if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	if (nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id))
		atomic_fetch_add(&session->scene->waiting, 1);
	else
		nghttp2_submit_response(h2, frame->hd.stream_id, &status, 1, &body);
	return 0;
}

static int on_close(nghttp2_session *h2, int32_t stream, uint32_t error, void *arg)
{
	struct session *session = arg;

	(void)h2, (void)stream;
	if (error != NGHTTP2_NO_ERROR)
		atomic_fetch_add(&session->scene->reset, 1);
	return 0;
}

static void session_init(struct session *session)
{
	nghttp2_session_callbacks *callbacks;

	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_server_new(&session->h2, callbacks, session);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void run_session(struct session *session)
{
	uint8_t buf[4096];
	int n;

	while (nghttp2_session_send(session->h2) == 0 &&
	       (n = SSL_read(session->ssl, buf, sizeof buf)) > 0 &&
	       nghttp2_session_mem_recv(session->h2, buf, (size_t)n) == n)
		;
}

static void serve_http2(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	struct session session = {.scene = scene, .ssl = authority_accept(&scene->authority, fd)};

	if (session.ssl) {
		session_init(&session);
		run_session(&session);
		nghttp2_session_del(session.h2);
	}
	SSL_free(session.ssl);
	ERR_clear_error();
	atomic_fetch_add(&scene->ended, 1);
}

/* ---- The client's side ----------------------------------------------------------------------- */

static int get(belay_ctx *ctx, belay_http_client *client, const struct peer *peer,
	       const char *path)
{
	belay_http_reply *reply;
	char url[100], *body;
	int err;

	snprintf(url, sizeof url, "https://127.0.0.1:%d%s", peer->port, path);
	err = belay_http_get(ctx, client, url, &reply);
	if (err)
		return err;
	check(belay_http_reply_status(reply) == 200);
	err = belay_http_reply_read_all(ctx, reply, 100, &body, NULL);
	if (err == 0) {
		check(strcmp(body, "ok") == 0);
		free(body);
	}
	belay_http_reply_end(reply);
	return err;
}

struct waiter {
	belay_http_client *client;
	const struct peer *peer;
	belay_ctx *ctx;
	pthread_t thread;
	int result;
};

static void *wait_for_reply(void *arg)
{
	struct waiter *waiter = arg;

	waiter->result = get(waiter->ctx, waiter->client, waiter->peer, "/wait");
	return NULL;
}

static void waiter_start(struct waiter *waiter, belay_http_client *client,
			 const struct peer *peer)
{
	*waiter = (struct waiter){.client = client,
				  .peer = peer,
				  .ctx = check_live(belay_with_cancel(belay_background()))};
	assert_int_equal(pthread_create(&waiter->thread, NULL, wait_for_reply, waiter), 0);
}

static void waiter_cancel(struct waiter *waiter)
{
	belay_cancel(waiter->ctx);
	pthread_join(waiter->thread, NULL);
	assert_int_equal(waiter->result, -ECANCELED);
	belay_end(waiter->ctx);
}

static belay_http_client *begin(struct scene *scene, struct peer *peer)
{
	struct belay_http_client_options options = {.http2 = true};

	*scene = (struct scene){0};
	authority_init(&scene->authority, "IP:127.0.0.1");
	SSL_CTX_set_alpn_select_cb(scene->authority.ssl, choose_h2, NULL);
	options.ca_file = scene->authority.file;
	peer_start(peer, serve_http2, scene);
	return peer_client(&options);
}

static void end(struct scene *scene, struct peer *peer, belay_http_client *client)
{
	belay_http_client_close(client);
	peer_stop(peer);
	authority_fini(&scene->authority);
}

/* semantics 5.2, over HTTP/2: the stream is reset, and the connection serves the others on. */
static void cancelling_one_exchange_leaves_the_connection_to_others(void **state)
{
	struct waiter first, second;
	struct scene scene;
	struct peer peer;
	belay_http_client *client = begin(&scene, &peer);

	check_needs_memory(); /* for the peer to be asked at all */
	waiter_start(&first, client, &peer);
	waiter_start(&second, client, &peer);
	assert_true(check_until(atomic_load(&scene.waiting) == 2));
	waiter_cancel(&first);
	assert_int_equal(get(belay_background(), client, &peer, "/"), 0);
	assert_true(check_until(atomic_load(&scene.reset) == 1));
	assert_int_equal(get(belay_background(), client, &peer, "/"), 0);
	assert_int_equal(atomic_load(&peer.connections), 1);
	waiter_cancel(&second);
	end(&scene, &peer, client);
}

/* semantics 5.1, over HTTP/2: the peer learns of it at once, with nothing else to send. */
static void cancelling_the_only_exchange_closes_the_connection(void **state)
{
	struct waiter waiter;
	struct scene scene;
	struct peer peer;
	belay_http_client *client = begin(&scene, &peer);

	check_needs_memory(); /* for the peer to be asked at all */
	waiter_start(&waiter, client, &peer);
	assert_true(check_until(atomic_load(&scene.waiting) == 1));
	waiter_cancel(&waiter);
	assert_true(check_until(atomic_load(&scene.ended) == 1));
	assert_int_equal(get(belay_background(), client, &peer, "/"), 0);
	assert_int_equal(atomic_load(&peer.connections), 2);
	end(&scene, &peer, client);
}

struct rider {
	belay_http_client *client;
	const struct peer *peer;
	belay_wg *wg;
	atomic_uint *good;
};

static void ride(belay_ctx *ctx, void *arg)
{
	struct rider *rider = arg;

	for (int i = 0; i < 20; i++)
		if (get(ctx, rider->client, rider->peer, "/") == 0)
			atomic_fetch_add(rider->good, 1);
	belay_wg_done(rider->wg);
}

static void many_exchanges_share_one_connection(void **state)
{
	enum { RIDERS = 20 };
	belay_wg wg = BELAY_WG_INIT;
	atomic_uint good = 0;
	struct scene scene;
	struct peer peer;
	struct rider rider = {begin(&scene, &peer), &peer, &wg, &good};

	belay_wg_add(&wg, RIDERS);
	for (int i = 0; i < RIDERS; i++)
		assert_int_equal(belay_go(belay_background(), ride, &rider), 0);
	assert_int_equal(belay_wg_wait(belay_background(), &wg), 0);
	assert_int_equal(atomic_load(&good), RIDERS * 20);
	assert_int_equal(atomic_load(&peer.connections), 1);
	end(&scene, &peer, rider.client);
}

BELAY_TEST_MAIN(cmocka_unit_test(cancelling_one_exchange_leaves_the_connection_to_others),
		cmocka_unit_test(cancelling_the_only_exchange_closes_the_connection),
		cmocka_unit_test(many_exchanges_share_one_connection))
