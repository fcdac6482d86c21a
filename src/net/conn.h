/* SPDX-License-Identifier: MIT
 *
 * conn.h - the inside of a connection, for those who make one and for the one who watches its peer.
 */
#ifndef BELAY_SRC_NET_CONN_H
#define BELAY_SRC_NET_CONN_H

#include "base/lock.h"
#include "net/address.h"
#include "net/io.h"
#include "wait/timer.h"
#include "wait/watch.h"

#include <belay/conn_filter.h>

/* The context that ends when the peer hangs up; see hangup.c. */
struct belay__hangup {
	bool used;                /* by the connection's user: the hook has been added, ever     */
	struct belay_hook hook;
	struct belay__watch watch;
	struct belay__timer rest; /* of a connection with a filter: see hangup.c                 */
	_Atomic bool resting;     /* rest is armed                                               */
	_Atomic bool reading;     /* somebody does: who reads sees the end himself               */
	struct belay__lock lock;  /* guards ctx, ending, and the arming of rest                  */
	bool ending;              /* its hook runs: rest is not to be armed any more             */
	belay_ctx *ctx;           /* borrowed: alive as long as it stands here. NULL: none       */
	int code;                 /* what follows: constant while ctx stands here                */
	const char *message;      /* ctx's memory                                                */
};

struct belay_conn {
	int fd;
	const struct belay_conn_filter *filter; /* NULL: none, the bytes are the socket's */
	void *filter_state;
	struct belay__input input;
	struct belay__hangup hangup;
	char peer[BELAY__ADDRESS_SIZE];
	char local[BELAY__ADDRESS_SIZE];
};

/* A connection still without a socket, so that making one can't fail once there is a socket; given
 * back with belay__free() or completed by belay__conn_init(), after which fd is its. NULL: out of
 * memory. */
belay_conn *belay__conn_new(void);
void belay__conn_init(belay_conn *conn, int fd, bool is_tcp, const struct sockaddr *peer,
		      socklen_t len);

/* Whether fd is a socket of TCP, and of no other protocol that has internet addresses. */
bool belay__is_tcp(int fd);

/* Where fd is bound, as text. */
void belay__local_address(int fd, char ret[BELAY__ADDRESS_SIZE]);

/* Around each read through a filter, which may see the peer's end of the stream before the socket
 * does: result 0. */
void belay__hangup_read_begins(struct belay__hangup *hangup);
void belay__hangup_read_ends(struct belay__hangup *hangup, ssize_t result);

/* To be called when it may be that nobody reads for long, but look() can tell something now. */
void belay__hangup_rest(struct belay__hangup *hangup);

/* On return nothing of the watch on the peer touches conn any more. */
void belay__hangup_fini(struct belay__hangup *hangup);

#endif
