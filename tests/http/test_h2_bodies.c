/* SPDX-License-Identifier: MIT
 *
 * test_h2_bodies.c - bodies over HTTP/2: streamed both ways, and each side waits for the other (RFC
 * 9113, section 5.2).
 */
#include "h2_test.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct h2_peer peer;

/* Bytes of which no piece is like another. */
static char *make_bytes(size_t size)
{
	char *bytes = malloc(size);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	return bytes;
}

static int echo(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char buf[10000];
	ssize_t n = 1;
	int r = 0;

	while (r == 0 && n > 0) {
		n = belay_request_read(ctx, req, buf, sizeof buf);
		if (n > 0)
			r = belay_response_write(ctx, res, buf, (size_t)n);
	}
	return n < 0 ? (int)n : r;
}

static void a_large_body_comes_back_as_it_went(void **state)
{
	const size_t size = 3 << 20;
	struct h2_body body = {make_bytes(size), size};
	struct h2_reply *reply;

	check(belay_router_add(site.router, "POST /", echo, NULL) == 0);
	site_start(&site, belay_background(), NULL);
	h2_dial(&site, &peer);
	reply = h2_await(&peer, h2_ask(&peer, "POST", "/", NULL, &body));
	assert_int_equal(reply->size, size);
	assert_memory_equal(reply->body, body.data, size);
	h2_close(&peer);
	free((char *)body.data);
}

static void several_bodies_share_a_connection(void **state)
{
	enum { MANY = 8 };
	const size_t size = 300000;
	struct h2_body bodies[MANY];
	char *bytes = make_bytes(size);

	check(belay_router_add(site.router, "POST /", echo, NULL) == 0);
	site_start(&site, belay_background(), NULL);
	h2_dial(&site, &peer);
	for (int i = 0; i < MANY; i++) {
		bodies[i] = (struct h2_body){bytes + i, size - MANY};
		h2_ask(&peer, "POST", "/", NULL, &bodies[i]);
	}
	for (int i = 0; i < MANY; i++) {
		struct h2_reply *reply = h2_await(&peer, 2 * i + 1);

		assert_int_equal(reply->size, size - MANY);
		assert_memory_equal(reply->body, bytes + i, size - MANY);
	}
	h2_close(&peer);
	free(bytes);
}

/* ---- Bodies that come ------------------------------------------------------------------------ */

static int read_when_told(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = (belay_recv)(ctx, belay_request_data(req), NULL);

	return r == -EPIPE ? echo(ctx, req, res) : r;
}

static void a_client_sends_no_more_than_its_handler_reads(void **state)
{
	const size_t size = 2 << 20;
	struct h2_body body = {make_bytes(size), size};
	belay_chan *go_on = belay_chan_new(0, 0);
	struct h2_reply *reply;
	int32_t id;

	check(belay_router_add(site.router, "POST /", read_when_told, go_on) == 0);
	site_start(&site, belay_background(), NULL);
	h2_dial(&site, &peer);
	id = h2_ask(&peer, "POST", "/", NULL, &body);
	while (body.sent < 256 * 1024)
		assert_true(h2_pump(&peer)); /* SETTINGS open the window */
	assert_int_equal(h2_get(&peer, "/x")->status, 404);
	assert_int_equal(body.sent, 256 * 1024);
	belay_chan_close(go_on);
	reply = h2_await(&peer, id);
	assert_int_equal(reply->size, size);
	assert_memory_equal(reply->body, body.data, size);
	h2_close(&peer);
	free((char *)body.data);
	belay_chan_unref(go_on);
}

static int answer_unread(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "enough");
}

/* RFC 9113, section 8.1: a complete answer, then RST_STREAM with NO_ERROR. */
static void a_body_that_nobody_reads_is_refused_once_answered(void **state)
{
	struct h2_body body = {.open = true};
	struct h2_reply *reply;

	check(belay_router_add(site.router, "POST /", answer_unread, NULL) == 0);
	site_start(&site, belay_background(), NULL);
	h2_dial(&site, &peer);
	for (int i = 0; i < 20; i++) { /* also past the connection's window */
		char *bytes = make_bytes(200000);

		body = (struct h2_body){bytes, 200000, .open = true};
		reply = h2_await(&peer, h2_ask(&peer, "POST", "/", NULL, &body));
		assert_string_equal(reply->body, "enough");
		assert_true(reply->ended);
		assert_int_equal(reply->code, NGHTTP2_NO_ERROR);
		free(bytes);
	}
	h2_close(&peer);
}

static void a_client_that_sends_nothing_of_its_body_is_told_408(void **state)
{
	static const struct belay_server_options options = {.idle_time = BELAY_MS(50)};
	struct h2_body body = {"ab", 2, .open = true};

	check(belay_router_add(site.router, "POST /", echo, NULL) == 0);
	site_start(&site, belay_background(), &options);
	h2_dial(&site, &peer);
	assert_int_equal(h2_await(&peer, h2_ask(&peer, "POST", "/", NULL, &body))->status, 408);
	h2_close(&peer);
}

static void a_client_that_sends_its_body_too_slowly_is_told_408(void **state)
{
	static const struct belay_server_options options = {
		.body_rate = UINT64_MAX, .body_grace = 1};
	struct h2_body body = {"ab", 2, .open = true};

	check(belay_router_add(site.router, "POST /", echo, NULL) == 0);
	site_start(&site, belay_background(), &options);
	h2_dial(&site, &peer);
	assert_int_equal(h2_await(&peer, h2_ask(&peer, "POST", "/", NULL, &body))->status, 408);
	h2_close(&peer);
}

/* ---- Bodies that go -------------------------------------------------------------------------- */

static atomic_size_t written;

/* 16 KiB at a time. */
static int pour(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static char piece[16384];
	int r = 0;

	for (int i = 0; i < 64 && r == 0; i++) {
		r = belay_response_write(ctx, res, piece, sizeof piece);
		if (r == 0)
			atomic_fetch_add(&written, sizeof piece);
	}
	if (r < 0)
		atomic_store(&written, (size_t)-r);
	return r;
}

static void a_handler_writes_no_more_than_its_client_takes(void **state)
{
	struct h2_reply *reply;
	size_t taken = 0;
	int32_t id;

	atomic_store(&written, 0);
	check(belay_router_add(site.router, "GET /", pour, NULL) == 0);
	site_start(&site, belay_background(), NULL);
	h2_dial_with(&site, &peer, 65535, true);
	id = h2_ask(&peer, "GET", "/", NULL, NULL);
	reply = h2_reply_of(&peer, id);
	while (reply->size < 65535)
		assert_true(h2_pump(&peer));
	assert_true(check_until(atomic_load(&written) >= 2 * 65536 - 16384));
	h2_ask(&peer, "HEAD", "/x", NULL, NULL);
	assert_int_equal(h2_await(&peer, id + 2)->status, 404);
	assert_true(atomic_load(&written) <= 65535 + 65536 + 16384); /* window, ring, buffer */
	while (!reply->closed) {
		size_t more = reply->size - taken;

		taken += more;
		h2_consume(&peer, id, more);
		assert_true(h2_pump(&peer));
	}
	assert_int_equal(reply->size, 64 * 16384);
	assert_true(reply->ended);
	h2_close(&peer);
}

/* The connection serves the others on. */
static void a_client_that_takes_nothing_has_its_stream_reset(void **state)
{
	static const struct belay_server_options options = {.idle_time = BELAY_MS(50)};
	struct h2_reply *reply;

	atomic_store(&written, 0);
	check(belay_router_add(site.router, "GET /", pour, NULL) == 0);
	site_start(&site, belay_background(), &options);
	h2_dial_with(&site, &peer, 0, true);
	reply = h2_get(&peer, "/");
	assert_int_equal(reply->code, NGHTTP2_CANCEL);
	assert_true(check_until(atomic_load(&written) == ETIMEDOUT));
	assert_false(peer.at_end);
	h2_close(&peer);
}

/* Its handler has returned: nobody waits but the connection. */
static void an_answer_that_is_not_taken_does_not_stay_for_ever(void **state)
{
	static const struct belay_server_options options = {.idle_time = BELAY_MS(50)};

	check(belay_router_add(site.router, "GET /", answer_unread, NULL) == 0);
	site_start(&site, belay_background(), &options);
	h2_dial_with(&site, &peer, 0, true);
	assert_int_equal(h2_get(&peer, "/")->code, NGHTTP2_CANCEL);
	assert_int_equal(h2_reply_of(&peer, 1)->status, 200);
	h2_close(&peer);
}

static int flush_twice(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_chan *seen = belay_request_data(req);
	int r = belay_response_puts(ctx, res, "first");

	if (r == 0)
		r = belay_response_flush(ctx, res);
	if (r == 0)
		r = (belay_recv)(ctx, seen, NULL);
	return r == -EPIPE ? belay_response_puts(ctx, res, "second") : r;
}

static void a_flush_reaches_the_client_at_once(void **state)
{
	belay_chan *seen = belay_chan_new(0, 0);
	struct h2_reply *reply;
	int32_t id;

	check(belay_router_add(site.router, "GET /", flush_twice, seen) == 0);
	site_start(&site, belay_background(), NULL);
	h2_dial(&site, &peer);
	id = h2_ask(&peer, "GET", "/", NULL, NULL);
	reply = h2_reply_of(&peer, id);
	while (reply->size < 5)
		assert_true(h2_pump(&peer));
	assert_string_equal(reply->body, "first");
	belay_chan_close(seen);
	assert_string_equal(h2_await(&peer, id)->body, "firstsecond");
	assert_null(strstr(reply->head, "content-length"));
	h2_close(&peer);
	belay_chan_unref(seen);
}

static int send_file(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char size[24];

	snprintf(size, sizeof size, "%d", 200000);
	belay_response_header(res, "Content-Length", size);
	return belay_response_send_file(ctx, res, *(int *)belay_request_data(req), 7, 200000);
}

static void a_file_is_sent(void **state)
{
	char *bytes = make_bytes(300000);
	FILE *file = tmpfile();
	struct h2_reply *reply;
	int fd = fileno(file);

	assert_int_equal(fwrite(bytes, 1, 300000, file), 300000);
	assert_int_equal(fflush(file), 0);
	check(belay_router_add(site.router, "GET /", send_file, &fd) == 0);
	site_start(&site, belay_background(), NULL);
	h2_dial(&site, &peer);
	reply = h2_get(&peer, "/");
	assert_true(h2_has(reply, "content-length", "200000"));
	assert_int_equal(reply->size, 200000);
	assert_memory_equal(reply->body, bytes + 7, 200000);
	h2_close(&peer);
	fclose(file);
	free(bytes);
}

BELAY_TEST_MAIN(H2_TEST(a_large_body_comes_back_as_it_went),
		H2_TEST(several_bodies_share_a_connection),
		H2_TEST(a_client_sends_no_more_than_its_handler_reads),
		H2_TEST(a_body_that_nobody_reads_is_refused_once_answered),
		H2_TEST(a_client_that_sends_nothing_of_its_body_is_told_408),
		H2_TEST(a_client_that_sends_its_body_too_slowly_is_told_408),
		H2_TEST(a_handler_writes_no_more_than_its_client_takes),
		H2_TEST(a_client_that_takes_nothing_has_its_stream_reset),
		H2_TEST(an_answer_that_is_not_taken_does_not_stay_for_ever),
		H2_TEST(a_flush_reaches_the_client_at_once),
		H2_TEST(a_file_is_sent))
