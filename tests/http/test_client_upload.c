/* SPDX-License-Identifier: MIT
 *
 * test_client_upload.c - bodies that are written while they are sent, over HTTP/1.1: how they
 * arrive, and how who writes them is held back.
 */
#include "upload_test.h"

/* ---- Whole bodies ---------------------------------------------------------------------------- */

static void a_body_of_unknown_length_arrives_in_chunks(void **state)
{
	stage_init(&stage, take_bodies);
	upload(stage.client, &stage.peer, LARGE, -1);
	assert_int_equal(atomic_load(&stage.scene.size), LARGE);
	assert_int_equal(atomic_load(&stage.scene.wrong), 0);
	assert_true(atomic_load(&stage.scene.chunked));
	stage_fini(&stage);
}

static void a_body_of_known_length_has_a_content_length(void **state)
{
	stage_init(&stage, take_bodies);
	upload(stage.client, &stage.peer, LARGE, LARGE);
	assert_int_equal(atomic_load(&stage.scene.size), LARGE);
	assert_int_equal(atomic_load(&stage.scene.wrong), 0);
	assert_false(atomic_load(&stage.scene.chunked));
	stage_fini(&stage);
}

static void an_empty_body_is_a_body(void **state)
{
	stage_init(&stage, take_bodies);
	upload(stage.client, &stage.peer, 0, -1);
	assert_true(atomic_load(&stage.scene.chunked));
	upload(stage.client, &stage.peer, 0, 0);
	assert_false(atomic_load(&stage.scene.chunked));
	stage_fini(&stage);
}

static void a_connection_whose_body_was_finished_serves_the_next_request(void **state)
{
	stage_init(&stage, take_bodies);
	for (int i = 0; i < 20; i++) {
		atomic_store(&stage.scene.size, 0);
		upload(stage.client, &stage.peer, 1000, i % 2 ? 1000 : -1);
	}
	assert_int_equal(atomic_load(&stage.scene.wrong), 0);
	assert_int_equal(atomic_load(&stage.peer.connections), 1);
	stage_fini(&stage);
}

/* ---- Back-pressure, both ways at once -------------------------------------------------------- */

/* Each chunk comes back as one. */
static void echo(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	long length;
	size_t size;
	char head[32];

	if (!read_head(fd, &length) ||
	    !peer_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
		return;
	while (read_chunk(scene, fd, &size)) {
		size_t from = atomic_load(&scene->size) - size;

		snprintf(head, sizeof head, "%zx\r\n", size);
		peer_send(fd, head);
		for (size_t i = 0; i < size; i++)
			peer_send_bytes(fd, &(unsigned char){byte_at(from + i)}, 1);
		peer_send(fd, "\r\n");
	}
}

/* However long the writer were to wait: the peer never reads. */
static void who_writes_waits_for_a_peer_that_does_not_read(void **state)
{
	belay_ctx *brief = belay_with_timeout(belay_background(), BELAY_MS(300));
	belay_http_reply *reply;

	stage_init(&stage, take_heads);
	reply = begin(belay_background(), stage.client, &stage.peer, -1);
	assert_int_equal(write_bytes(brief, reply, 0, (size_t)1 << 30), -ETIME);
	belay_http_reply_end(reply);
	belay_end(brief);
	stage_fini(&stage);
}

static void the_reply_is_read_while_the_body_is_written(void **state)
{
	stage_init(&stage, echo);
	write_and_read_in_turn(begin(belay_background(), stage.client, &stage.peer, -1));
	stage_fini(&stage);
}

static void one_task_writes_while_another_reads(void **state)
{
	stage_init(&stage, echo);
	write_and_read_at_once(begin(belay_background(), stage.client, &stage.peer, -1));
	stage_fini(&stage);
}

/* ---- Calls that are none --------------------------------------------------------------------- */

static int begin_is(const struct belay_http_call *call, int64_t size)
{
	belay_http_reply *reply = NULL;

	return belay_http_begin(belay_background(), stage.client, call, size, &reply);
}

static void calls_without_sense_are_EINVAL(void **state)
{
	struct belay_http_call call = {.url = stage.peer.url, .body = "x", .body_size = 1};
	belay_http_reply *reply;

	stage_init(&stage, take_bodies);
	assert_int_equal(begin_is(&call, -1), -EINVAL);
	call = (struct belay_http_call){.url = stage.peer.url, .method = "HEAD"};
	assert_int_equal(begin_is(&call, -1), -EINVAL);
	call.method = "PUT";
	assert_int_equal(begin_is(&call, -2), -EINVAL);
	call.url = "ftp://127.0.0.1/";
	assert_int_equal(begin_is(&call, -1), -EPROTONOSUPPORT);
	assert_int_equal(belay_http_get(belay_background(), stage.client, stage.peer.url, &reply),
			 0);
	assert_int_equal(belay_http_write(belay_background(), reply, "x", 1), -EINVAL);
	assert_int_equal(belay_http_finish(reply), -EINVAL);
	assert_answered(reply, 200, "ok");
	belay_http_reply_end(reply);
	reply = begin(belay_background(), stage.client, &stage.peer, -1);
	assert_int_equal(belay_http_finish(reply), 0);
	assert_int_equal(belay_http_finish(reply), -EINVAL);
	assert_int_equal(belay_http_write(belay_background(), reply, "x", 1), -EINVAL);
	belay_http_reply_end(reply);
	stage_fini(&stage);
}

static void a_context_that_is_done_begins_nothing(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), 0);
	char why[100];
	const struct belay_http_call call = {
		.url = "http://127.0.0.1:1/", .error = why, .error_size = sizeof why};
	belay_http_reply *reply = NULL;

	stage_init(&stage, take_bodies);
	assert_int_equal(belay_http_begin(ctx, stage.client, &call, -1, &reply), -ETIME);
	assert_string_equal(why, "context deadline exceeded");
	assert_null(reply);
	belay_end(ctx);
	stage_fini(&stage);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_body_of_unknown_length_arrives_in_chunks),
		cmocka_unit_test(a_body_of_known_length_has_a_content_length),
		cmocka_unit_test(an_empty_body_is_a_body),
		cmocka_unit_test(a_connection_whose_body_was_finished_serves_the_next_request),
		cmocka_unit_test(who_writes_waits_for_a_peer_that_does_not_read),
		cmocka_unit_test(the_reply_is_read_while_the_body_is_written),
		cmocka_unit_test(one_task_writes_while_another_reads),
		cmocka_unit_test(calls_without_sense_are_EINVAL),
		cmocka_unit_test(a_context_that_is_done_begins_nothing))
