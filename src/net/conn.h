/* SPDX-License-Identifier: MIT
 *
 * conn.h - the inside of a connection, for those who make one and for the one who watches its peer.
 */
#ifndef BELAY_SRC_NET_CONN_H
#define BELAY_SRC_NET_CONN_H

#include "base/lock.h"
#include "net/address.h"
#include "net/io.h"

#include <belay/conn_filter.h>

/* What watches the peer for the context that ends when it hangs up: hangup.c. */
struct belay__peer_watch;

struct belay__hangup {
	_Atomic bool reading;            /* somebody does: who reads sees the end himself */
	_Atomic bool resting;            /* watch's rest is armed                         */
	struct belay__lock lock;         /* guards watch, and what hangup.c says          */
	struct belay__peer_watch *watch; /* NULL: none is needed                          */
};

/* Of many connections most wait: what only those in use need stands elsewhere. */
struct belay_conn {
	int fd;
	struct belay__input input;
	const struct belay_conn_filter *filter; /* NULL: none, the bytes are the socket's */
	void *filter_state;
	struct belay__hangup hangup;
	size_t local;     /* where the own address begins; the peer's stands at the front */
	char addresses[]; /* each with its NUL */
};

/* A connection still without a socket, so that making one can't fail once there is a socket; given
 * back with belay__free() or completed by belay__conn_init(), after which fd is its, and which may
 * move it. NULL: out of memory. */
belay_conn *belay__conn_new(void);
belay_conn *belay__conn_init(belay_conn *conn, int fd, bool is_tcp, const struct sockaddr *peer,
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

/* Frees what the watch has needed, where its context has ended. */
void belay__hangup_tidy(struct belay__hangup *hangup);

#endif
