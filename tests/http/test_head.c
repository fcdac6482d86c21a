/* SPDX-License-Identifier: MIT
 *
 * test_head.c - where a request's head ends, and which bytes it may not have.
 */
#include "check.h"
#include "http/head.h"

#include <errno.h>
#include <string.h>

/* Each text is scanned at once, and byte by byte: both must say the same. */
static ssize_t scan_text(const char *text, size_t size)
{
	struct belay__head whole = {0}, parts = {0};
	ssize_t once = belay__head_scan(&whole, text, size), r = 0;

	for (size_t n = 1; n <= size && r == 0; n++)
		r = belay__head_scan(&parts, text, n);
	assert_int_equal(r, once);
	return once;
}

#define scan(text) scan_text((text), sizeof(text) - 1)

static void a_head_ends_with_an_empty_line(void **state)
{
	assert_int_equal(scan("GET / HTTP/1.1\r\n\r\n"), 18);
	assert_int_equal(scan("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 27);
	assert_int_equal(scan("GET / HTTP/1.1\r\nHost: a\r\n\r\nbody \r\n\r\n"), 27);
	assert_int_equal(scan("GET / HTTP/1.1\r\nEmpty:\r\n\r\n"), 26);
}

static void an_unfinished_head_needs_more(void **state)
{
	assert_int_equal(scan(""), 0);
	assert_int_equal(scan("GET / HTTP/1.1\r\n"), 0);
	assert_int_equal(scan("GET / HTTP/1.1\r\nHost: a\r\n\r"), 0);
}

static void a_line_feed_alone_ends_no_line(void **state)
{
	assert_int_equal(scan("GET / HTTP/1.1\n\n"), -EBADMSG);
	assert_int_equal(scan("GET / HTTP/1.1\r\nHost: a\n\r\n"), -EBADMSG);
	assert_int_equal(scan("GET / HTTP/1.1\r\nHost: a\r\n\n"), -EBADMSG);
}

static void a_carriage_return_alone_is_refused(void **state)
{
	assert_int_equal(scan("GET / HTTP/1.1\rHost: a\r\n\r\n"), -EBADMSG);
	assert_int_equal(scan("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"), -EBADMSG);
	assert_int_equal(scan("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"), -EBADMSG);
}

static void control_characters_are_refused(void **state)
{
	assert_int_equal(scan("GET /\0 HTTP/1.1\r\n\r\n"), -EBADMSG);
	assert_int_equal(scan("GET / HTTP/1.1\r\nA: b\x01\r\n\r\n"), -EBADMSG);
	assert_int_equal(scan("GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n"), -EBADMSG);
	assert_int_equal(scan("\x16\x03\x01\x02"), -EBADMSG);
}

static void a_header_does_not_go_on_in_the_next_line(void **state)
{
	assert_int_equal(scan("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"), -EBADMSG);
	assert_int_equal(scan("GET / HTTP/1.1\r\nA: b\r\n\tc: d\r\n\r\n"), -EBADMSG);
	assert_int_equal(scan("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), -EBADMSG);
}

static void a_header_has_a_name_with_a_colon_right_behind_it(void **state)
{
	assert_int_equal(scan("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), -EBADMSG);
	assert_int_equal(scan("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n"), -EBADMSG);
	assert_int_equal(scan("GET / HTTP/1.1\r\n: a\r\n\r\n"), -EBADMSG);
	assert_int_equal(scan("GET / HTTP/1.1\r\nHost\r\n\r\n"), -EBADMSG);
}

static void a_head_does_not_begin_with_an_empty_line(void **state)
{
	assert_int_equal(scan("\r\nGET / HTTP/1.1\r\n\r\n"), -EBADMSG);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_head_ends_with_an_empty_line),
		cmocka_unit_test(an_unfinished_head_needs_more),
		cmocka_unit_test(a_line_feed_alone_ends_no_line),
		cmocka_unit_test(a_carriage_return_alone_is_refused),
		cmocka_unit_test(control_characters_are_refused),
		cmocka_unit_test(a_header_does_not_go_on_in_the_next_line),
		cmocka_unit_test(a_header_has_a_name_with_a_colon_right_behind_it),
		cmocka_unit_test(a_head_does_not_begin_with_an_empty_line))
