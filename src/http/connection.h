/* SPDX-License-Identifier: MIT
 *
 * connection.h - a client's connection: what there is of it all the time, and what only while it is
 * awake, in a task.
 */
#ifndef BELAY_SRC_HTTP_CONNECTION_H
#define BELAY_SRC_HTTP_CONNECTION_H

#include "http/head.h"
#include "http/server.h"
#include "http/wire.h"

/* How long nothing must have come before a task is not worth its memory any more: a client that
 * sends one request after the other finds it there. */
#define BELAY__DROWSY BELAY_MS(20)

/* And where it could not be put to sleep, before that is tried again. */
#define BELAY__SLEEPLESS BELAY_S(1)

struct belay__h2;
struct belay__half;

/* Of most connections there is no more than this: the more of them, the better if it is little. */
struct belay__connection {
	struct belay_server *server;
	belay_conn *conn;
	belay_ctx *hangup, *ctx, *quiet; /* connection.c; NULL: not while it sleeps          */
	struct belay__half *half; /* of a request, from before it fell asleep; NULL: none    */
	struct belay__h2 *h2;     /* NULL: HTTP/1                                            */
	int64_t until;            /* what it waits for must have come by then; 0: not known  */
	unsigned char blanks;     /* how often this request's wait has brought empty lines   */
	bool known;               /* which protocol it speaks                                */
	bool served;              /* a request, at least                                     */
};

/* What it needs besides while there is something to be done; on its task's stack. */
struct belay__awake {
	struct belay__connection *c;
	struct belay__wire wire;
	struct belay__head head; /* of the request that comes, as far as it has been looked at */
	struct belay_request req;
	struct belay_response res;
	bool sending;   /* the client may still be sending what nobody reads                */
	bool sleepless; /* it could not be put to sleep a moment ago                        */
	bool drowsy;    /* nothing comes: it is to sleep until something does, or until     */
};

static inline const struct belay_server_options *
belay__options_of(const struct belay__connection *c)
{
	return &c->server->options;
}

/* Asks the shutdown's own context: quiet, below it, may be done a moment later. */
static inline bool belay__is_stopping(const struct belay__connection *c)
{
	return belay_err(c->server->stopping) < 0;
}

/* ---- h1.c: HTTP/1 ---------------------------------------------------------------------------- */

/* Serves one request after the other until the connection is to be closed, or is drowsy. */
void belay__h1_serve(struct belay__awake *a);

/* Waits for the first byte of a request. 0; an error: the connection is to be closed, unless it is
 * drowsy. */
int belay__h1_await(struct belay__awake *a);

/* Reads more input under ctx, for at most time, from the first call on that found c->until to be 0.
 * As belay__wire_fill(); and any error where it is drowsy now. */
ssize_t belay__h1_fill(struct belay__awake *a, belay_ctx *ctx, int64_t time);

/* ---- h2_connection.c: HTTP/2; h2_none.c where nghttp2 is not there --------------------------- */

/* Whether it was built in. */
bool belay__h2_is_built(void);

/* The state of c, whose contexts live as long as it; to be freed with belay__h2_free(). NULL: out
 * of memory. */
struct belay__h2 *belay__h2_new(struct belay__connection *c);

/* Takes in[0..size), which has been read, and serves what follows until the connection is to be
 * closed: false; or until nothing has come for a while: true. */
bool belay__h2_serve(struct belay__h2 *h2, const char *in, size_t size, bool sleepless);

/* A context under which to wait for more. */
belay_ctx *belay__h2_asleep(struct belay__h2 *h2);

/* Joins its tasks first; what is left goes out, for a moment at most. True: the client may still be
 * sending, and have something to lose. */
bool belay__h2_free(struct belay__h2 *h2);

#endif
