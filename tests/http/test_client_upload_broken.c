/* SPDX-License-Identifier: MIT
 *
 * test_client_upload_broken.c - bodies that are written while they are sent, and never get whole.
 */
#include "upload_test.h"

/* ---- Bodies that never get whole ------------------------------------------------------------- */

static void assert_the_peer_saw_half(void)
{
	assert_true(check_until(atomic_load(&stage.scene.ended)));
	assert_false(atomic_load(&stage.scene.whole));
}

static void a_reply_ended_in_mid_upload_closes_the_connection(void **state)
{
	for (int64_t said = -1; said <= LARGE; said += LARGE + 1) {
		belay_http_reply *reply;

		stage_init(&stage, take_bodies);
		reply = begin(belay_background(), stage.client, &stage.peer, said);
		assert_int_equal(write_bytes(belay_background(), reply, 0, LARGE / 2), 0);
		belay_http_reply_end(reply);
		assert_the_peer_saw_half();
		stage_fini(&stage);
	}
}

static void a_context_that_ends_in_mid_upload_closes_the_connection(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_http_reply *reply;

	stage_init(&stage, take_bodies);
	reply = begin(ctx, stage.client, &stage.peer, -1);
	assert_int_equal(write_bytes(belay_background(), reply, 0, LARGE / 2), 0);
	belay_cancel_cause(ctx, 42, "no more");
	assert_int_equal(belay_http_write(belay_background(), reply, "x", 1), -ECANCELED);
	assert_int_equal(belay_http_finish(reply), -ECANCELED);
	assert_int_equal(belay_http_reply_await(belay_background(), reply), -ECANCELED);
	assert_string_equal(belay_http_reply_error(reply), "no more");
	assert_the_peer_saw_half();
	belay_http_reply_end(reply);
	belay_end(ctx);
	stage_fini(&stage);
}

static int write_without_end(belay_ctx *ctx, void *reply)
{
	return write_bytes(ctx, reply, 0, (size_t)1 << 30);
}

/* What wakes the writer, who waits or is about to, is the exchange's end alone. */
static void a_writer_that_waits_is_woken_by_the_exchange_s_end(void **state)
{
	belay_group *group = belay_group_new(belay_background());
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_http_reply *reply;

	stage_init(&stage, take_heads);
	reply = begin(ctx, stage.client, &stage.peer, -1);
	assert_non_null(group);
	assert_int_equal(belay_group_go(group, write_without_end, reply), 0);
	belay_cancel(ctx);
	assert_int_equal(belay_group_wait(group), -ECANCELED);
	belay_http_reply_end(reply);
	belay_end(ctx);
	stage_fini(&stage);
}

static void a_client_that_closes_ends_the_writer(void **state)
{
	belay_group *group = belay_group_new(belay_background());
	belay_http_reply *reply;

	stage_init(&stage, take_heads);
	reply = begin(belay_background(), stage.client, &stage.peer, -1);
	assert_non_null(group);
	assert_int_equal(belay_group_go(group, write_without_end, reply), 0);
	stage_fini(&stage);
	assert_int_equal(belay_group_wait(group), -ESHUTDOWN);
	assert_int_equal(belay_http_reply_await(belay_background(), reply), -ESHUTDOWN);
	belay_http_reply_end(reply);
}

static void cancel_once_some_has_come(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	struct pollfd hangup = {.fd = fd, .events = POLLRDHUP};
	long length;

	if (read_head(fd, &length) && recv(fd, &(char){0}, 1, 0) == 1)
		belay_cancel(scene->ctx);
	poll(&hangup, 1, -1);
}

/* Some of the piece has gone: what comes next would stand in the wrong place. */
static void a_write_that_broke_off_ends_the_body(void **state)
{
	char *piece = calloc(1, (size_t)64 << 20);
	belay_http_reply *reply;

	stage_init(&stage, cancel_once_some_has_come);
	stage.scene.ctx = belay_with_cancel(belay_background());
	reply = begin(belay_background(), stage.client, &stage.peer, -1);
	assert_int_equal(belay_http_write(stage.scene.ctx, reply, piece, (size_t)64 << 20),
			 -ECANCELED);
	assert_int_equal(belay_http_write(belay_background(), reply, "x", 1), -ECANCELED);
	assert_int_equal(belay_http_finish(reply), -ECANCELED);
	belay_http_reply_end(reply);
	stage_fini(&stage);
	belay_end(stage.scene.ctx);
	free(piece);
}

static void close_after_the_head(struct peer *peer, int fd)
{
	long length;

	(void)peer;
	read_head(fd, &length);
}

static void a_peer_that_closes_in_mid_upload_is_ECONNRESET_or_EPIPE(void **state)
{
	belay_http_reply *reply;
	int err;

	stage_init(&stage, close_after_the_head);
	reply = begin(belay_background(), stage.client, &stage.peer, -1);
	err = write_bytes(belay_background(), reply, 0, (size_t)1 << 30);
	assert_true(err == -ECONNRESET || err == -EPIPE);
	err = belay_http_reply_await(belay_background(), reply);
	assert_true(err == -ECONNRESET || err == -EPIPE);
	belay_http_reply_end(reply);
	stage_fini(&stage);
}

static void break_off_in_the_answer(struct peer *peer, int fd)
{
	long length;

	(void)peer;
	if (read_head(fd, &length))
		peer_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n");
}

static void an_answer_that_breaks_off_is_seen_while_nothing_is_written(void **state)
{
	belay_http_reply *reply;
	char buf[10];

	stage_init(&stage, break_off_in_the_answer);
	reply = begin(belay_background(), stage.client, &stage.peer, -1);
	assert_int_equal(belay_http_reply_await(belay_background(), reply), 0);
	assert_int_equal(belay_http_reply_read(belay_background(), reply, buf, sizeof buf), 2);
	assert_int_equal(belay_http_reply_read(belay_background(), reply, buf, sizeof buf),
			 -ECONNRESET);
	belay_http_reply_end(reply);
	stage_fini(&stage);
}

static void a_peer_that_closes_without_an_answer_is_seen_so_too(void **state)
{
	belay_http_reply *reply;

	stage_init(&stage, close_after_the_head);
	reply = begin(belay_background(), stage.client, &stage.peer, -1);
	assert_int_equal(belay_http_reply_await(belay_background(), reply), -ECONNRESET);
	belay_http_reply_end(reply);
	stage_fini(&stage);
}

static void more_than_was_said_is_EMSGSIZE_and_not_taken(void **state)
{
	belay_http_reply *reply;

	stage_init(&stage, take_bodies);
	reply = begin(belay_background(), stage.client, &stage.peer, 1000);
	assert_int_equal(write_bytes(belay_background(), reply, 0, 999), 0);
	assert_int_equal(belay_http_write(belay_background(), reply, "xy", 2), -EMSGSIZE);
	assert_int_equal(write_bytes(belay_background(), reply, 999, 1000), 0);
	assert_int_equal(belay_http_finish(reply), 0);
	assert_answered(reply, 200, "ok");
	assert_int_equal(atomic_load(&stage.scene.wrong), 0);
	belay_http_reply_end(reply);
	stage_fini(&stage);
}

static void less_than_was_said_is_EMSGSIZE_and_ends_the_exchange(void **state)
{
	belay_http_reply *reply;

	stage_init(&stage, take_bodies);
	reply = begin(belay_background(), stage.client, &stage.peer, 1000);
	assert_int_equal(write_bytes(belay_background(), reply, 0, 999), 0);
	assert_true(check_until(atomic_load(&stage.scene.size) == 999));
	assert_int_equal(belay_http_finish(reply), -EMSGSIZE);
	assert_int_equal(belay_http_reply_await(belay_background(), reply), -EMSGSIZE);
	assert_the_peer_saw_half();
	belay_http_reply_end(reply);
	stage_fini(&stage);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_reply_ended_in_mid_upload_closes_the_connection),
		cmocka_unit_test(a_context_that_ends_in_mid_upload_closes_the_connection),
		cmocka_unit_test(a_writer_that_waits_is_woken_by_the_exchange_s_end),
		cmocka_unit_test(a_client_that_closes_ends_the_writer),
		cmocka_unit_test(a_write_that_broke_off_ends_the_body),
		cmocka_unit_test(a_peer_that_closes_in_mid_upload_is_ECONNRESET_or_EPIPE),
		cmocka_unit_test(an_answer_that_breaks_off_is_seen_while_nothing_is_written),
		cmocka_unit_test(a_peer_that_closes_without_an_answer_is_seen_so_too),
		cmocka_unit_test(more_than_was_said_is_EMSGSIZE_and_not_taken),
		cmocka_unit_test(less_than_was_said_is_EMSGSIZE_and_ends_the_exchange))
