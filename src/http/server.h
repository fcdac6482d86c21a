/* SPDX-License-Identifier: MIT
 *
 * server.h - the inside of a server, as its connections see it.
 */
#ifndef BELAY_SRC_HTTP_SERVER_H
#define BELAY_SRC_HTTP_SERVER_H

#include "base/lock.h"

#include <belay/chan.h>
#include <belay/group.h>
#include <belay/http.h>

struct belay_server {
	const belay_router *router;
	struct belay_server_options options;
	belay_group *group;    /* of the connections' tasks; its context is the server's        */
	belay_ctx *stopping;   /* ends when a shutdown begins: for all that waits for requests  */
	belay_chan *slots;     /* holds one element for each connection: full at the limit      */
	belay_chan *drained;   /* closed once a shutdown has nothing left to wait for           */

	struct belay__lock lock; /* guards what stands below */
	bool shut, closed;       /* a shutdown has begun; drained is closed */
	size_t connections;
	unsigned listeners;      /* belay_server_serve() calls that run     */
};

/* connection.c. Serves conn, which is its own from the call on, in a task of the server's group. 0;
 * -ENOMEM, -EAGAIN, or the group's context's error: nothing was started, conn is the caller's. */
int belay__connection_start(struct belay_server *server, belay_conn *conn);

/* h2_connection.c; h2_none.c where nghttp2 is not there. Whether HTTP/2 was built in; and serves
 * it on conn, of which in[0..size) has been read, until it is to be closed. hangup ends, and is
 * ended, when the client has gone, ctx descends from it, and quiet from that and from stopping.
 * True: the client may still be sending. */
bool belay__h2_is_built(void);
bool belay__h2_serve(struct belay_server *server, belay_conn *conn, belay_ctx *hangup,
		     belay_ctx *ctx, belay_ctx *quiet, const char *in, size_t size);

/* server.c. A connection is over: the last thing it does with the server. */
void belay__server_leave(struct belay_server *server);

#endif
