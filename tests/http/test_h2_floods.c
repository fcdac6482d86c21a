/* SPDX-License-Identifier: MIT
 *
 * test_h2_floods.c - a client of HTTP/2 that sends without an end what costs it nothing is stopped.
 * By frames that are written by hand.
 */
#include "h2_by_hand.h"

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

BELAY_TEST_MAIN(H2_TEST(rapid_resets_are_stopped),
		H2_TEST(a_flood_of_pings_is_stopped),
		H2_TEST(a_flood_of_settings_is_stopped),
		H2_TEST(a_flood_of_empty_data_is_stopped),
		H2_TEST(a_flood_of_padding_is_stopped),
		H2_TEST(a_flood_of_window_updates_is_stopped),
		H2_TEST(a_flood_of_priorities_is_stopped),
		H2_TEST(a_flood_of_unknown_frames_is_stopped),
		H2_TEST(a_flood_of_headers_for_streams_that_are_over_is_stopped),
		H2_TEST(continuations_have_an_end),
		H2_TEST(resets_that_the_client_provokes_are_counted))
