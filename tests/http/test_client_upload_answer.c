/* SPDX-License-Identifier: MIT
 *
 * test_client_upload_answer.c - answers to bodies that are written while they are sent: those that
 * come early, and those for which another request would be sent again.
 */
#include "upload_test.h"

/* ---- Early answers --------------------------------------------------------------------------- */

/* Answers at once, and reads what comes then. */
static void answer_early(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	long length;

	if (!read_head(fd, &length) || !peer_send(fd, scene->says))
		return;
	read_body(scene, fd, length);
	atomic_store(&scene->ended, true);
}

static void an_early_refusal_ends_the_body_and_is_read(void **state)
{
	belay_http_reply *reply;

	stage_init(&stage, answer_early);
	stage.scene.says = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
	reply = begin(belay_background(), stage.client, &stage.peer, -1);
	assert_int_equal(write_bytes(belay_background(), reply, 0, (size_t)1 << 30), -EPIPE);
	assert_int_equal(belay_http_finish(reply), -EPIPE);
	assert_answered(reply, 413, "no");
	belay_http_reply_end(reply);
	assert_true(check_until(atomic_load(&stage.scene.ended)));
	assert_false(atomic_load(&stage.scene.whole));
	stage_fini(&stage);
}

/* Nothing is written any more, so that only the answer can wake who reads it. */
static void a_refusal_is_read_while_the_writer_has_nothing_to_write(void **state)
{
	belay_http_reply *reply;

	stage_init(&stage, answer_early);
	stage.scene.says = "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno";
	reply = begin(belay_background(), stage.client, &stage.peer, 1000);
	assert_answered(reply, 401, "no");
	assert_int_equal(belay_http_write(belay_background(), reply, "x", 1), -EPIPE);
	belay_http_reply_end(reply);
	stage_fini(&stage);
}

static void an_early_answer_lets_the_body_be_finished(void **state)
{
	belay_http_reply *reply;

	stage_init(&stage, answer_early);
	stage.scene.says = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	reply = begin(belay_background(), stage.client, &stage.peer, -1);
	assert_int_equal(belay_http_reply_await(belay_background(), reply), 0);
	assert_int_equal(write_bytes(belay_background(), reply, 0, LARGE), 0);
	assert_int_equal(belay_http_finish(reply), 0);
	assert_answered(reply, 200, "ok");
	belay_http_reply_end(reply);
	assert_true(check_until(atomic_load(&stage.scene.whole)));
	assert_int_equal(atomic_load(&stage.scene.wrong), 0);
	stage_fini(&stage);
}

/* ---- Once, and not again --------------------------------------------------------------------- */

static void read_raw(int fd, size_t size)
{
	char buf[4096];
	ssize_t n;

	while (size > 0 && (n = recv(fd, buf, size < sizeof buf ? size : sizeof buf, 0)) > 0)
		size -= (size_t)n;
}

/* The first request is answered; of what comes then on that connection some is read, as much as the
 * scene says, before it is closed; all else is answered too. */
static void close_the_first_connection_later(struct peer *peer, int fd)
{
	bool is_first = atomic_load(&peer->connections) == 1;
	struct scene *scene = peer->arg;
	long length;

	while (read_head(fd, &length) && read_body(scene, fd, length)) {
		peer_reply(fd, "ok");
		atomic_store(&scene->size, 0);
		if (is_first && read_head(fd, &length)) {
			read_raw(fd, scene->closes_after);
			return;
		}
	}
}

static void answer_from_the_scene(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	long length;

	while (read_head(fd, &length) && read_body(scene, fd, length))
		peer_send(fd, scene->says);
}

static void assert_is_not_sent_again(const char *says, int status)
{
	const struct belay_http_client_options options = {.max_redirects = 5, .retry = {.most = 3}};
	const struct belay_http_call call = {.method = "PUT", .url = stage.peer.url};
	belay_http_client *client = peer_client(&options);
	belay_http_reply *reply = NULL;

	stage.scene.says = says;
	assert_int_equal(belay_http_begin(belay_background(), client, &call, 1, &reply), 0);
	assert_int_equal(write_bytes(belay_background(), reply, 0, 1), 0);
	assert_int_equal(belay_http_finish(reply), 0);
	assert_answered(reply, status, "");
	assert_int_equal(belay_http_reply_attempts(reply), 1);
	assert_string_equal(belay_http_reply_url(reply), stage.peer.url);
	belay_http_reply_end(reply);
	belay_http_client_close(client);
}

static void a_redirect_or_a_503_is_a_reply_as_others(void **state)
{
	stage_init(&stage, answer_from_the_scene);
	assert_is_not_sent_again("HTTP/1.1 307 Elsewhere\r\nLocation: /there\r\n"
				 "Content-Length: 0\r\n\r\n",
				 307);
	assert_is_not_sent_again("HTTP/1.1 303 Elsewhere\r\nLocation: /there\r\n"
				 "Content-Length: 0\r\n\r\n",
				 303);
	assert_is_not_sent_again("HTTP/1.1 503 Later\r\nRetry-After: 0\r\n"
				 "Content-Length: 0\r\n\r\n",
				 503);
	stage_fini(&stage);
}

/* A request by that method, on a connection that was kept, which the peer closes once it has read
 * all of it: sooner, its writer might still be told. */
static belay_http_reply *on_a_kept_connection(const char *method)
{
	const struct belay_http_call call = {.method = method, .url = stage.peer.url};
	belay_http_reply *reply = NULL;

	stage.scene.closes_after = strlen("3e8\r\n") + 1000 + strlen("\r\n0\r\n\r\n");
	upload(stage.client, &stage.peer, 1000, -1);
	assert_int_equal(belay_http_begin(belay_background(), stage.client, &call, -1, &reply), 0);
	assert_int_equal(write_bytes(belay_background(), reply, 0, 1000), 0);
	assert_int_equal(belay_http_finish(reply), 0);
	return reply;
}

/* What curl had taken for a connection that turns out to be closed is sent on the next one. */
static void a_kept_connection_that_was_closed_loses_nothing_of_a_small_body(void **state)
{
	belay_http_reply *reply;

	stage_init(&stage, close_the_first_connection_later);
	reply = on_a_kept_connection("PUT");
	assert_answered(reply, 200, "ok");
	belay_http_reply_end(reply);
	assert_int_equal(atomic_load(&stage.scene.wrong), 0);
	assert_int_equal(atomic_load(&stage.peer.connections), 2);
	stage_fini(&stage);
}

static void a_kept_connection_that_was_closed_fails_what_is_not_safe_to_repeat(void **state)
{
	belay_http_reply *reply;

	stage_init(&stage, close_the_first_connection_later);
	reply = on_a_kept_connection("POST");
	assert_int_equal(belay_http_reply_await(belay_background(), reply), -ECONNRESET);
	belay_http_reply_end(reply);
	stage_fini(&stage);
}

static void a_kept_connection_that_was_closed_fails_a_large_body(void **state)
{
	belay_http_reply *reply;
	int err;

	stage_init(&stage, close_the_first_connection_later);
	stage.scene.closes_after = 1 << 20;
	upload(stage.client, &stage.peer, 1000, -1);
	reply = begin(belay_background(), stage.client, &stage.peer, -1);
	err = write_bytes(belay_background(), reply, 0, (size_t)1 << 30);
	assert_true(err == -ECONNRESET || err == -EPIPE);
	assert_true(belay_http_reply_await(belay_background(), reply) < 0);
	belay_http_reply_end(reply);
	stage_fini(&stage);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(an_early_refusal_ends_the_body_and_is_read),
	cmocka_unit_test(a_refusal_is_read_while_the_writer_has_nothing_to_write),
	cmocka_unit_test(an_early_answer_lets_the_body_be_finished),
	cmocka_unit_test(a_redirect_or_a_503_is_a_reply_as_others),
	cmocka_unit_test(a_kept_connection_that_was_closed_loses_nothing_of_a_small_body),
	cmocka_unit_test(a_kept_connection_that_was_closed_fails_what_is_not_safe_to_repeat),
	cmocka_unit_test(a_kept_connection_that_was_closed_fails_a_large_body))
