/* SPDX-License-Identifier: MIT
 *
 * server.h - the inside of a server, as its connections see it.
 */
#ifndef BELAY_SRC_HTTP_SERVER_H
#define BELAY_SRC_HTTP_SERVER_H

#include "base/lock.h"

#include <belay/chan.h>
#include <belay/http.h>
#include <belay/sync.h>

struct belay_server {
	const belay_router *router;
	struct belay_server_options options;
	belay_ctx *ctx;        /* of all requests                                               */
	belay_wg alive;        /* connections, and who serves, until they have done with it     */
	belay_ctx *stopping;   /* ends when a shutdown begins: for all that waits for requests  */
	belay_chan *slots;     /* holds one element for each connection: full at the limit      */
	belay_chan *drained;   /* closed once a shutdown has nothing left to wait for           */

	struct belay__lock lock; /* guards what stands below */
	bool shut, closed;       /* a shutdown has begun; drained is closed */
	size_t connections;
	unsigned listeners;      /* belay_server_serve() calls that run     */
};

/* connection.c. Serves conn, which is its own from the call on, in tasks of its own. 0; -ENOMEM,
 * -EAGAIN, or the server's context's error: nothing was started, conn is the caller's. */
int belay__connection_start(struct belay_server *server, belay_conn *conn);

/* server.c. A connection is over: the last thing it does with the server. */
void belay__server_leave(struct belay_server *server);

#endif
