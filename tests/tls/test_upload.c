/* SPDX-License-Identifier: MIT
 *
 * test_upload.c - bodies of the HTTP client's requests over TLS, above all those that its caller
 * writes while they are sent.
 *
 * The client offers HTTP/2 for everything else.
 */
#include "https_test.h"
#include "large_body.h"

#include <stdatomic.h>

static belay_http_client *client;

/* What the handlers saw. */
static atomic_size_t taken, wrong;
static atomic_int ended;  /* what a read ended with; 1: none has */
static belay_chan *go_on; /* closed: who reads late begins */

/* ---- Handlers -------------------------------------------------------------------------------- */

static int take(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *length = belay_request_header(req, "Content-Length");
	unsigned char piece[16384];
	size_t at = 0;
	ssize_t n;

	while ((n = belay_request_read(ctx, req, piece, sizeof piece)) > 0) {
		atomic_fetch_add(&wrong, count_wrong(piece, (size_t)n, at));
		at += (size_t)n;
		atomic_store(&taken, at);
	}
	atomic_store(&ended, (int)n);
	return n < 0 ? (int)n
		     : belay_response_printf(ctx, res, "%zu of %s", at, length ? length : "?");
}

static int echo(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_response_flush(ctx, res);
	char piece[16384];
	ssize_t n = 0;

	while (r == 0 && (n = belay_request_read(ctx, req, piece, sizeof piece)) > 0) {
		r = belay_response_write(ctx, res, piece, (size_t)n);
		if (r == 0)
			r = belay_response_flush(ctx, res);
	}
	return n < 0 ? (int)n : r;
}

static int refuse(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_error(ctx, req, res, 403, NULL);
}

static int say_ok(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "ok");
}

static int name_protocol(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, belay_request_protocol(req));
}

/* What fills the way to it hides from it that the client has gone. */
static int read_late(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_recv(ctx, go_on, NULL);
	return take(ctx, req, res);
}

/* ---- Before and after ------------------------------------------------------------------------ */

static void add_routes(void)
{
	belay_router_add(router, "/take", take, NULL);
	belay_router_add(router, "/echo", echo, NULL);
	belay_router_add(router, "/refuse", refuse, NULL);
	belay_router_add(router, "/ok", say_ok, NULL);
	belay_router_add(router, "/late", read_late, NULL);
	belay_router_add(router, "/protocol", name_protocol, NULL);
}

static int set_up(void **state)
{
	const struct belay_server_options server_options = {.body_size = (uint64_t)1 << 40};
	struct belay_http_client_options options = {.http2 = true};

	https_set_up(state);
	add_routes();
	https_start(&server_options);
	options.ca_file = sides.authority.ca_file;
	assert_int_equal(belay_http_client_new(&options, &client), 0);
	atomic_store(&taken, 0);
	atomic_store(&wrong, 0);
	atomic_store(&ended, 1);
	go_on = check_made(belay_chan_new(0, 0));
	return 0;
}

static int tear_down(void **state)
{
	belay_http_client_close(client);
	https_tear_down(state);
	belay_chan_unref(go_on);
	return 0;
}

/* ---- The client's side ----------------------------------------------------------------------- */

static belay_http_reply *begin(belay_ctx *ctx, const char *path, int64_t size)
{
	struct belay_http_call call = {0};
	belay_http_reply *reply = NULL;
	char url[100];

	snprintf(url, sizeof url, "https://%s%s", address, path);
	call.url = url;
	assert_int_equal(belay_http_begin(ctx, client, &call, size, &reply), 0);
	return reply;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void upload_arrives_whole(int64_t said, const char *expected)
{
	belay_http_reply *reply = begin(belay_background(), "/take", said);

	assert_int_equal(write_bytes(belay_background(), reply, 0, LARGE), 0);
	assert_int_equal(belay_http_finish(reply), 0);
	assert_answered(reply, 200, expected);
	assert_int_equal(atomic_load(&wrong), 0);
	belay_http_reply_end(reply);
}

static void a_large_body_arrives_whole(void **state)
{
	upload_arrives_whole(-1, "8388608 of ?");
	upload_arrives_whole(LARGE, "8388608 of 8388608");
}

static void who_writes_waits_for_a_handler_that_does_not_read(void **state)
{
	belay_ctx *brief = belay_with_timeout(belay_background(), BELAY_MS(300));
	belay_http_reply *reply = begin(belay_background(), "/late", -1);

	assert_int_equal(write_bytes(brief, reply, 0, (size_t)1 << 30), -ETIME);
	belay_http_reply_end(reply);
	belay_chan_close(go_on);
	assert_true(check_until(atomic_load(&ended) < 0));
	belay_end(brief);
}

static void the_reply_is_read_while_the_body_is_written(void **state)
{
	write_and_read_in_turn(begin(belay_background(), "/echo", -1));
}

static void one_task_writes_while_another_reads(void **state)
{
	write_and_read_at_once(begin(belay_background(), "/echo", -1));
}

static void an_early_refusal_ends_the_body_and_is_read(void **state)
{
	belay_http_reply *reply = begin(belay_background(), "/refuse", -1);

	assert_int_equal(write_bytes(belay_background(), reply, 0, (size_t)1 << 30), -EPIPE);
	assert_answered(reply, 403, NULL);
	belay_http_reply_end(reply);
}

static void a_refusal_is_read_while_the_writer_has_nothing_to_write(void **state)
{
	belay_http_reply *reply = begin(belay_background(), "/refuse", 1000);

	assert_answered(reply, 403, NULL);
	belay_http_reply_end(reply);
}

/* The server closes behind it, with the rest of the body unread. */
static void an_early_answer_is_read_though_the_body_breaks_off(void **state)
{
	belay_http_reply *reply = begin(belay_background(), "/ok", -1);
	char body[10];

	assert_int_equal(belay_http_reply_await(belay_background(), reply), 0);
	assert_int_equal(write_bytes(belay_background(), reply, 0, (size_t)1 << 30), -EPIPE);
	assert_int_equal(belay_http_reply_status(reply), 200);
	assert_int_equal(belay_http_reply_read(belay_background(), reply, body, sizeof body), 2);
	assert_memory_equal(body, "ok", 2);
	belay_http_reply_end(reply);
}

static void a_reply_ended_in_mid_upload_is_no_whole_body(void **state)
{
	belay_http_reply *reply = begin(belay_background(), "/take", -1);

	assert_int_equal(write_bytes(belay_background(), reply, 0, LARGE), 0);
	assert_true(check_until(atomic_load(&taken) > 0));
	belay_http_reply_end(reply);
	assert_true(check_until(atomic_load(&ended) < 0));
}

static void a_context_that_ends_ends_its_request_and_no_other(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_http_reply *other = begin(belay_background(), "/echo", -1);
	belay_http_reply *reply;

	assert_int_equal(belay_http_reply_await(belay_background(), other), 0);
	reply = begin(ctx, "/take", -1);
	assert_int_equal(write_bytes(belay_background(), reply, 0, 1000), 0);
	assert_true(check_until(atomic_load(&taken) > 0));
	belay_cancel(ctx);
	assert_int_equal(belay_http_reply_await(belay_background(), reply), -ECANCELED);
	belay_http_reply_end(reply);
	assert_int_equal(write_bytes(belay_background(), other, 0, 1000), 0);
	assert_int_equal(read_and_compare(other, 0, 1000), 0);
	assert_int_equal(belay_http_finish(other), 0);
	assert_true(check_until(atomic_load(&ended) < 0));
	belay_http_reply_end(other);
	belay_end(ctx);
}

/* ---- Bodies that are given whole ------------------------------------------------------------- */

static void send_and_expect(const char *path, const void *body, size_t size, int status,
			    const char *expected)
{
	struct belay_http_call call = {.method = "POST", .body = body, .body_size = size};
	belay_http_reply *reply = NULL;
	char url[100];

	snprintf(url, sizeof url, "https://%s%s", address, path);
	call.url = url;
	assert_int_equal(belay_http_send(belay_background(), client, &call, &reply), 0);
	assert_answered(reply, status, expected);
	belay_http_reply_end(reply);
}

static void requests_with_a_body_go_by_http_1_1_and_all_others_by_2(void **state)
{
	belay_http_reply *reply;

	for (int i = 0; i < 2; i++) {
		send_and_expect("/protocol", NULL, 0, 200, "HTTP/2");
		send_and_expect("/protocol", "x", 1, 200, "HTTP/1.1");
		reply = begin(belay_background(), "/protocol", -1);
		assert_int_equal(belay_http_finish(reply), 0);
		assert_answered(reply, 200, "HTTP/1.1");
		belay_http_reply_end(reply);
	}
}

/* Sent again and again: it is a race that must not be lost once. */
static void a_refusal_of_a_body_that_was_given_is_read(void **state)
{
	static char body[1 << 20];

	for (int i = 0; i < 20; i++)
		send_and_expect("/refuse", body, i % 2 ? sizeof body : 16000, 403, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(TEST(a_large_body_arrives_whole),
		TEST(who_writes_waits_for_a_handler_that_does_not_read),
		TEST(the_reply_is_read_while_the_body_is_written),
		TEST(one_task_writes_while_another_reads),
		TEST(an_early_refusal_ends_the_body_and_is_read),
		TEST(a_refusal_is_read_while_the_writer_has_nothing_to_write),
		TEST(an_early_answer_is_read_though_the_body_breaks_off),
		TEST(a_reply_ended_in_mid_upload_is_no_whole_body),
		TEST(a_context_that_ends_ends_its_request_and_no_other),
		TEST(requests_with_a_body_go_by_http_1_1_and_all_others_by_2),
		TEST(a_refusal_of_a_body_that_was_given_is_read))
