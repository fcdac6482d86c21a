/* SPDX-License-Identifier: MIT
 *
 * test_h2_rules.c - what is against the rules of HTTP/2 (RFC 9113) ends the stream, or the
 * connection. By frames that are written by hand.
 */
#include "h2_by_hand.h"

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

BELAY_TEST_MAIN(H2_TEST(what_does_not_go_on_as_the_preface_is_not_served),
		H2_TEST(a_frame_that_is_too_large_ends_the_connection),
		H2_TEST(frames_of_a_wrong_size_end_the_connection),
		H2_TEST(settings_of_a_wrong_size_end_the_connection),
		H2_TEST(settings_out_of_range_end_the_connection),
		H2_TEST(even_stream_numbers_end_the_connection),
		H2_TEST(a_lower_stream_number_is_not_served),
		H2_TEST(headers_without_a_stream_end_the_connection),
		H2_TEST(data_on_an_idle_stream_end_the_connection),
		H2_TEST(padding_longer_than_its_frame_ends_the_connection),
		H2_TEST(padding_is_no_part_of_the_body),
		H2_TEST(a_window_that_overflows_ends_the_connection),
		H2_TEST(a_stream_s_window_that_overflows_resets_it),
		H2_TEST(more_than_the_window_resets_the_stream),
		H2_TEST(another_frame_between_continuations_ends_the_connection),
		H2_TEST(a_block_that_can_t_be_decoded_ends_the_connection),
		H2_TEST(names_in_upper_case_are_malformed),
		H2_TEST(fields_of_a_connection_are_malformed),
		H2_TEST(te_is_trailers_or_malformed),
		H2_TEST(pseudo_fields_behind_others_are_malformed),
		H2_TEST(two_paths_are_malformed),
		H2_TEST(a_request_without_a_path_is_malformed),
		H2_TEST(a_response_s_field_in_a_request_is_malformed),
		H2_TEST(values_with_line_breaks_are_malformed))
