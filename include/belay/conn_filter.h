/* SPDX-License-Identifier: MIT
 *
 * conn_filter.h - connections whose bytes are not the socket's own: what TLS is made of, and what
 * another protocol below a stream may be.
 *
 * A filter stands between a connection's users and its socket. They go on to use the connection:
 * belay_conn_read(), belay_conn_write(), belay_with_hangup() and the rest go through the filter
 * from then on.
 */
#ifndef BELAY_CONN_FILTER_H
#define BELAY_CONN_FILTER_H

#include <belay/net.h>

BELAY_BEGIN_DECLS

enum belay_conn_fact {
	BELAY_CONN_PROTOCOL,     /* what was agreed on to be spoken above the filter: "http/1.1" */
	BELAY_CONN_PEER_SUBJECT, /* who the peer has proved to be: "CN=alice,O=Example"          */
};

/* What a filter does, each with the state that it was set with. Errors are those of the call that
 * it stands for. One reader and one writer may be in it at once, and look() besides. */
struct belay_conn_filter {
	/* Gets ready to read and write, where that takes a conversation. May be called again. */
	int (*handshake)(belay_ctx *ctx, belay_conn *conn, void *state);

	/* As belay_conn_read(); size is not 0. */
	ssize_t (*read)(belay_ctx *ctx, belay_conn *conn, void *state, void *buf, size_t size);

	/* Takes some of the bytes, at least one; the first part is not empty. It may hold on to
	 * them until flush(), which is called once all of a write has been taken. */
	ssize_t (*write)(belay_ctx *ctx, belay_conn *conn, void *state, const struct iovec *iov,
			 int count);
	int (*flush)(belay_ctx *ctx, belay_conn *conn, void *state);

	/* Tells the peer that no more comes, ahead of the socket's own end. ctx is NULL: without
	 * waiting; -EAGAIN: that would take waiting. */
	int (*finish)(belay_ctx *ctx, belay_conn *conn, void *state);

	/* Whether the peer has ended the stream, for belay_with_hangup(): 0: it has; -EAGAIN: not
	 * as far as what the socket holds says; 1: can't be told, since somebody reads, or there is
	 * data ahead that nobody has read; or the error that reading is at its end with. Must not
	 * block: it runs on Belay's clock thread. */
	int (*look)(belay_conn *conn, void *state);

	/* NULL: none. Lives as long as the connection. */
	const char *(*tell)(const belay_conn *conn, void *state, enum belay_conn_fact fact);

	/* As belay_conn_offer(); NULL: there is nothing to be agreed on. */
	int (*offer)(belay_conn *conn, void *state, const char *protocols);

	/* The connection is being closed: the socket will be, after this. Must not block. */
	void (*close)(belay_conn *conn, void *state);

	/* For belay_go_when_readable(): true: there is nothing to be read before more arrives at
	 * the socket, and look() leaves what arrives alone until wake(), or until somebody reads;
	 * false: there may be. Must not block. NULL: it can't tell. */
	bool (*doze)(belay_conn *conn, void *state);

	/* Nobody waits as doze() has it any more, or could after all. May come where none did. Must
	 * not block. NULL: there is nothing to be done. */
	void (*wake)(belay_conn *conn, void *state);
};

/* Puts filter, which must stay, in front of the socket: before anybody else uses conn, and once.
 * The state is the filter's from then on. */
BELAY_EXPORT void belay_conn_set_filter(belay_conn *conn, const struct belay_conn_filter *filter,
					void *state);

/* The state that filter was set with; NULL: conn has not got that filter. */
BELAY_EXPORT void *belay_conn_filter_state(const belay_conn *conn,
					   const struct belay_conn_filter *filter);

/* For a filter's own use of the socket. Calls attempt(fd, arg, &events) until it comes through, and
 * returns its result; where it returns -EAGAIN waits until the socket is ready for events
 * (BELAY_READABLE, BELAY_WRITABLE), which it has set; -EINTR: calls it again at once. attempt must
 * not block, and only with recv(2) or send(2) may have found that it would. The context's error
 * (also where ctx is done on entry); what attempt returned; -ENOMEM, -EMFILE, -ENFILE. */
typedef ssize_t belay_conn_attempt(int fd, void *arg, unsigned *events);
BELAY_EXPORT ssize_t belay_conn_try(BELAY_BORROWED belay_ctx *ctx, belay_conn *conn,
				    belay_conn_attempt *attempt, void *arg);

/* How many times the socket has been found ready so far, and one; 0: nothing can be told by that.
 * To be asked before a recv(2): where that got less than it asked for, another one would get
 * nothing as long as the answer is the same, and not 0. Does not block; any thread. */
BELAY_EXPORT uint64_t belay_conn_arrivals(const belay_conn *conn);

/* Puts what arrives at a listener behind a filter: wrap(conn, arg) is called for each connection
 * that is accepted; it does not block, and what it returns other than 0 closes the connection and
 * is what belay_listener_accept() returns. done(arg) is called when the listener is closed. To be
 * called before anybody waits for a connection, and once. */
BELAY_EXPORT void belay_listener_set_wrap(belay_listener *listener,
					  int (*wrap)(belay_conn *conn, void *arg),
					  void (*done)(void *arg), void *arg);

BELAY_END_DECLS

#endif
