/* SPDX-License-Identifier: MIT
 *
 * test_client_upload.c - bodies that are written while they are sent, over HTTP/1.1.
 */
#include "client_peer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
	LARGE = 8 << 20,
	PIECE = 100000
};

/* What a large body has at each place, so that a lost, doubled or moved byte is seen. */
static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 2654435761u >> 13 ^ i);
}

/* What a script saw, and what a test tells it. */
struct scene {
	atomic_size_t size;         /* bytes of the body that were read */
	atomic_size_t wrong;        /* of those that are not what they must be at that place */
	atomic_bool whole, chunked; /* the body's end came; in chunks */
	atomic_bool ended;          /* the client has closed the connection */
	const char *says;           /* an answer that comes before the body */
	size_t closes_after;        /* bytes of a body */
	belay_ctx *ctx;             /* what the script cancels */
};

/* ---- The peer's side ------------------------------------------------------------------------- */

static bool read_line(int fd, char *line, size_t size)
{
	for (size_t used = 0; used < size - 1;) {
		if (recv(fd, line + used, 1, 0) <= 0)
			return false;
		line[++used] = '\0';
		if (line[used - 1] == '\n')
			return true;
	}
	return false;
}

static void read_raw(int fd, size_t size)
{
	char buf[4096];
	ssize_t n;

	while (size > 0 && (n = recv(fd, buf, size < sizeof buf ? size : sizeof buf, 0)) > 0)
		size -= (size_t)n;
}

static bool read_bytes(struct scene *scene, int fd, size_t size)
{
	unsigned char buf[16384];

	while (size > 0) {
		ssize_t n = recv(fd, buf, size < sizeof buf ? size : sizeof buf, 0);
		size_t at = atomic_load(&scene->size), wrong = 0;

		if (n <= 0)
			return false;
		for (ssize_t i = 0; i < n; i++)
			wrong += buf[i] != byte_at(at + (size_t)i);
		atomic_fetch_add(&scene->wrong, wrong);
		atomic_fetch_add(&scene->size, (size_t)n);
		size -= (size_t)n;
	}
	return true;
}

/* False: the stream ended before the last chunk. */
static bool read_chunk(struct scene *scene, int fd, size_t *ret_size)
{
	char line[32];

	if (!read_line(fd, line, sizeof line))
		return false;
	*ret_size = strtoul(line, NULL, 16);
	return read_bytes(scene, fd, *ret_size) && read_line(fd, line, sizeof line);
}

static bool read_chunks(struct scene *scene, int fd)
{
	size_t size;

	do
		if (!read_chunk(scene, fd, &size))
			return false;
	while (size > 0);
	return true;
}

/* The head alone; *ret_length: -1 where the body comes in chunks. */
static bool read_head(int fd, long *ret_length)
{
	char line[1024];

	*ret_length = 0;
	while (read_line(fd, line, sizeof line)) {
		if (strcmp(line, "\r\n") == 0)
			return true;
		if (strncasecmp(line, "content-length:", 15) == 0)
			*ret_length = strtol(line + 15, NULL, 10);
		if (strncasecmp(line, "transfer-encoding: chunked", 26) == 0)
			*ret_length = -1;
	}
	return false;
}

static bool read_body(struct scene *scene, int fd, long length)
{
	bool whole = length < 0 ? read_chunks(scene, fd) : read_bytes(scene, fd, (size_t)length);

	atomic_store(&scene->chunked, length < 0);
	atomic_store(&scene->whole, whole);
	return whole;
}

static void take_bodies(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	long length;

	while (read_head(fd, &length) && read_body(scene, fd, length))
		peer_reply(fd, "ok");
	atomic_store(&scene->ended, true);
}

/* Reads nothing of the body, for as long as the connection stands. */
static void take_heads(struct peer *peer, int fd)
{
	struct pollfd hangup = {.fd = fd, .events = POLLRDHUP};
	long length;

	(void)peer;
	if (read_head(fd, &length))
		poll(&hangup, 1, -1);
}

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

/* ---- The client's side ----------------------------------------------------------------------- */

static belay_http_reply *begin(belay_ctx *ctx, belay_http_client *client, const struct peer *peer,
			       int64_t size)
{
	const struct belay_http_call call = {.url = peer->url};
	belay_http_reply *reply = NULL;

	assert_int_equal(belay_http_begin(ctx, client, &call, size, &reply), 0);
	return reply;
}

/* Writes bytes [from, to) of the large body. */
static int write_bytes(belay_ctx *ctx, belay_http_reply *reply, size_t from, size_t to)
{
	unsigned char *piece = malloc(PIECE);
	int err = 0;

	while (err == 0 && from < to) {
		size_t size = to - from < PIECE ? to - from : PIECE;

		for (size_t i = 0; i < size; i++)
			piece[i] = byte_at(from + i);
		err = belay_http_write(ctx, reply, piece, size);
		from += size;
	}
	free(piece);
	return err;
}

static void assert_answered(belay_http_reply *reply, int status, const char *expected)
{
	char *body;

	assert_int_equal(belay_http_reply_await(belay_background(), reply), 0);
	assert_int_equal(belay_http_reply_status(reply), status);
	assert_int_equal(belay_http_reply_read_all(belay_background(), reply, 100, &body, NULL), 0);
	assert_string_equal(body, expected);
	free(body);
}

static void upload(belay_http_client *client, const struct peer *peer, size_t size, int64_t said)
{
	belay_http_reply *reply = begin(belay_background(), client, peer, said);

	assert_int_equal(write_bytes(belay_background(), reply, 0, size), 0);
	assert_int_equal(belay_http_finish(reply), 0);
	assert_answered(reply, 200, "ok");
	belay_http_reply_end(reply);
}

/* What most tests begin and end with. */
struct stage {
	struct peer peer;
	struct scene scene;
	belay_http_client *client;
};

static void stage_init(struct stage *stage, void (*serve)(struct peer *, int))
{
	memset(&stage->scene, 0, sizeof stage->scene);
	peer_start(&stage->peer, serve, &stage->scene);
	stage->client = peer_client(NULL);
}

static void stage_fini(struct stage *stage)
{
	belay_http_client_close(stage->client);
	peer_stop(&stage->peer);
}

static struct stage stage;

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

static size_t read_and_compare(belay_http_reply *reply, size_t from, size_t size)
{
	unsigned char buf[4096];
	size_t wrong = 0, at = 0;

	while (at < size) {
		size_t left = size - at < sizeof buf ? size - at : sizeof buf;
		ssize_t n = belay_http_reply_read(belay_background(), reply, buf, left);

		if (n <= 0)
			return SIZE_MAX;
		for (ssize_t i = 0; i < n; i++)
			wrong += buf[i] != byte_at(from + at + (size_t)i);
		at += (size_t)n;
	}
	return wrong;
}

/* Each piece is answered before the next one is written. */
static void the_reply_is_read_while_the_body_is_written(void **state)
{
	belay_http_reply *reply;
	char rest;

	stage_init(&stage, echo);
	reply = begin(belay_background(), stage.client, &stage.peer, -1);
	assert_int_equal(belay_http_reply_await(belay_background(), reply), 0);
	for (size_t at = 0; at < 50 * 777; at += 777) {
		assert_int_equal(write_bytes(belay_background(), reply, at, at + 777), 0);
		assert_int_equal(read_and_compare(reply, at, 777), 0);
	}
	assert_int_equal(belay_http_finish(reply), 0);
	assert_int_equal(belay_http_reply_read(belay_background(), reply, &rest, 1), 0);
	belay_http_reply_end(reply);
	stage_fini(&stage);
}

static int write_large(belay_ctx *ctx, void *reply)
{
	int err = write_bytes(ctx, reply, 0, LARGE);

	return err ? err : belay_http_finish(reply);
}

/* Far more than waits anywhere goes round, so both sides are held back again and again. */
static void one_task_writes_while_another_reads(void **state)
{
	belay_group *group = belay_group_new(belay_background());
	belay_http_reply *reply;
	char rest;

	stage_init(&stage, echo);
	reply = begin(belay_background(), stage.client, &stage.peer, -1);
	assert_non_null(group);
	assert_int_equal(belay_group_go(group, write_large, reply), 0);
	assert_int_equal(read_and_compare(reply, 0, LARGE), 0);
	assert_int_equal(belay_http_reply_read(belay_background(), reply, &rest, 1), 0);
	assert_int_equal(belay_group_wait(group), 0);
	belay_http_reply_end(reply);
	stage_fini(&stage);
}

/* ---- Early answers --------------------------------------------------------------------------- */

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

/* ---- Once, and not again --------------------------------------------------------------------- */

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

/* What curl had taken for a connection that turns out to be closed is sent on the next one. */
static void a_kept_connection_that_was_closed_loses_nothing_of_a_small_body(void **state)
{
	stage_init(&stage, close_the_first_connection_later);
	stage.scene.closes_after = 1;
	upload(stage.client, &stage.peer, 1000, -1);
	upload(stage.client, &stage.peer, 1000, -1);
	assert_int_equal(atomic_load(&stage.scene.wrong), 0);
	assert_int_equal(atomic_load(&stage.peer.connections), 2);
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
		cmocka_unit_test(an_early_refusal_ends_the_body_and_is_read),
		cmocka_unit_test(a_refusal_is_read_while_the_writer_has_nothing_to_write),
		cmocka_unit_test(an_early_answer_lets_the_body_be_finished),
		cmocka_unit_test(a_reply_ended_in_mid_upload_closes_the_connection),
		cmocka_unit_test(a_context_that_ends_in_mid_upload_closes_the_connection),
		cmocka_unit_test(a_writer_that_waits_is_woken_by_the_exchange_s_end),
		cmocka_unit_test(a_client_that_closes_ends_the_writer),
		cmocka_unit_test(a_write_that_broke_off_ends_the_body),
		cmocka_unit_test(a_peer_that_closes_in_mid_upload_is_ECONNRESET_or_EPIPE),
		cmocka_unit_test(an_answer_that_breaks_off_is_seen_while_nothing_is_written),
		cmocka_unit_test(a_peer_that_closes_without_an_answer_is_seen_so_too),
		cmocka_unit_test(more_than_was_said_is_EMSGSIZE_and_not_taken),
		cmocka_unit_test(less_than_was_said_is_EMSGSIZE_and_ends_the_exchange),
		cmocka_unit_test(a_redirect_or_a_503_is_a_reply_as_others),
		cmocka_unit_test(a_kept_connection_that_was_closed_loses_nothing_of_a_small_body),
		cmocka_unit_test(a_kept_connection_that_was_closed_fails_a_large_body),
		cmocka_unit_test(calls_without_sense_are_EINVAL),
		cmocka_unit_test(a_context_that_is_done_begins_nothing))
