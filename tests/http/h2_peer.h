/* SPDX-License-Identifier: MIT
 *
 * h2_peer.h - an HTTP/2 client for tests: nghttp2's client session over a plain blocking socket,
 * moved on by the test's own thread; and frames written by hand, for what no session would send.
 *
 * Each read gives up after half a minute, and then fails the test.
 */
#ifndef BELAY_TESTS_HTTP_H2_PEER_H
#define BELAY_TESTS_HTTP_H2_PEER_H

#include "site.h"

#include <nghttp2/nghttp2.h>

/* ---- A session ------------------------------------------------------------------------------- */

enum { H2_REPLIES = 256 };

struct h2_reply {
	int32_t id;
	int status;      /* the last one; 0: no head yet    */
	unsigned interim; /* how many 1xx came before it     */
	char head[2048]; /* "name: value\n" of each field   */
	char *body;      /* with a NUL behind it            */
	size_t size;
	bool ended;      /* the stream's end has come       */
	bool closed;
	uint32_t code;   /* that the stream was closed with */
};

struct h2_peer {
	int fd;
	nghttp2_session *session;
	struct h2_reply replies[H2_REPLIES]; /* of stream 2 * i + 1 */
	bool hold;       /* the windows are opened by the test alone, with h2_consume() */
	bool at_end;     /* the server has closed                      */
	bool goaway;
	uint32_t goaway_code;
	int32_t goaway_last;
	unsigned goaways, pings;
};

/* Connects and says hello; window 0: the default. */
void h2_dial(const struct site *site, struct h2_peer *peer);
void h2_dial_with(const struct site *site, struct h2_peer *peer, uint32_t window, bool hold);
void h2_close(struct h2_peer *peer);

/* A body that a request brings. */
struct h2_body {
	const char *data;
	size_t size, sent;
	bool open; /* more may come: h2_more() */
};

/* Sends a request; extra: pairs of name and value, up to NULL (NULL: none); body: NULL: none. The
 * stream's number. */
int32_t h2_ask(struct h2_peer *peer, const char *method, const char *path,
	       const char *const *extra, struct h2_body *body);

/* More of the body is there. */
void h2_more(struct h2_peer *peer, int32_t id);

/* Sends what is waiting; reads once more; reads until the stream is closed, or the server has
 * closed. */
void h2_flush(struct h2_peer *peer);
bool h2_pump(struct h2_peer *peer);
struct h2_reply *h2_await(struct h2_peer *peer, int32_t id);
struct h2_reply *h2_reply_of(struct h2_peer *peer, int32_t id);

/* h2_ask() and h2_await(). */
struct h2_reply *h2_get(struct h2_peer *peer, const char *path);

/* Reads until the server has closed. */
void h2_await_end(struct h2_peer *peer);

void h2_reset(struct h2_peer *peer, int32_t id, uint32_t code);
void h2_consume(struct h2_peer *peer, int32_t id, size_t size);

/* Whether the head has this field with this value. */
bool h2_has(const struct h2_reply *reply, const char *name, const char *value);

/* ---- By hand --------------------------------------------------------------------------------- */

struct h2_frame {
	size_t size;
	uint8_t type, flags;
	int32_t id;
	unsigned char payload[16384];
};

/* A connection that has said hello: the preface and empty SETTINGS. */
int h2_raw_dial(const struct site *site);

/* False: the server has closed. */
bool h2_raw_send(int fd, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
		 size_t size);

/* HEADERS of "GET path" (path is "/" and up to 100 bytes), with END_HEADERS and flags. */
bool h2_raw_get(int fd, uint32_t id, const char *path, uint8_t flags);

/* The next frame; false: the server has closed. Of that type, past all others. */
bool h2_raw_next(int fd, struct h2_frame *ret);
bool h2_raw_await(int fd, uint8_t type, struct h2_frame *ret);

/* The error code of the GOAWAY that the server sends before it closes; -1: none. Or of the
 * RST_STREAM that it sends for the stream. */
int64_t h2_raw_goaway(int fd);
int64_t h2_raw_reset(int fd, int32_t id);

uint32_t h2_number(const unsigned char *bytes);

#endif
