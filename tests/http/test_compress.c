/* SPDX-License-Identifier: MIT
 *
 * test_compress.c - answers, compressed for those who ask for it; taken apart by the libraries' own
 * decoders.
 */
#include "around.h"

#include <belay/http_middleware.h>

#include <brotli/decode.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum { SIZE = 200000 };

static char *text; /* SIZE bytes that compress, and a NUL */
static char plain[SIZE + 1];

/* What the handler answers. */
struct page {
	const char *type, *name, *value; /* and one more header */
	size_t size;
	int status;
	bool flush, length;
};

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const struct page *page = belay_request_data(req);
	char length[24];
	int r = page->type ? belay_response_header(res, "Content-Type", page->type) : 0;

	snprintf(length, sizeof length, "%zu", page->size);
	if (r == 0 && page->status)
		r = belay_response_status(res, page->status);
	if (r == 0 && page->name)
		r = belay_response_header(res, page->name, page->value);
	if (r == 0 && page->length)
		r = belay_response_header(res, "Content-Length", length);
	for (size_t at = 0; r == 0 && at < page->size; at += 5000) {
		size_t n = page->size - at < 5000 ? page->size - at : 5000;

		r = belay_response_write(ctx, res, text + at, n);
		if (r == 0 && page->flush)
			r = belay_response_flush(ctx, res);
	}
	return r;
}

static int set_up(void **state)
{
	text = malloc(SIZE + 1);
	for (size_t i = 0; i < SIZE; i++)
		text[i] = (char)('a' + i * 2654435761u % 97 % 26);
	text[SIZE] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	free(text);
	return 0;
}

static size_t gunzip(const void *data, size_t size)
{
	z_stream z = {.next_in = (void *)data, .avail_in = (unsigned)size,
		      .next_out = (void *)plain, .avail_out = SIZE};

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	return SIZE - z.avail_out;
}

static size_t unbrotli(const void *data, size_t size)
{
	size_t n = SIZE;

	assert_int_equal(BrotliDecoderDecompress(size, data, &n, (void *)plain),
			 BROTLI_DECODER_RESULT_SUCCESS);
	return n;
}

static size_t unzstd(const void *data, size_t size)
{
	size_t n = ZSTD_decompress(plain, SIZE, data, size);

	assert_false(ZSTD_isError(n));
	return n;
}

static const struct {
	const char *name;
	size_t (*decode)(const void *data, size_t size);
} codings[] = {{"gzip", gunzip}, {"br", unbrotli}, {"zstd", unzstd}};

static belay_recorder *ask(const struct page *page, const char *method, const char *accept)
{
	belay_router *router = around_new(belay_http_compress, NULL, answer, (void *)page);
	belay_recorder *rec = around_ask(belay_background(), router, method, "/",
					 accept ? "Accept-Encoding" : NULL, accept);

	belay_router_free(router);
	return rec;
}

static void assert_coded(const struct page *page, size_t i)
{
	belay_recorder *rec = ask(page, "GET", codings[i].name);
	const char *body;
	size_t size;

	assert_int_equal(belay_recorder_status(rec), 200);
	assert_true(around_header_is(rec, "Content-Encoding", codings[i].name));
	assert_true(around_header_is(rec, "Vary", "Accept-Encoding"));
	assert_true(around_header_is(rec, "Content-Length", NULL));
	body = belay_recorder_get_body(rec, &size);
	assert_true(size < page->size);
	assert_int_equal(codings[i].decode(body, size), page->size);
	assert_memory_equal(plain, text, page->size);
	belay_recorder_free(rec);
}

static void each_coding_gives_back_what_was_written(void **state)
{
	static const struct page pages[] = {
		{.type = "text/html; charset=utf-8", .size = SIZE},
		{.type = "application/json", .size = 5000},
		{.type = "image/svg+xml", .size = SIZE, .length = true},
		{.type = "text/plain", .size = SIZE, .flush = true},
	};

	for (size_t p = 0; p < sizeof pages / sizeof *pages; p++)
		for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
			assert_coded(&pages[p], i);
}

/* The uncompressed body, with or without Vary. */
static void assert_plain(const struct page *page, const char *accept, const char *vary)
{
	belay_recorder *rec = ask(page, "GET", accept);
	size_t size;

	belay_recorder_get_body(rec, &size);
	assert_int_equal(size, page->size);
	if (!page->name || strcmp(page->name, "Content-Encoding") != 0)
		assert_true(around_header_is(rec, "Content-Encoding", NULL));
	assert_true(around_header_is(rec, "Vary", vary));
	belay_recorder_free(rec);
}

static void who_does_not_ask_gets_it_plain_and_told_that_it_varies(void **state)
{
	static const struct page page = {.type = "text/plain", .size = 5000};

	assert_plain(&page, NULL, "Accept-Encoding");
	assert_plain(&page, "identity", "Accept-Encoding");
	assert_plain(&page, "gzip;q=0, compress", "Accept-Encoding");
}

static void what_is_small_or_coded_or_a_part_or_no_text_is_left_alone(void **state)
{
	static const struct page pages[] = {
		{.type = "text/plain", .size = 1023},
		{.type = "text/plain", .size = 1000, .length = true, .flush = true},
		{.type = "image/png", .size = 5000},
		{.type = NULL, .size = 5000},
		{.type = "text/plain", .size = 5000, .name = "Content-Encoding", .value = "br"},
		{.type = "text/plain", .size = 5000, .status = 206},
		{.type = "text/plain", .size = 5000, .name = "Cache-Control",
		 .value = "max-age=1, no-transform"},
	};

	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
		assert_plain(&pages[i], "gzip, br, zstd", NULL);
}

static void a_flush_sends_all_that_was_written(void **state)
{
	static const struct page page = {.type = "text/plain", .size = 20000, .flush = true};
	belay_recorder *rec = ask(&page, "GET", "gzip");

	assert_int_equal(belay_recorder_flushes(rec), 4);
	belay_recorder_free(rec);
}

static void tags_become_weak_and_ranges_go(void **state)
{
	static const struct page tagged = {.type = "text/plain", .size = 5000, .name = "ETag",
					   .value = "\"abc\""};
	static const struct page weak = {.type = "text/plain", .size = 5000, .name = "ETag",
					 .value = "W/\"abc\""};
	static const struct page ranges = {.type = "text/plain", .size = 5000,
					   .name = "Accept-Ranges", .value = "bytes"};
	belay_recorder *rec = ask(&tagged, "GET", "gzip");

	assert_true(around_header_is(rec, "ETag", "W/\"abc\""));
	belay_recorder_free(rec);
	rec = ask(&weak, "GET", "gzip");
	assert_true(around_header_is(rec, "ETag", "W/\"abc\""));
	belay_recorder_free(rec);
	rec = ask(&ranges, "GET", "gzip");
	assert_true(around_header_is(rec, "Accept-Ranges", NULL));
	belay_recorder_free(rec);
	rec = ask(&tagged, "GET", NULL);
	assert_true(around_header_is(rec, "ETag", "\"abc\""));
	belay_recorder_free(rec);
}

static void head_is_as_without_it(void **state)
{
	static const struct page page = {.type = "text/plain", .size = 5000, .length = true};
	belay_recorder *rec = ask(&page, "HEAD", "gzip");

	assert_true(around_header_is(rec, "Content-Length", "5000"));
	assert_true(around_header_is(rec, "Vary", "Accept-Encoding"));
	assert_string_equal(belay_recorder_get_body(rec, NULL), "");
	belay_recorder_free(rec);
}

static void what_others_say_of_vary_stays(void **state)
{
	static const struct page page = {.type = "text/plain", .size = 5000};
	static const char *const origins[] = {"https://a.example", NULL};
	static const struct belay_cors_options cors = {.origins = origins};
	belay_router *router = around_new(belay_http_cors, &cors, answer, (void *)&page);
	belay_recorder *rec;

	check(belay_router_use(router, belay_http_compress, NULL) == 0);
	rec = around_ask(belay_background(), router, "GET", "/", "Accept-Encoding", "gzip");
	assert_true(around_header_is(rec, "Vary", "Origin"));
	assert_true(around_header_is(rec, "Content-Encoding", "gzip"));
	belay_recorder_free(rec);
	belay_router_free(router);
}

static int fail_with(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return -EIO;
}

static void an_error_page_passes(void **state)
{
	belay_router *router = around_new(belay_http_compress, NULL, fail_with, NULL);

	assert_int_equal(around_status(belay_background(), router, "Accept-Encoding", "gzip"), 500);
	belay_router_free(router);
}

static int overstay(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_wait(ctx);
}

static void a_deadline_around_it_answers(void **state)
{
	static const struct belay_http_limit limit = {.most = BELAY_MS(1)};
	belay_router *router = around_new(belay_http_deadline, &limit, overstay, NULL);

	check(belay_router_use(router, belay_http_compress, NULL) == 0);
	assert_int_equal(around_status(belay_background(), router, "Accept-Encoding", "gzip"), 503);
	belay_router_free(router);
}

static void the_codings_are_named(void **state)
{
	assert_string_equal(belay_http_codings(), "zstd, br, gzip");
}

#define COMPRESS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(COMPRESS_TEST(each_coding_gives_back_what_was_written),
		COMPRESS_TEST(who_does_not_ask_gets_it_plain_and_told_that_it_varies),
		COMPRESS_TEST(what_is_small_or_coded_or_a_part_or_no_text_is_left_alone),
		COMPRESS_TEST(a_flush_sends_all_that_was_written),
		COMPRESS_TEST(tags_become_weak_and_ranges_go),
		COMPRESS_TEST(head_is_as_without_it),
		COMPRESS_TEST(what_others_say_of_vary_stays),
		COMPRESS_TEST(an_error_page_passes),
		COMPRESS_TEST(a_deadline_around_it_answers),
		COMPRESS_TEST(the_codings_are_named))
