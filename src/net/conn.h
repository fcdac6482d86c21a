/* SPDX-License-Identifier: MIT
 *
 * conn.h - the inside of a connection, for those who make one and for the one who watches its peer.
 */
#ifndef BELAY_SRC_NET_CONN_H
#define BELAY_SRC_NET_CONN_H

#include "base/lock.h"
#include "net/address.h"
#include "wait/watch.h"

#include <belay/net.h>

/* The context that ends when the peer hangs up; see hangup.c. */
struct belay__hangup {
	bool used;                /* by the connection's user: the hook has been added, ever     */
	struct belay_hook hook;
	struct belay__watch watch;
	struct belay__lock lock;  /* guards ctx                                                  */
	belay_ctx *ctx;           /* borrowed: alive as long as it stands here. NULL: none       */
	int code;                 /* what follows: constant while ctx stands here                */
	const char *message;      /* ctx's memory                                                */
};

struct belay_conn {
	int fd;
	struct belay__hangup hangup;
	char peer[BELAY__ADDRESS_SIZE];
	char local[BELAY__ADDRESS_SIZE];
};

/* A connection still without a socket, so that making one can't fail once there is a socket; given
 * back with belay__free() or completed by belay__conn_init(), after which fd is its. NULL: out of
 * memory. */
belay_conn *belay__conn_new(void);
void belay__conn_init(belay_conn *conn, int fd, const struct sockaddr *peer, socklen_t len);

/* Where fd is bound, as text. */
void belay__local_address(int fd, char ret[BELAY__ADDRESS_SIZE]);

/* On return nothing of the watch on the peer touches conn any more. */
void belay__hangup_fini(struct belay__hangup *hangup);

#endif
