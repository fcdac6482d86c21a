/* SPDX-License-Identifier: MIT
 *
 * test_h2_limits.c - what a client of HTTP/2 can have of a server at most: streams, handlers,
 * memory and time. By frames that are written by hand.
 */
#include "h2_by_hand.h"

#include <malloc.h>
#include <poll.h>
#include <string.h>

/* ---- Streams and handlers -------------------------------------------------------------------- */

static void streams_beyond_the_limit_are_refused(void **state)
{
	static const struct belay_server_options options = {.streams = 3};

	begin(&options);
	for (uint32_t id = 1; id <= 7; id += 2)
		h2_raw_get(fd, id, "/wait", NGHTTP2_FLAG_END_STREAM);
	assert_int_equal(h2_raw_reset(fd, 7), NGHTTP2_REFUSED_STREAM);
	assert_true(check_until(atomic_load(&begun) == 3));
	close(fd);
}

static void streams_beyond_a_limit_that_is_known_end_the_connection(void **state)
{
	static const struct belay_server_options options = {.streams = 3};
	struct h2_frame frame;

	begin(&options);
	assert_true(h2_raw_await(fd, NGHTTP2_SETTINGS, &frame));
	h2_raw_send(fd, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0);
	for (uint32_t id = 1; id <= 7; id += 2)
		h2_raw_get(fd, id, "/wait", NGHTTP2_FLAG_END_STREAM);
	expect_goaway(NGHTTP2_PROTOCOL_ERROR);
}

static atomic_bool let_go;

/* Deaf to its end. */
static int hold_out(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	BELAY_SCOPED belay_ctx *own = belay_with_cancel(belay_background());

	begins_to_run();
	while (!atomic_load(&let_go))
		belay_sleep(own, BELAY_MS(1));
	atomic_fetch_sub(&running, 1);
	atomic_fetch_add(&begun, 1);
	return 0;
}

/* A stream that was reset makes room for another, but its handler still runs. */
static void handlers_are_no_more_than_streams(void **state)
{
	static const struct belay_server_options options = {.streams = 4};

	atomic_store(&let_go, false);
	check(belay_router_add(site.router, "GET /hold", hold_out, NULL) == 0);
	begin(&options);
	for (uint32_t id = 1; id < 9; id += 2)
		h2_raw_get(fd, id, "/hold", NGHTTP2_FLAG_END_STREAM);
	assert_true(check_until(atomic_load(&running) == 4));
	for (uint32_t id = 1; id < 9; id += 2)
		h2_raw_send(fd, NGHTTP2_RST_STREAM, 0, id, "\0\0\0\x08", 4);
	for (uint32_t id = 9; id < 17; id += 2)
		h2_raw_get(fd, id, "/hold", NGHTTP2_FLAG_END_STREAM);
	h2_raw_send(fd, NGHTTP2_PING, 0, 0, "12345678", 8);
	assert_true(h2_raw_await(fd, NGHTTP2_PING, &(struct h2_frame){0}));
	assert_int_equal(atomic_load(&running), 4);
	atomic_store(&let_go, true);
	assert_true(check_until(atomic_load(&begun) == 8));
	assert_int_equal(atomic_load(&most), 4);
	close(fd);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* What the server, which is this process, has of memory; a sanitizer's allocator says 0. */
static size_t memory(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* What is kept of a stream for the next one is small. */
static void what_large_requests_took_is_given_back(void **state)
{
	enum { STREAMS = 90, LINE = 8000 };
	unsigned char block[LINE + 16] = {0x82, 0x86, 0x04, 0x7f, 0xc1, 0x3d}; /* 8000 */
	struct h2_frame frame;
	size_t before;

	memset(block + 6, 'x', LINE);
	memcpy(block + 6, "/hold?", 6);
	memcpy(block + 6 + LINE, "\x01\x01x", 3);
	atomic_store(&let_go, false);
	check(belay_router_add(site.router, "GET /hold", hold_out, NULL) == 0);
	begin(NULL);
	before = memory();
	for (uint32_t id = 1; id < 2 * STREAMS; id += 2)
		h2_raw_send(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
			    id, block, 6 + LINE + 3);
	assert_true(check_until(atomic_load(&running) == STREAMS));
	atomic_store(&let_go, true);
	for (int i = 0; i < STREAMS; i++)
		assert_true(h2_raw_await(fd, NGHTTP2_HEADERS, &frame));
	assert_true(check_until(memory() < before + 1024 * 1024));
	close(fd);
}

static atomic_uint poured;

static int pour(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static const char piece[16384];
	int r = 0;

	while (r == 0) {
		r = belay_response_write(ctx, res, piece, sizeof piece);
		atomic_fetch_add(&poured, 1);
	}
	return r;
}

/* Until the answer has come to a stop. There is no event for that: where the time is too short the
 * test shows less, and does not fail. */
static void await_standstill(void)
{
	unsigned before;

	do {
		before = atomic_load(&poured);
		poll(NULL, 0, 100);
	} while (before == 0 || atomic_load(&poured) != before);
}

static void open_windows(void)
{
	h2_raw_send(fd, NGHTTP2_SETTINGS, 0, 0, "\0\x04\x7f\xff\xff\xff", 6);
	h2_raw_send(fd, NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\0\0", 4);
}

/* However wide the client's windows are: what one write takes it must get through in its time. */
static void answers_wait_in_their_streams_rather_than_in_one_write(void **state)
{
	enum { STREAMS = 90, EACH = 96 * 1024 }; /* the ring, the response's buffer, small things */
	size_t before;

	check(belay_router_add(site.router, "GET /pour", pour, NULL) == 0);
	begin(NULL);
	open_windows();
	before = memory();
	for (uint32_t id = 1; id < 2 * STREAMS; id += 2)
		h2_raw_get(fd, id, "/pour", NGHTTP2_FLAG_END_STREAM);
	await_standstill();
	assert_true(memory() < before + STREAMS * EACH + 1024 * 1024);
	close(fd);
}

/* The client reads none of an answer that goes on and on, so that nothing else can be sent. */
static void refusals_that_can_t_be_sent_don_t_pile_up(void **state)
{
	static const struct belay_server_options options = {.streams = 1};
	bool open = true;
	size_t before;

	check(belay_router_add(site.router, "GET /pour", pour, NULL) == 0);
	begin(&options);
	open_windows();
	h2_raw_get(fd, 1, "/pour", NGHTTP2_FLAG_END_STREAM);
	await_standstill();
	before = memory();
	for (uint32_t id = 3; open && id < 200000; id += 2)
		open = h2_raw_get(fd, id, "/", NGHTTP2_FLAG_END_STREAM);
	assert_true(memory() < before + 4 * 1024 * 1024);
	close(fd);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void headers_that_never_end_are_given_up_on(void **state)
{
	static const struct belay_server_options options = {.header_time = BELAY_MS(50)};

	begin(&options);
	h2_raw_send(fd, NGHTTP2_HEADERS, 0, 1, "\x82\x86\x84\x01\x01x", 6);
	expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM);
}

/* Answers when headers that had begun with it would have been given up on long ago. */
static int outlast(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_sleep(ctx, BELAY_MS(400));

	return r < 0 ? r : belay_response_puts(ctx, res, "done");
}

static void malformed_headers_that_have_ended_are_not_waited_for(void **state)
{
	static const struct belay_server_options options = {.header_time = BELAY_MS(100)};
	struct h2_frame frame;

	check(belay_router_add(site.router, "GET /outlast", outlast, NULL) == 0);
	begin(&options);
	h2_raw_get(fd, 1, "/outlast", NGHTTP2_FLAG_END_STREAM);
	h2_raw_send(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 3,
		    "\x82\x86\x84\x01\x01x\x00\x01X\x01y", 11);
	assert_int_equal(h2_raw_reset(fd, 3), NGHTTP2_PROTOCOL_ERROR);
	assert_true(h2_raw_await(fd, NGHTTP2_HEADERS, &frame));
	assert_int_equal(frame.id, 1);
	close(fd);
}

static void a_connection_without_a_request_is_closed(void **state)
{
	static const struct belay_server_options options = {.header_time = BELAY_MS(50)};

	begin(&options);
	expect_goaway(NGHTTP2_NO_ERROR);
}

static void a_connection_that_is_idle_is_closed_though_it_pings(void **state)
{
	static const struct belay_server_options options = {.idle_time = BELAY_MS(50)};
	struct h2_frame frame = {.type = 0};

	begin(&options);
	h2_raw_get(fd, 1, "/", NGHTTP2_FLAG_END_STREAM);
	assert_true(h2_raw_await(fd, NGHTTP2_HEADERS, &frame));
	do { /* one after the other */
		if (frame.type != NGHTTP2_DATA)
			h2_raw_send(fd, NGHTTP2_PING, 0, 0, "12345678", 8);
	} while (h2_raw_next(fd, &frame) && frame.type != NGHTTP2_GOAWAY);
	assert_int_equal(frame.type, NGHTTP2_GOAWAY);
	close(fd);
}

BELAY_TEST_MAIN(H2_TEST(streams_beyond_the_limit_are_refused),
		H2_TEST(streams_beyond_a_limit_that_is_known_end_the_connection),
		H2_TEST(handlers_are_no_more_than_streams),
		H2_TEST(what_large_requests_took_is_given_back),
		H2_TEST(refusals_that_can_t_be_sent_don_t_pile_up),
		H2_TEST(answers_wait_in_their_streams_rather_than_in_one_write),
		H2_TEST(headers_that_never_end_are_given_up_on),
		H2_TEST(malformed_headers_that_have_ended_are_not_waited_for),
		H2_TEST(a_connection_without_a_request_is_closed),
		H2_TEST(a_connection_that_is_idle_is_closed_though_it_pings))
