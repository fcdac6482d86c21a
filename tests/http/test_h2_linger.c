/* SPDX-License-Identifier: MIT
 *
 * test_h2_linger.c - a client that still sends while the server closes gets what it was sent, and
 * the end behind it, rather than a reset (RFC 9112, section 9.6).
 *
 * Its socket takes little at a time. So when the server is through, most of the answer lies in the
 * server's kernel, which would throw it away with what nobody has read of the client's frames.
 */
#include "h2_test.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NARROW = 4096, HALF = 192 * 1024, FRAME_HEAD = 9 };

static belay_chan *started, *go_on;
static char bytes[HALF];

/* The first half at once, the second one when it may. How much of either the server's kernel takes
 * before the client reads is its own affair. */
static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r;

	belay_chan_close(started);
	r = belay_response_write(ctx, res, bytes, HALF);
	if (r == 0)
		r = (belay_recv)(ctx, go_on, NULL);
	return r == -EPIPE ? belay_response_write(ctx, res, bytes, HALF) : r;
}

static int set_up(void **state)
{
	h2_set_up(state);
	started = check_made(belay_chan_new(0, 0));
	go_on = check_made(belay_chan_new(0, 0));
	check(belay_router_add(site.router, "/answer", answer, NULL) == 0);
	site_start(&site, belay_background(), NULL);
	return 0;
}

static int tear_down(void **state)
{
	h2_tear_down(state);
	belay_chan_unref(started);
	belay_chan_unref(go_on);
	return 0;
}

/* ---- A client that reads a little, and sends a little ---------------------------------------- */

/* Something that asks for nothing: a WINDOW_UPDATE of the connection by 1. The server may have
 * closed. */
static void send_update(int fd)
{
	h2_raw_send(fd, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
}

/* Sends some more once it has read some. False: the end. A reset fails the test. */
static bool read_and_send(int fd, unsigned char *buf, size_t size)
{
	while (size > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(recv(fd, buf, size < NARROW ? size : NARROW, 0));

		if (n < 0)
			fail_msg("recv: %s", strerror(errno));
		if (n == 0)
			return false;
		send_update(fd);
		buf += n;
		size -= (size_t)n;
	}
	return true;
}

static bool next_head(int fd, struct h2_frame *ret)
{
	unsigned char head[FRAME_HEAD];

	if (!read_and_send(fd, head, sizeof head))
		return false;
	ret->size = h2_number(head) >> 8;
	ret->type = head[3];
	ret->flags = head[4];
	return true;
}

static void read_payload(int fd, struct h2_frame *frame)
{
	assert_true(frame->size <= sizeof frame->payload);
	assert_true(read_and_send(fd, frame->payload, frame->size));
}

/* Asks for the answer, with windows that will not be in its way. */
static int ask(void)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	int fd = site_dial_narrow(&site, NARROW);

	raw_send(fd, preface);
	h2_raw_send(fd, NGHTTP2_SETTINGS, 0, 0, "\0\4\x7f\xff\xff\xff", 6);
	h2_raw_send(fd, NGHTTP2_WINDOW_UPDATE, 0, 0, "\x3f\xff\xff\xff", 4);
	h2_raw_get(fd, 1, "/answer", NGHTTP2_FLAG_END_STREAM);
	return fd;
}

/* ---- A shutdown ------------------------------------------------------------------------------ */

static void *stop(void *arg)
{
	int *result = arg;

	*result = belay_server_shutdown(belay_background(), site.server);
	return NULL;
}

/* The second half is written when the client knows of the shutdown: then the server is through. */
static void a_client_that_sends_through_a_shutdown_gets_all_of_its_answer(void **state)
{
	static struct h2_frame frame;
	unsigned goaways = 0;
	pthread_t stopper;
	size_t size = 0;
	bool ended = false;
	int result, fd = ask();

	assert_int_equal((belay_recv)(belay_background(), started, NULL), -EPIPE);
	assert_int_equal(pthread_create(&stopper, NULL, stop, &result), 0);
	while (next_head(fd, &frame)) {
		read_payload(fd, &frame);
		if (frame.type == NGHTTP2_PING)
			h2_raw_send(fd, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, frame.payload, 8);
		if (frame.type == NGHTTP2_GOAWAY && ++goaways == 2)
			belay_chan_close(go_on);
		if (frame.type == NGHTTP2_DATA) {
			size += frame.size;
			ended |= frame.flags & NGHTTP2_FLAG_END_STREAM;
		}
	}
	assert_int_equal(size, 2 * HALF);
	assert_true(ended);
	close(fd);
	pthread_join(stopper, NULL);
	assert_int_equal(result, 0);
}

/* ---- An error -------------------------------------------------------------------------------- */

/* Reads the answer up to the head of its last frame that has something in it. */
static void read_up_to_the_last_frame(int fd, struct h2_frame *ret)
{
	size_t size = 0;

	while (size < 2 * HALF) {
		assert_true(next_head(fd, ret));
		if (ret->type == NGHTTP2_DATA)
			size += ret->size;
		if (size < 2 * HALF)
			read_payload(fd, ret);
	}
}

/* RFC 9113, section 5.4.1. What has been sent of the answer when the connection fails is followed
 * by GOAWAY, whatever the client goes on to send before it can know: as much as windows allow. */
static void a_client_that_sends_on_after_an_error_gets_what_it_was_sent(void **state)
{
	static struct h2_frame frame;
	static const char block[65536];
	int64_t code = -1;
	int fd = ask();

	belay_chan_close(go_on);
	read_up_to_the_last_frame(fd, &frame);
	h2_raw_send(fd, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4);
	for (size_t sent = 0; sent < 1024 * 1024; sent += sizeof block)
		assert_true(raw_send_bytes(fd, block, sizeof block));
	read_payload(fd, &frame);
	while (next_head(fd, &frame)) {
		read_payload(fd, &frame);
		if (frame.type == NGHTTP2_GOAWAY)
			code = h2_number(frame.payload + 4);
	}
	assert_int_equal(code, NGHTTP2_PROTOCOL_ERROR);
	close(fd);
}

/* The loop ends when the server has closed the connection. */
static void a_client_that_never_stops_is_closed_all_the_same(void **state)
{
	static const char block[65536];
	int fd = ask();

	h2_raw_send(fd, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4);
	while (raw_send_bytes(fd, block, sizeof block))
		;
	close(fd);
	assert_true(check_until(belay_server_connections(site.server) == 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(TEST(a_client_that_sends_through_a_shutdown_gets_all_of_its_answer),
		TEST(a_client_that_sends_on_after_an_error_gets_what_it_was_sent),
		TEST(a_client_that_never_stops_is_closed_all_the_same))
