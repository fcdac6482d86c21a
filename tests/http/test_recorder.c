/* SPDX-License-Identifier: MIT
 *
 * test_recorder.c - handlers run without a socket: what they read, what they wrote, or that they
 * wrote nothing.
 */
#include "check.h"

#include <belay/http.h>

#include <errno.h>
#include <string.h>

/* Runs handler on rec, frees nothing; its result. */
static int run(belay_recorder *rec, belay_handler *handler, void *data)
{
	return belay_recorder_run(belay_background(), rec, handler, data);
}

static int describe(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body, *name, *value;
	size_t size;
	int r = belay_request_body(ctx, req, &body, &size);

	if (r < 0)
		return r;
	belay_response_status(res, 201);
	belay_response_header(res, "X-Seen", belay_request_header(req, "x-sent"));
	check(belay_request_query_at(req, 1, &name, &value) && strcmp(name, "c") == 0);
	check(!belay_request_query_at(req, 2, &name, &value));
	check(belay_request_header_at(req, 0, &name, &value) && strcmp(name, "X-Sent") == 0);
	check(!belay_request_header_at(req, 1, &name, &value));
	check(strcmp(belay_request_remote(req), "recorder") == 0);
	check(strcmp(belay_request_protocol(req), "HTTP/1.1") == 0);
	return belay_response_printf(ctx, res, "%s %s %s %s %s %zu:%s", belay_request_method(req),
				     belay_request_target(req), belay_request_path(req),
				     belay_request_query(req, "a"),
				     (const char *)belay_request_data(req), size, body);
}

static void a_handler_s_answer_is_recorded(void **state)
{
	belay_recorder *rec = check_made(belay_recorder_new("POST", "/p%20q?a=b&c=d"));
	size_t size;

	assert_int_equal(belay_recorder_header(rec, "X-Sent", "h"), 0);
	assert_int_equal(belay_recorder_body(rec, "hello", 5), 0);
	assert_int_equal(run(rec, describe, "data"), 0);
	assert_int_equal(belay_recorder_status(rec), 201);
	assert_non_null(belay_recorder_get_header(rec, "x-seen"));
	assert_string_equal(belay_recorder_get_header(rec, "x-seen"), "h");
	assert_null(belay_recorder_get_header(rec, "x-none"));
	assert_string_equal(belay_recorder_get_body(rec, &size),
			    "POST /p%20q?a=b&c=d /p q b data 5:hello");
	assert_int_equal(size, strlen(belay_recorder_get_body(rec, NULL)));
	belay_recorder_free(rec);
}

/* ---- Nothing written ------------------------------------------------------------------------- */

static int wait_for_it(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r;

	belay_cancel(belay_request_data(req));
	r = belay_sleep(ctx, BELAY_S(30));
	return r < 0 ? r : belay_response_puts(ctx, res, "late");
}

static void a_handler_that_is_told_to_stop_writes_nothing(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));

	assert_int_equal(belay_recorder_run(ctx, rec, wait_for_it, ctx), -ECANCELED);
	assert_int_equal(belay_recorder_status(rec), 0);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "");
	belay_recorder_free(rec);
}

static int write_too_late(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_cancel(belay_request_data(req));
	check(belay_response_puts(ctx, res, "late") == -ECANCELED);
	check(belay_response_flush(ctx, res) == -ECANCELED);
	return 0;
}

static void a_write_after_the_context_s_end_fails_with_its_error(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));

	assert_int_equal(belay_recorder_run(ctx, rec, write_too_late, ctx), -ECANCELED);
	assert_int_equal(belay_recorder_status(rec), 0);
	belay_recorder_free(rec);
}

static int lose_the_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_response_puts(ctx, res, "first half") == 0);
	check(belay_response_flush(ctx, res) == 0);
	belay_cancel(belay_request_data(req));
	belay_response_puts(ctx, res, "second half");
	return 0;
}

static void an_answer_that_could_not_be_written_whole_is_none(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));

	assert_int_equal(belay_recorder_run(ctx, rec, lose_the_end, ctx), -ECANCELED);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "first half");
	belay_recorder_free(rec);
}

static int do_nothing(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return 0;
}

static void a_handler_that_writes_nothing_has_answered_200(void **state)
{
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));

	assert_int_equal(run(rec, do_nothing, NULL), 0);
	assert_int_equal(belay_recorder_status(rec), 200);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "");
	belay_recorder_free(rec);
}

/* ---- Contexts -------------------------------------------------------------------------------- */

BELAY_KEY(color, const char *, .destroy = NULL);

static int tell_color(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	*(belay_ctx **)belay_request_data(req) = belay_ref(ctx);
	check(belay_err(ctx) == 0);
	return belay_response_puts(ctx, res, color_of(ctx));
}

static void a_handler_has_a_context_of_its_own_below_the_test_s(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = with_color(belay_background(), "red");
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));
	belay_ctx *seen = NULL;

	assert_int_equal(belay_recorder_run(ctx, rec, tell_color, &seen), 0);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "red");
	assert_int_equal(belay_err(seen), -ECANCELED);
	assert_int_equal(belay_err(ctx), 0);
	belay_unref(seen);
	belay_recorder_free(rec);
}

/* ---- Errors of handlers ---------------------------------------------------------------------- */

static int fail_with(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_response_header(res, "Content-Type", "text/html");
	belay_response_header(res, "ETag", "\"x\"");
	belay_response_header(res, "X-Kept", "yes");
	belay_response_puts(ctx, res, "half an answer");
	return *(int *)belay_request_data(req);
}

static void an_error_is_answered_with_its_page(void **state)
{
	static const struct {
		int error, status;
	} pairs[] = {{-ENOENT, 404}, {-EIO, 500},    {-ETIMEDOUT, 500}, {-EBADMSG, 500},
		     {-ETIME, 503},  {-ENOMEM, 503}, {-ECANCELED, 503}};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));
		int error = pairs[i].error;

		assert_int_equal(run(rec, fail_with, &error), 0);
		assert_int_equal(belay_recorder_status(rec), pairs[i].status);
		assert_null(strstr(belay_recorder_get_body(rec, NULL), "half"));
		assert_null(belay_recorder_get_header(rec, "etag"));
		assert_non_null(belay_recorder_get_header(rec, "content-type"));
		assert_non_null(belay_recorder_get_header(rec, "x-kept"));
		assert_string_equal(belay_recorder_get_header(rec, "content-type"),
				    "text/plain; charset=utf-8");
		assert_string_equal(belay_recorder_get_header(rec, "x-kept"), "yes");
		belay_recorder_free(rec);
	}
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static int read_in_parts(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body;
	char part[4];
	ssize_t n;

	check(belay_request_read(ctx, req, part, 0) == 0);
	while ((n = belay_request_read(ctx, req, part, sizeof part)) > 0)
		belay_response_printf(ctx, res, "[%.*s]", (int)n, part);
	check(belay_request_read(ctx, req, part, sizeof part) == 0);
	check(belay_request_body(ctx, req, &body, NULL) == -EINVAL);
	return (int)n;
}

static void a_body_is_read_in_parts(void **state)
{
	belay_recorder *rec = check_made(belay_recorder_new("POST", "/"));

	assert_int_equal(belay_recorder_body(rec, "0123456789", 10), 0);
	assert_int_equal(run(rec, read_in_parts, NULL), 0);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "[0123][4567][89]");
	belay_recorder_free(rec);
}

static int read_whole_twice(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body, *again;
	size_t size;
	char part[4];

	check(belay_request_body(ctx, req, &body, &size) == 0 && size == 100000);
	check(belay_request_body(ctx, req, &again, NULL) == 0 && again == body);
	check(belay_request_read(ctx, req, part, sizeof part) == -EINVAL);
	return belay_response_write(ctx, res, body, size);
}

static void a_body_is_had_as_a_whole(void **state)
{
	static char text[100000];
	belay_recorder *rec = check_made(belay_recorder_new("POST", "/"));
	size_t size;

	memset(text, 'x', sizeof text);
	assert_int_equal(belay_recorder_body(rec, text, sizeof text), 0);
	assert_int_equal(run(rec, read_whole_twice, NULL), 0);
	assert_memory_equal(belay_recorder_get_body(rec, &size), text, sizeof text);
	assert_int_equal(size, sizeof text);
	belay_recorder_free(rec);
}

static int read_after_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body;
	char part[4];

	belay_cancel(ctx);
	check(belay_request_read(ctx, req, part, sizeof part) == -ECANCELED);
	check(belay_request_body(ctx, req, &body, NULL) == -ECANCELED);
	return belay_err(ctx);
}

static void reading_under_a_context_that_is_done_fails_with_its_error(void **state)
{
	belay_recorder *rec = check_made(belay_recorder_new("POST", "/"));

	assert_int_equal(belay_recorder_body(rec, "x", 1), 0);
	assert_int_equal(run(rec, read_after_end, NULL), -ECANCELED);
	belay_recorder_free(rec);
}

/* ---- Misuse ---------------------------------------------------------------------------------- */

static void what_no_server_would_take_is_refused(void **state)
{
	belay_recorder *rec;

	assert_null(belay_recorder_new("G T", "/"));
	assert_null(belay_recorder_new("GET", "/%zz"));
	assert_null(belay_recorder_new("GET", "p"));
	assert_null(belay_recorder_new("GET", "*"));
	rec = check_made(belay_recorder_new("OPTIONS", "*"));
	assert_int_equal(belay_recorder_header(rec, "a b", "c"), -EINVAL);
	assert_int_equal(belay_recorder_header(rec, "a", "b\r\nc: d"), -EINVAL);
	belay_recorder_free(rec);
	belay_recorder_free(NULL);
}

static void a_recorder_serves_once(void **state)
{
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));

	assert_int_equal(run(rec, do_nothing, NULL), 0);
	assert_int_equal(run(rec, do_nothing, NULL), -EALREADY);
	belay_recorder_free(rec);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_handler_s_answer_is_recorded),
		cmocka_unit_test(a_handler_that_is_told_to_stop_writes_nothing),
		cmocka_unit_test(a_write_after_the_context_s_end_fails_with_its_error),
		cmocka_unit_test(an_answer_that_could_not_be_written_whole_is_none),
		cmocka_unit_test(a_handler_that_writes_nothing_has_answered_200),
		cmocka_unit_test(a_handler_has_a_context_of_its_own_below_the_test_s),
		cmocka_unit_test(an_error_is_answered_with_its_page),
		cmocka_unit_test(a_body_is_read_in_parts),
		cmocka_unit_test(a_body_is_had_as_a_whole),
		cmocka_unit_test(reading_under_a_context_that_is_done_fails_with_its_error),
		cmocka_unit_test(what_no_server_would_take_is_refused),
		cmocka_unit_test(a_recorder_serves_once))
