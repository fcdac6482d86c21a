/* SPDX-License-Identifier: MIT
 *
 * test_response.c - what a response takes, and what it refuses.
 */
#include "check.h"
#include "http/response.h"

#include <belay/http.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static belay_recorder *rec;

static int set_up(void **state)
{
	rec = belay_recorder_new("GET", "/");
	return rec ? 0 : -1;
}

static int tear_down(void **state)
{
	belay_recorder_free(rec);
	return 0;
}

static void run(belay_handler *handler)
{
	assert_int_equal(belay_recorder_run(belay_background(), rec, handler, NULL), 0);
}

/* ---- Headers --------------------------------------------------------------------------------- */

static int smuggle(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static const char *const names[] = {"", "a b", "a:", "a\r\nb", "a\n", "\xc3\xa9", "a\tb"};
	static const char *const values[] = {"a\r\nSet-Cookie: x", "a\nb", "a\rb", "\r", "a\x01",
					     "a\x7f"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		check(belay_response_header(res, names[i], "x") == -EINVAL);
		check(belay_response_add_header(res, names[i], "x") == -EINVAL);
	}
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		check(belay_response_header(res, "x", values[i]) == -EINVAL);
		check(belay_response_add_header(res, "x", values[i]) == -EINVAL);
	}
	check(belay_response_header(res, "transfer-encoding", "chunked") == -EINVAL);
	return 0;
}

static void no_header_can_be_smuggled_in(void **state)
{
	run(smuggle);
	assert_null(belay_recorder_get_header(rec, "x"));
	assert_null(belay_recorder_get_header(rec, "set-cookie"));
}

static int set_and_add(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_response_header(res, "A", "1") == 0);
	check(belay_response_header(res, "a", "2") == 0);
	check(belay_response_add_header(res, "B", "1") == 0);
	check(belay_response_add_header(res, "B", "2") == 0);
	return 0;
}

static void setting_replaces_and_adding_adds(void **state)
{
	run(set_and_add);
	assert_string_equal(belay_recorder_get_header(rec, "A"), "2");
	assert_string_equal(belay_recorder_get_header(rec, "B"), "1");
}

static int lengths(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_response_header(res, "Content-Length", "x") == -EINVAL);
	check(belay_response_header(res, "Content-Length", "-1") == -EINVAL);
	check(belay_response_header(res, "Content-Length", "") == -EINVAL);
	check(belay_response_header(res, "Content-Length", "99999999999999999999") == -EINVAL);
	check(belay_response_header(res, "Content-Length", "4") == 0);
	check(belay_response_puts(ctx, res, "hello") == -EMSGSIZE);
	check(belay_response_puts(ctx, res, "hel") == 0);
	check(belay_response_puts(ctx, res, "lo") == -EMSGSIZE);
	check(belay_response_puts(ctx, res, "l") == 0);
	return 0;
}

static void no_more_than_the_length_that_was_set_is_taken(void **state)
{
	run(lengths);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "hell");
}

static int length_at_last(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_response_puts(ctx, res, "hello") == 0);
	check(belay_response_header(res, "Content-Length", "4") == -EINVAL);
	check(belay_response_add_header(res, "Content-Length", "0") == -EINVAL);
	check(belay_response_header(res, "Content-Length", "5") == 0);
	check(belay_response_puts(ctx, res, "!") == -EMSGSIZE);
	return 0;
}

/* What is more would be taken for the beginning of the next answer. */
static void a_length_is_not_less_than_what_was_written(void **state)
{
	run(length_at_last);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "hello");
	assert_string_equal(belay_recorder_get_header(rec, "Content-Length"), "5");
}

static int too_short(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_response_header(res, "Content-Length", "4");
	return belay_response_puts(ctx, res, "abc");
}

static void less_than_the_length_that_was_set_is_an_error(void **state)
{
	assert_int_equal(belay_recorder_run(belay_background(), rec, too_short, NULL), -EBADMSG);
}

/* ---- Parts ----------------------------------------------------------------------------------- */

enum { LARGE = 3 * 1000 * 1000, MOST_AT_ONCE = 256 * 1024 };

struct measure {
	struct belay__sink sink;
	size_t largest, all;
};

static int measure_part(belay_ctx *ctx, struct belay__sink *sink, belay_response *res,
			const void *data, size_t size, enum belay__part part)
{
	struct measure *measure = (struct measure *)(void *)sink;

	measure->largest = size > measure->largest ? size : measure->largest;
	measure->all += size;
	return 0;
}

/* The sink's patience is for what it is given at once. */
static void a_large_write_goes_out_by_pieces(void **state)
{
	struct measure measure = {.sink = {.send = measure_part}};
	char *bytes = calloc(1, LARGE);
	belay_response res;

	belay__response_init(&res, &measure.sink);
	assert_int_equal(belay_response_write(belay_background(), &res, bytes, LARGE), 0);
	assert_int_equal(belay__response_finish(belay_background(), &res), 0);
	assert_int_equal(measure.all, LARGE);
	assert_int_equal(measure.largest, MOST_AT_ONCE);
	belay__response_fini(&res);
	free(bytes);
}

/* ---- Status ---------------------------------------------------------------------------------- */

static int statuses(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_response_get_status(res) == 200);
	check(belay_response_status(res, 199) == -EINVAL);
	check(belay_response_status(res, 600) == -EINVAL);
	check(belay_response_status(res, -1) == -EINVAL);
	check(belay_response_status(res, 404) == 0);
	check(belay_response_status(res, 202) == 0);
	check(belay_response_get_status(res) == 202);
	return 0;
}

static void a_status_is_200_to_599(void **state)
{
	run(statuses);
	assert_int_equal(belay_recorder_status(rec), 202);
}

static int no_body(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_response_status(res, 204) == 0);
	check(belay_response_puts(ctx, res, "x") == -EINVAL);
	check(belay_response_puts(ctx, res, "") == 0);
	check(belay_response_status(res, 200) == 0);
	check(belay_response_puts(ctx, res, "x") == 0);
	check(belay_response_status(res, 304) == -EINVAL);
	return 0;
}

static void answers_without_a_body_take_none(void **state)
{
	run(no_body);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "x");
}

/* ---- Buffer and flush ------------------------------------------------------------------------ */

static int flush_between(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_response_puts(ctx, res, "data: 1\n\n") == 0);
	check(!belay_response_is_sent(res));
	check(belay_response_flush(ctx, res) == 0);
	check(belay_response_is_sent(res));
	check(belay_response_status(res, 404) == -EALREADY);
	check(belay_response_header(res, "a", "b") == -EALREADY);
	check(belay_response_error(ctx, req, res, 500, NULL) == -EALREADY);
	check(belay_response_puts(ctx, res, "data: 2\n\n") == 0);
	return belay_response_flush(ctx, res);
}

static void a_flush_sends_what_is_there_and_the_head_with_it(void **state)
{
	run(flush_between);
	assert_int_equal(belay_recorder_flushes(rec), 2);
	assert_int_equal(belay_recorder_status(rec), 200);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "data: 1\n\ndata: 2\n\n");
}

static int fill_buffer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char block[1024];

	memset(block, 'x', sizeof block);
	for (int i = 0; i < 16; i++)
		check(belay_response_write(ctx, res, block, sizeof block) == 0);
	check(!belay_response_is_sent(res));
	check(belay_response_write(ctx, res, block, 1) == 0);
	check(belay_response_is_sent(res));
	return 0;
}

static void the_head_is_sent_when_the_buffer_is_full(void **state)
{
	size_t size;

	run(fill_buffer);
	belay_recorder_get_body(rec, &size);
	assert_int_equal(size, 16385);
}

/* Random sizes, against the same bytes in one piece. */
static int write_randomly(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static char block[40000];
	unsigned seed = 7;

	for (size_t at = 0; at < 1000000;) {
		size_t size = (size_t)rand_r(&seed) % sizeof block;

		for (size_t i = 0; i < size; i++)
			block[i] = (char)((at + i) % 251);
		check(belay_response_write(ctx, res, block, size) == 0);
		at += size;
		if (rand_r(&seed) % 5 == 0)
			check(belay_response_flush(ctx, res) == 0);
	}
	return 0;
}

static void nothing_is_lost_or_doubled_in_the_buffer(void **state)
{
	const char *body;
	size_t size;

	run(write_randomly);
	body = belay_recorder_get_body(rec, &size);
	assert_true(size >= 1000000);
	for (size_t i = 0; i < size; i++)
		if (body[i] != (char)(i % 251))
			fail_msg("wrong at %zu", i);
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static int print_long(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char text[2000];

	memset(text, 'y', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	return belay_response_printf(ctx, res, "<%s>%d", text, 5);
}

static void long_texts_are_printed_whole(void **state)
{
	const char *body;
	size_t size;

	run(print_long);
	body = belay_recorder_get_body(rec, &size);
	assert_int_equal(size, 2002);
	assert_string_equal(body + 1999, "y>5");
}

static int error_message(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_response_error(ctx, req, res, 200, NULL) == -EINVAL);
	check(belay_response_error(ctx, req, res, 399, NULL) == -EINVAL);
	check(belay_response_error(ctx, req, res, 600, NULL) == -EINVAL);
	return belay_response_error(ctx, req, res, 422, "%s is not %s", "x", "a number");
}

static void an_error_has_a_status_and_a_message(void **state)
{
	run(error_message);
	assert_int_equal(belay_recorder_status(rec), 422);
	assert_string_equal(belay_recorder_get_body(rec, NULL),
			    "Unprocessable Content: x is not a number\n");
}

static int error_with_cause(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	BELAY_SCOPED belay_ctx *own = belay_with_timeout_cause(ctx, 0, -EDOM, "too slow a shelf");

	return belay_response_error(own, req, res, 503, NULL);
}

static void an_error_under_a_done_context_tells_its_cause(void **state)
{
	run(error_with_cause);
	assert_string_equal(belay_recorder_get_body(rec, NULL),
			    "Service Unavailable (too slow a shelf)\n");
}

static void statuses_have_phrases(void **state)
{
	assert_string_equal(belay_http_phrase(200), "OK");
	assert_string_equal(belay_http_phrase(503), "Service Unavailable");
	assert_string_equal(belay_http_phrase(299), "Unknown");
}

#define RESPONSE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(RESPONSE_TEST(no_header_can_be_smuggled_in),
		RESPONSE_TEST(setting_replaces_and_adding_adds),
		RESPONSE_TEST(no_more_than_the_length_that_was_set_is_taken),
		RESPONSE_TEST(a_length_is_not_less_than_what_was_written),
		RESPONSE_TEST(less_than_the_length_that_was_set_is_an_error),
		cmocka_unit_test(a_large_write_goes_out_by_pieces),
		RESPONSE_TEST(a_status_is_200_to_599),
		RESPONSE_TEST(answers_without_a_body_take_none),
		RESPONSE_TEST(a_flush_sends_what_is_there_and_the_head_with_it),
		RESPONSE_TEST(the_head_is_sent_when_the_buffer_is_full),
		RESPONSE_TEST(nothing_is_lost_or_doubled_in_the_buffer),
		RESPONSE_TEST(long_texts_are_printed_whole),
		RESPONSE_TEST(an_error_has_a_status_and_a_message),
		RESPONSE_TEST(an_error_under_a_done_context_tells_its_cause),
		cmocka_unit_test(statuses_have_phrases))
