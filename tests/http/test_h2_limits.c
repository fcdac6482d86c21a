/* SPDX-License-Identifier: MIT
 *
 * test_h2_limits.c - what a client of HTTP/2 can't do to a server: too much of what costs it
 * nothing, and what is against the rules (RFC 9113). By frames that are written by hand.
 */
#include "h2_peer.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static struct site site;
static int fd;

static int set_up(void **state)
{
	check_needs_memory(); /* for the client to be answered at all */
	site_init(&site);
	return 0;
}

static int tear_down(void **state)
{
	site_stop(&site);
	return 0;
}

static atomic_uint begun, running, most;

static int wait_for_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	unsigned now = atomic_fetch_add(&running, 1) + 1, before = atomic_load(&most);

	while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
		;
	atomic_fetch_add(&begun, 1);
	belay_wait(ctx);
	atomic_fetch_sub(&running, 1);
	return belay_err(ctx);
}

static int hello(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "hello");
}

static void begin(const struct belay_server_options *options)
{
	atomic_store(&begun, 0);
	atomic_store(&running, 0);
	atomic_store(&most, 0);
	check(belay_router_add(site.router, "/", hello, NULL) == 0);
	check(belay_router_add(site.router, "GET /wait", wait_for_end, NULL) == 0);
	site_start(&site, belay_background(), options);
	fd = h2_raw_dial(&site);
}

/* The server has closed with this code. */
static void expect_goaway(uint32_t code)
{
	assert_int_equal(h2_raw_goaway(fd), code);
	close(fd);
}

/* The stream has been reset with it, and the connection lives on. */
static void expect_reset(int32_t id, uint32_t code)
{
	struct h2_frame frame;

	assert_int_equal(h2_raw_reset(fd, id), code);
	h2_raw_get(fd, 1001, "/", NGHTTP2_FLAG_END_STREAM);
	do
		assert_true(h2_raw_await(fd, NGHTTP2_HEADERS, &frame));
	while (frame.id != 1001);
	close(fd);
}

/* ---- Floods ---------------------------------------------------------------------------------- */

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

/* CVE-2023-44487: more handlers than streams don't run, whatever is reset; and it ends. */
static void rapid_resets_are_stopped(void **state)
{
	static const struct belay_server_options options = {.streams = 5};
	bool open = true;

	begin(&options);
	for (uint32_t id = 1; open && id < 20000; id += 2)
		open = h2_raw_get(fd, id, "/wait", NGHTTP2_FLAG_END_STREAM) &&
		       h2_raw_send(fd, NGHTTP2_RST_STREAM, 0, id, "\0\0\0\x08", 4);
	expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM);
	assert_true(check_until(atomic_load(&running) == 0));
	assert_true(atomic_load(&most) <= 5);
}

static atomic_bool let_go;

/* Deaf to its end. */
static int hold_out(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	BELAY_SCOPED belay_ctx *own = belay_with_cancel(belay_background());
	unsigned now = atomic_fetch_add(&running, 1) + 1, before = atomic_load(&most);

	while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
		;
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

/* One byte of the window for each frame of the answer, say, or nothing at all. */
static void flood(uint8_t type, uint8_t flags, uint32_t id, const void *payload, size_t size)
{
	bool open = true;

	begin(NULL);
	h2_raw_get(fd, 1, "/wait", 0);
	for (int i = 0; open && i < 100000; i++)
		open = h2_raw_send(fd, type, flags, id, payload, size);
	expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM);
}

static void a_flood_of_pings_is_stopped(void **state)
{
	flood(NGHTTP2_PING, 0, 0, "12345678", 8);
}

static void a_flood_of_settings_is_stopped(void **state)
{
	flood(NGHTTP2_SETTINGS, 0, 0, "", 0);
}

static void a_flood_of_empty_data_is_stopped(void **state)
{
	flood(NGHTTP2_DATA, 0, 1, "", 0);
}

static void a_flood_of_padding_is_stopped(void **state)
{
	flood(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\x03\0\0\0", 4);
}

static void a_flood_of_window_updates_is_stopped(void **state)
{
	flood(NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\x01", 4);
}

static void a_flood_of_priorities_is_stopped(void **state)
{
	flood(NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\x01", 5);
}

/* Of a stream that was passed over, and counts as closed. */
static void a_flood_of_headers_for_streams_that_are_over_is_stopped(void **state)
{
	bool open = true;

	begin(NULL);
	h2_raw_get(fd, 5, "/wait", 0);
	for (int i = 0; open && i < 100000; i++)
		open = h2_raw_get(fd, 3, "/", NGHTTP2_FLAG_END_STREAM);
	expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM);
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

static void a_flood_of_unknown_frames_is_stopped(void **state)
{
	static const char large[16384];

	flood(0xbe, 0, 0, large, sizeof large);
}

/* CVE-2024-28182. */
static void continuations_have_an_end(void **state)
{
	bool open = true;

	begin(NULL);
	h2_raw_send(fd, NGHTTP2_HEADERS, 0, 1, "\x82\x86\x84\x01\x01x", 6);
	for (int i = 0; open && i < 1000; i++)
		open = h2_raw_send(fd, NGHTTP2_CONTINUATION, 0, 1, "\x00\x01x\x01y", 5);
	expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM);
}

/* CVE-2025-8671: what makes the server reset a stream is the client's doing as well. */
static void resets_that_the_client_provokes_are_counted(void **state)
{
	bool open = true;

	begin(NULL);
	for (uint32_t id = 1; open && id < 20000; id += 2)
		open = h2_raw_get(fd, id, "/wait", NGHTTP2_FLAG_END_STREAM) &&
		       h2_raw_send(fd, NGHTTP2_WINDOW_UPDATE, 0, id, "\x7f\xff\xff\xff", 4);
	expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM);
	assert_true(check_until(atomic_load(&running) == 0));
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

/* ---- Against the rules ----------------------------------------------------------------------- */

static void what_does_not_go_on_as_the_preface_is_not_served(void **state)
{
	struct h2_frame frame;

	begin(NULL);
	close(fd);
	fd = site_dial(&site);
	raw_send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	h2_raw_send(fd, NGHTTP2_PING, 0, 0, "12345678", 8); /* not SETTINGS */
	while (h2_raw_next(fd, &frame))
		assert_int_not_equal(frame.type, NGHTTP2_HEADERS);
	close(fd);
}

static void a_frame_that_is_too_large_ends_the_connection(void **state)
{
	static const char large[16385];

	begin(NULL);
	h2_raw_get(fd, 1, "/wait", 0);
	h2_raw_send(fd, NGHTTP2_DATA, 0, 1, large, sizeof large);
	expect_goaway(NGHTTP2_FRAME_SIZE_ERROR);
}

static void frames_of_a_wrong_size_end_the_connection(void **state)
{
	begin(NULL);
	h2_raw_send(fd, NGHTTP2_PING, 0, 0, "1234567", 7);
	expect_goaway(NGHTTP2_FRAME_SIZE_ERROR);
}

static void settings_of_a_wrong_size_end_the_connection(void **state)
{
	begin(NULL);
	h2_raw_send(fd, NGHTTP2_SETTINGS, 0, 0, "12345", 5);
	expect_goaway(NGHTTP2_FRAME_SIZE_ERROR);
}

static void settings_out_of_range_end_the_connection(void **state)
{
	begin(NULL);
	h2_raw_send(fd, NGHTTP2_SETTINGS, 0, 0, "\0\x04\xff\xff\xff\xff", 6);
	expect_goaway(NGHTTP2_FLOW_CONTROL_ERROR);
}

static void even_stream_numbers_end_the_connection(void **state)
{
	begin(NULL);
	h2_raw_get(fd, 2, "/", NGHTTP2_FLAG_END_STREAM);
	expect_goaway(NGHTTP2_PROTOCOL_ERROR);
}

/* Such a stream counts as closed. */
static void a_lower_stream_number_is_not_served(void **state)
{
	struct h2_frame frame;

	begin(NULL);
	h2_raw_get(fd, 5, "/wait", 0);
	h2_raw_get(fd, 3, "/", NGHTTP2_FLAG_END_STREAM);
	h2_raw_get(fd, 7, "/", NGHTTP2_FLAG_END_STREAM);
	assert_true(h2_raw_await(fd, NGHTTP2_HEADERS, &frame));
	assert_int_equal(frame.id, 7);
	close(fd);
}

static void headers_without_a_stream_end_the_connection(void **state)
{
	begin(NULL);
	h2_raw_get(fd, 0, "/", NGHTTP2_FLAG_END_STREAM);
	expect_goaway(NGHTTP2_PROTOCOL_ERROR);
}

static void data_on_an_idle_stream_end_the_connection(void **state)
{
	begin(NULL);
	h2_raw_send(fd, NGHTTP2_DATA, 0, 1, "x", 1);
	expect_goaway(NGHTTP2_PROTOCOL_ERROR);
}

static void padding_longer_than_its_frame_ends_the_connection(void **state)
{
	begin(NULL);
	h2_raw_get(fd, 1, "/wait", 0);
	h2_raw_send(fd, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\x05xxxx", 5);
	expect_goaway(NGHTTP2_PROTOCOL_ERROR);
}

static void padding_is_no_part_of_the_body(void **state)
{
	struct h2_frame frame;

	begin(NULL);
	h2_raw_get(fd, 1, "/", 0);
	h2_raw_send(fd, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_END_STREAM, 1,
		    "\x02xx\0\0", 5);
	assert_true(h2_raw_await(fd, NGHTTP2_DATA, &frame));
	assert_memory_equal(frame.payload, "hello", 5);
	close(fd);
}

static void a_window_that_overflows_ends_the_connection(void **state)
{
	begin(NULL);
	h2_raw_send(fd, NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4);
	expect_goaway(NGHTTP2_FLOW_CONTROL_ERROR);
}

static void a_stream_s_window_that_overflows_resets_it(void **state)
{
	begin(NULL);
	h2_raw_get(fd, 1, "/wait", 0);
	h2_raw_send(fd, NGHTTP2_WINDOW_UPDATE, 0, 1, "\x7f\xff\xff\xff", 4);
	expect_reset(1, NGHTTP2_FLOW_CONTROL_ERROR);
}

static void more_than_the_window_resets_the_stream(void **state)
{
	static const char piece[16384];

	begin(NULL);
	h2_raw_get(fd, 1, "/wait", 0);
	for (int i = 0; i < 20; i++) /* 320 KiB, and 256 are promised */
		h2_raw_send(fd, NGHTTP2_DATA, 0, 1, piece, sizeof piece);
	expect_reset(1, NGHTTP2_FLOW_CONTROL_ERROR);
}

static void another_frame_between_continuations_ends_the_connection(void **state)
{
	begin(NULL);
	h2_raw_send(fd, NGHTTP2_HEADERS, 0, 1, "\x82\x86\x84\x01\x01x", 6);
	h2_raw_send(fd, NGHTTP2_PING, 0, 0, "12345678", 8);
	expect_goaway(NGHTTP2_PROTOCOL_ERROR);
}

static void a_block_that_can_t_be_decoded_ends_the_connection(void **state)
{
	begin(NULL);
	h2_raw_send(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\xff\xff\xff\xff", 4);
	expect_goaway(NGHTTP2_COMPRESSION_ERROR);
}

/* A request whose block is malformed: fields stands for all of them. */
static void malformed(const char *fields, size_t size)
{
	begin(NULL);
	h2_raw_send(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
		    fields, size);
	expect_reset(1, NGHTTP2_PROTOCOL_ERROR);
}

#define GET_ROOT "\x82\x86\x84\x01\x01x"

static void names_in_upper_case_are_malformed(void **state)
{
	malformed(GET_ROOT "\x00\x01X\x01y", 11);
}

static void fields_of_a_connection_are_malformed(void **state)
{
	malformed(GET_ROOT "\x00\x0a" "connection" "\x05" "close", 24);
}

static void te_is_trailers_or_malformed(void **state)
{
	malformed(GET_ROOT "\x00\x02te\x04gzip", 15);
}

static void pseudo_fields_behind_others_are_malformed(void **state)
{
	malformed("\x82\x86\x00\x01x\x01y\x84\x01\x01x", 11);
}

static void two_paths_are_malformed(void **state)
{
	malformed("\x82\x86\x84\x84\x01\x01x", 7);
}

static void a_request_without_a_path_is_malformed(void **state)
{
	malformed("\x82\x86\x01\x01x", 5);
}

static void a_response_s_field_in_a_request_is_malformed(void **state)
{
	malformed("\x88\x82\x86\x84\x01\x01x", 7);
}

static void values_with_line_breaks_are_malformed(void **state)
{
	malformed(GET_ROOT "\x00\x01x\x03" "a\nb", 13);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(
	TEST(streams_beyond_the_limit_are_refused),
	TEST(streams_beyond_a_limit_that_is_known_end_the_connection),
	TEST(rapid_resets_are_stopped),
	TEST(handlers_are_no_more_than_streams), TEST(what_large_requests_took_is_given_back),
	TEST(a_flood_of_pings_is_stopped),
	TEST(a_flood_of_settings_is_stopped), TEST(a_flood_of_empty_data_is_stopped),
	TEST(a_flood_of_padding_is_stopped), TEST(a_flood_of_window_updates_is_stopped),
	TEST(a_flood_of_priorities_is_stopped), TEST(a_flood_of_unknown_frames_is_stopped),
	TEST(a_flood_of_headers_for_streams_that_are_over_is_stopped),
	TEST(refusals_that_can_t_be_sent_don_t_pile_up),
	TEST(answers_wait_in_their_streams_rather_than_in_one_write),
	TEST(continuations_have_an_end), TEST(resets_that_the_client_provokes_are_counted),
	TEST(headers_that_never_end_are_given_up_on),
	TEST(malformed_headers_that_have_ended_are_not_waited_for),
	TEST(a_connection_without_a_request_is_closed),
	TEST(a_connection_that_is_idle_is_closed_though_it_pings),
	TEST(what_does_not_go_on_as_the_preface_is_not_served),
	TEST(a_frame_that_is_too_large_ends_the_connection),
	TEST(frames_of_a_wrong_size_end_the_connection),
	TEST(settings_of_a_wrong_size_end_the_connection),
	TEST(settings_out_of_range_end_the_connection),
	TEST(even_stream_numbers_end_the_connection),
	TEST(a_lower_stream_number_is_not_served),
	TEST(headers_without_a_stream_end_the_connection),
	TEST(data_on_an_idle_stream_end_the_connection),
	TEST(padding_longer_than_its_frame_ends_the_connection),
	TEST(padding_is_no_part_of_the_body), TEST(a_window_that_overflows_ends_the_connection),
	TEST(a_stream_s_window_that_overflows_resets_it),
	TEST(more_than_the_window_resets_the_stream),
	TEST(another_frame_between_continuations_ends_the_connection),
	TEST(a_block_that_can_t_be_decoded_ends_the_connection),
	TEST(names_in_upper_case_are_malformed), TEST(fields_of_a_connection_are_malformed),
	TEST(te_is_trailers_or_malformed), TEST(pseudo_fields_behind_others_are_malformed),
	TEST(two_paths_are_malformed), TEST(a_request_without_a_path_is_malformed),
	TEST(a_response_s_field_in_a_request_is_malformed),
	TEST(values_with_line_breaks_are_malformed))
