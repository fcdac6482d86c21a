/* SPDX-License-Identifier: MIT
 *
 * large_body.h - bodies with something else at each place, so that a lost, doubled or moved byte is
 * seen: written by the HTTP client's caller while they are sent, and read from its replies.
 */
#ifndef BELAY_TESTS_HTTP_LARGE_BODY_H
#define BELAY_TESTS_HTTP_LARGE_BODY_H

#include "check.h"

#include <belay/http_client.h>

#include <stdlib.h>

enum {
	LARGE = 8 << 20, /* far more than waits anywhere */
	PIECE = 100000
};

static inline unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 2654435761u >> 13 ^ i);
}

/* How many bytes are not what they must be from that place on. */
static inline size_t count_wrong(const unsigned char *bytes, size_t size, size_t from)
{
	size_t wrong = 0;

	for (size_t i = 0; i < size; i++)
		wrong += bytes[i] != byte_at(from + i);
	return wrong;
}

/* Writes bytes [from, to). */
static inline int write_bytes(belay_ctx *ctx, belay_http_reply *reply, size_t from, size_t to)
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

/* For a group. */
static inline int write_large(belay_ctx *ctx, void *reply)
{
	int err = write_bytes(ctx, reply, 0, LARGE);

	return err ? err : belay_http_finish(reply);
}

/* How many of the reply's next bytes are not what they must be; SIZE_MAX: some are missing. */
static inline size_t read_and_compare(belay_http_reply *reply, size_t from, size_t size)
{
	unsigned char buf[4096];
	size_t wrong = 0, at = 0;

	while (at < size) {
		size_t left = size - at < sizeof buf ? size - at : sizeof buf;
		ssize_t n = belay_http_reply_read(belay_background(), reply, buf, left);

		if (n <= 0)
			return SIZE_MAX;
		wrong += count_wrong(buf, (size_t)n, from + at);
		at += (size_t)n;
	}
	return wrong;
}

static inline void assert_ended(belay_http_reply *reply)
{
	char rest;

	assert_int_equal(belay_http_reply_read(belay_background(), reply, &rest, 1), 0);
}

/* expected: the body; NULL: any. */
static inline void assert_answered(belay_http_reply *reply, int status, const char *expected)
{
	char *body;

	assert_int_equal(belay_http_reply_await(belay_background(), reply), 0);
	assert_int_equal(belay_http_reply_status(reply), status);
	assert_int_equal(belay_http_reply_read_all(belay_background(), reply, 500, &body, NULL), 0);
	if (expected)
		assert_string_equal(body, expected);
	free(body);
}

/* ---- Both ways at once ----------------------------------------------------------------------- */

/* With a peer that sends back what it gets: each piece is answered before the next one is
 * written. Ends the reply. */
static inline void write_and_read_in_turn(belay_http_reply *reply)
{
	assert_int_equal(belay_http_reply_await(belay_background(), reply), 0);
	for (size_t at = 0; at < 50 * 777; at += 777) {
		assert_int_equal(write_bytes(belay_background(), reply, at, at + 777), 0);
		assert_int_equal(read_and_compare(reply, at, 777), 0);
	}
	assert_int_equal(belay_http_finish(reply), 0);
	assert_ended(reply);
	belay_http_reply_end(reply);
}

/* The same by two tasks. Far more than waits anywhere goes round, so both sides are held back again
 * and again. */
static inline void write_and_read_at_once(belay_http_reply *reply)
{
	belay_group *group = belay_group_new(belay_background());

	assert_non_null(group);
	assert_int_equal(belay_group_go(group, write_large, reply), 0);
	assert_int_equal(read_and_compare(reply, 0, LARGE), 0);
	assert_ended(reply);
	assert_int_equal(belay_group_wait(group), 0);
	belay_http_reply_end(reply);
}

#endif
