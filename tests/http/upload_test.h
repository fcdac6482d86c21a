/* SPDX-License-Identifier: MIT
 *
 * upload_test.h - a peer that takes bodies, by HTTP/1.1, and a client that writes them while they
 * are sent.
 */
#ifndef BELAY_TESTS_HTTP_UPLOAD_TEST_H
#define BELAY_TESTS_HTTP_UPLOAD_TEST_H

#include "client_peer.h"
#include "large_body.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

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

static inline bool read_line(int fd, char *line, size_t size)
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

static inline bool read_bytes(struct scene *scene, int fd, size_t size)
{
	unsigned char buf[16384];

	while (size > 0) {
		ssize_t n = recv(fd, buf, size < sizeof buf ? size : sizeof buf, 0);

		if (n <= 0)
			return false;
		atomic_fetch_add(&scene->wrong,
				 count_wrong(buf, (size_t)n, atomic_load(&scene->size)));
		atomic_fetch_add(&scene->size, (size_t)n);
		size -= (size_t)n;
	}
	return true;
}

/* False: the stream ended before the last chunk. */
static inline bool read_chunk(struct scene *scene, int fd, size_t *ret_size)
{
	char line[32];

	if (!read_line(fd, line, sizeof line))
		return false;
	*ret_size = strtoul(line, NULL, 16);
	return read_bytes(scene, fd, *ret_size) && read_line(fd, line, sizeof line);
}

static inline bool read_chunks(struct scene *scene, int fd)
{
	size_t size;

	do
		if (!read_chunk(scene, fd, &size))
			return false;
	while (size > 0);
	return true;
}

/* The head alone; *ret_length: -1 where the body comes in chunks. */
static inline bool read_head(int fd, long *ret_length)
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

static inline bool read_body(struct scene *scene, int fd, long length)
{
	bool whole = length < 0 ? read_chunks(scene, fd) : read_bytes(scene, fd, (size_t)length);

	atomic_store(&scene->chunked, length < 0);
	atomic_store(&scene->whole, whole);
	return whole;
}

static inline void take_bodies(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	long length;

	while (read_head(fd, &length) && read_body(scene, fd, length))
		peer_reply(fd, "ok");
	atomic_store(&scene->ended, true);
}

/* Reads nothing of the body, for as long as the connection stands. */
static inline void take_heads(struct peer *peer, int fd)
{
	struct pollfd hangup = {.fd = fd, .events = POLLRDHUP};
	long length;

	(void)peer;
	if (read_head(fd, &length))
		poll(&hangup, 1, -1);
}

/* ---- The client's side ----------------------------------------------------------------------- */

static inline belay_http_reply *begin(belay_ctx *ctx, belay_http_client *client,
				      const struct peer *peer, int64_t size)
{
	const struct belay_http_call call = {.url = peer->url};
	belay_http_reply *reply = NULL;

	assert_int_equal(belay_http_begin(ctx, client, &call, size, &reply), 0);
	return reply;
}

static inline void upload(belay_http_client *client, const struct peer *peer, size_t size,
			  int64_t said)
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

static inline void stage_init(struct stage *stage, void (*serve)(struct peer *, int))
{
	memset(&stage->scene, 0, sizeof stage->scene);
	peer_start(&stage->peer, serve, &stage->scene);
	stage->client = peer_client(NULL);
}

static inline void stage_fini(struct stage *stage)
{
	belay_http_client_close(stage->client);
	peer_stop(&stage->peer);
}

static struct stage stage;

#endif
