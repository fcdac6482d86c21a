/* SPDX-License-Identifier: MIT
 *
 * net.h - descriptors, connections, listeners and names, each call with a context.
 *
 * Every call that can block returns the context's error as soon as that is done, also where it is
 * done on entry, and works from tasks and plain threads alike. A task that waits here leaves its
 * worker to others; a thread waits in poll(2) and needs no worker. -ECANCELED and -ETIME are the
 * context's: where the kernel means something else by them, they arrive as -EIO and -ETIMEDOUT. A
 * NULL context: -EINVAL. -ENOMEM, -EMFILE, -ENFILE: nothing to wait with.
 */
#ifndef BELAY_NET_H
#define BELAY_NET_H

#include <belay/context.h>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

BELAY_BEGIN_DECLS

struct addrinfo; /* <netdb.h> */

/* ---- Descriptors that the caller owns -----------------------------------------------------------
 *
 * fd may be a socket, pipe, terminal or regular file, blocking or not: its flags are left alone.
 * Don't close it while somebody waits on it. Any number of tasks and threads may wait on one.
 *
 * In blocking mode a call is made only where it won't block. Two things are beyond that: another
 * process that takes what we have seen (a connection to accept; before Linux 6.4 also a pipe's
 * bytes) makes the call block until there is more; and what can't be waited for (regular files) or
 * promises no room (a terminal that is written to) is called on a thread that may block, where a
 * task's ctx no longer reaches it. O_NONBLOCK knows neither. */

enum { BELAY_READABLE = 1, BELAY_WRITABLE = 2 };

/* Blocks until fd is readable and/or writable, as events says. Which of these it is: returned as a
 * mask > 0; an error or a hang-up on fd counts as both. The context's error; -EBADF; -EINVAL:
 * events names neither; -EPERM: it can't be polled, as regular files can't. */
BELAY_EXPORT int belay_wait_fd(BELAY_BORROWED belay_ctx *ctx, int fd, unsigned events);

/* As read(2) and write(2), but waits: a count (0: end of file; a write may be partial), the
 * context's error, or a negative errno. A write never raises SIGPIPE on a socket; on a pipe it
 * does, as always. */
BELAY_EXPORT ssize_t belay_read(BELAY_BORROWED belay_ctx *ctx, int fd, void *buf, size_t size);
BELAY_EXPORT ssize_t belay_write(BELAY_BORROWED belay_ctx *ctx, int fd, const void *buf,
				 size_t size);

/* As accept4(2) with SOCK_NONBLOCK | SOCK_CLOEXEC: the new descriptor, which is the caller's, the
 * context's error, or a negative errno. addr and len may be NULL; on an error *len is as it was. */
BELAY_EXPORT int belay_accept(BELAY_BORROWED belay_ctx *ctx, int fd, struct sockaddr *addr,
			      socklen_t *len);

/* As connect(2), with the socket in non-blocking mode as long as that call takes: 0, the context's
 * error, or a negative errno. Where ctx ends first the socket is still connecting: close it. Waits
 * for room in a Unix socket's queue, looking again every 1 to 64 ms, since the kernel tells
 * nobody. */
BELAY_EXPORT int belay_connect(BELAY_BORROWED belay_ctx *ctx, int fd, const struct sockaddr *addr,
			       socklen_t len);

/* ---- Names --------------------------------------------------------------------------------------
 *
 * getaddrinfo(3) on a blocking thread, given up on (and freed when it returns at last) where ctx
 * ends first. 0 and *ret, to be freed with freeaddrinfo(3); the context's error; -ENOENT: no such
 * name; -EHOSTUNREACH: the resolver failed for now; -EINVAL; -ENOMEM. */
BELAY_EXPORT int belay_resolve(BELAY_BORROWED belay_ctx *ctx, const char *host, const char *service,
			       const struct addrinfo *hints, struct addrinfo **ret);

/* ---- Connections --------------------------------------------------------------------------------
 *
 * One reader and one writer may use a connection at the same time. */

typedef struct belay_conn belay_conn;

/* Connects to address: "host:port", "[v6]:port" or "unix:/path" ("unix:@name": abstract); port is a
 * number or a service's name. Tries each address of the name in turn, the next one started after
 * 250 ms without an answer or once one has failed (RFC 8305), in tasks where there are several. TCP
 * connections have TCP_NODELAY set. 0 and *ret; the context's error; -EINVAL: address can't be
 * parsed, or has no host; what belay_resolve() can fail with; else the last try's errno. */
BELAY_EXPORT int belay_dial(BELAY_BORROWED belay_ctx *ctx, const char *address, belay_conn **ret);

/* Wraps a connected stream socket, which belongs to the connection from then on and is put into
 * non-blocking mode (not on an error). 0; -ENOMEM; -EBADF; -ENOTSOCK; -EINVAL: not a stream. Does
 * not block. */
BELAY_EXPORT int belay_conn_from_fd(int fd, belay_conn **ret);

/* Closes and frees. NULL is fine. Nobody may be using it. */
BELAY_EXPORT void belay_conn_close(belay_conn *conn);

/* Up to size bytes: a count, 0 at the end of the stream, the context's error, or -errno. */
BELAY_EXPORT ssize_t belay_conn_read(BELAY_BORROWED belay_ctx *ctx, belay_conn *conn, void *buf,
				     size_t size);

/* All of it: 0, the context's error, or -errno. After an error some of it may have been sent, and
 * *written (may be NULL) says how much: the one place where an error is not "no effect". (Over TLS
 * the last of that may still be waiting for room in the socket; it goes out ahead of the next
 * write.) */
BELAY_EXPORT int belay_conn_write(BELAY_BORROWED belay_ctx *ctx, belay_conn *conn, const void *buf,
				  size_t size, size_t *written);
BELAY_EXPORT int belay_conn_writev(BELAY_BORROWED belay_ctx *ctx, belay_conn *conn,
				   const struct iovec *iov, int count, size_t *written);

/* The same with size bytes of the file fd from offset on, without a copy in this process
 * (sendfile(2)); fd's own position is left alone. Blocks for the peer, and besides, as all reading
 * of files does, for the disk where they are not in memory. 0; as above; -ENODATA: the file ends
 * before that; -EOPNOTSUPP: the file can't, or the connection is encrypted, and nothing was
 * sent. */
BELAY_EXPORT int belay_conn_sendfile(BELAY_BORROWED belay_ctx *ctx, belay_conn *conn, int fd,
				     off_t offset, size_t size, size_t *written);

/* No more writes: the peer reads the end of the stream. 0 or -errno. Does not block: over TLS,
 * which says so to the peer in words of its own, -EAGAIN where those find no room in the socket;
 * then belay_conn_finish(), which is the same but waits until they do, or ctx is done. */
BELAY_EXPORT int belay_conn_shutdown(belay_conn *conn);
BELAY_EXPORT int belay_conn_finish(BELAY_BORROWED belay_ctx *ctx, belay_conn *conn);

/* Over TLS (<belay/tls.h>) a connection begins with a handshake, which is made by the first read or
 * write, or by this call: 0, also where there is nothing to be done; the context's error, after
 * which the next call goes on with it; -ETIMEDOUT: it took longer than it may; -EKEYREJECTED: the
 * peer's certificate is missing or not trusted; -EPROTO: the peer speaks something else, or there
 * is nothing that both can agree on; -ECONNRESET and others, as for a read. */
BELAY_EXPORT int belay_conn_handshake(BELAY_BORROWED belay_ctx *ctx, belay_conn *conn);

/* For who serves a connection that may have TLS: what is spoken above it, best first, with commas
 * between ("h2,http/1.1"), to be agreed on with the client by ALPN (RFC 7301) where the options of
 * TLS name nothing. Before the first of the calls above. Does not block. 0, also where it has no
 * TLS; -EINVAL: malformed; -EALREADY: the handshake has begun; -ENOMEM. */
BELAY_EXPORT int belay_conn_offer(belay_conn *conn, const char *protocols);

/* Whether its bytes are encrypted (TLS). Then, once the handshake is made: the protocol that both
 * sides have agreed on by ALPN, "http/1.1"; and the subject of the peer's certificate, which has
 * been verified, as RFC 2253 writes it, "CN=alice,O=Example". NULL: none. They live with conn. */
BELAY_EXPORT bool belay_conn_is_secure(const belay_conn *conn);
BELAY_EXPORT const char *belay_conn_protocol(const belay_conn *conn);
BELAY_EXPORT const char *belay_conn_peer_subject(const belay_conn *conn);

/* The connection's own: wait on it with belay_wait_fd(), but don't close it. What is read or
 * written there goes around the connection's TLS. */
BELAY_EXPORT int belay_conn_fd(const belay_conn *conn);

/* The peer's (or own) address as "1.2.3.4:80", "[::1]:80" or "unix:/path" ("unix:": it has no
 * name); lives with conn. As it was when the connection was made, so also after the peer has
 * gone. */
BELAY_EXPORT const char *belay_conn_peer(const belay_conn *conn);
BELAY_EXPORT const char *belay_conn_local(const belay_conn *conn);

/* A child of parent that also ends, with the cause (code, message), as soon as the peer of conn
 * hangs up or shuts down its side (over TLS also by saying so, with close_notify): noticed by a
 * thread of Belay's own, so also while every worker is busy and nobody reads. message is copied;
 * NULL: the default. Never NULL, as all derivations: where it can't be watched it is done with
 * -ENOMEM, and the cause's code says what was lacking. Must be ended (belay_end) before conn is
 * closed. One at a time for a connection: a second one is done with -EINVAL. Call it,
 * belay_go_when_readable() and belay_conn_close() from one place at a time. */
BELAY_EXPORT belay_ctx *belay_with_hangup(BELAY_BORROWED belay_ctx *parent, belay_conn *conn,
					  int code, const char *message) BELAY_DERIVES;
BELAY_EXPORT belay_ctx *belay_with_hangup_at(BELAY_BORROWED belay_ctx *parent, belay_conn *conn,
					     int code, const char *message,
					     const struct belay_site *site) BELAY_DERIVES;
#define belay_with_hangup(parent, conn, code, ...)                                                 \
	belay_with_hangup_at((parent), (conn), (code), (__VA_ARGS__), BELAY_HERE)

/* ---- Many connections that mostly wait ----------------------------------------------------------
 *
 * A task that waits for input holds a stack, and whatever its functions keep on it. Where thousands
 * of connections have nothing to read for long, let the task return instead, and another one begin
 * when there is something:
 *
 *     static void serve(belay_ctx *ctx, void *arg)
 *     {
 *             struct client *client = arg;
 *
 *             if (belay_err(ctx) < 0 || !answer_what_has_come(client) ||
 *                 belay_go_when_readable(client->ctx, client->conn, serve, client) < 0)
 *                     client_free(client);
 *     } */

/* Starts fn(ctx, arg) in a task once conn has something to read, or its stream has ended, or ctx is
 * done: a look at belay_err(ctx) tells the last from the others. So a context with a deadline
 * limits the wait. What can be read already starts it at once. The task may find that there is
 * nothing to read all the same; then it may call this again.
 *
 * 0: fn will be called, once, by a task that keeps ctx alive, as it is kept until then; where there
 * is no memory for the task when its time comes it is tried again every 50 ms. Until then nobody
 * else may read from conn or close it: end ctx, and leave it to fn. The context's error (it is done
 * already); -EINVAL: conn or fn is NULL; -EOPNOTSUPP: conn's filter can't (TLS can, once the
 * handshake is made; before that fn is called at once); -ENOMEM, -EMFILE, -ENFILE and others as
 * epoll_ctl(2): then fn will not be called. Does not block; any thread or task. After
 * belay_shutdown() only ctx's end starts it. */
BELAY_EXPORT int belay_go_when_readable(BELAY_BORROWED belay_ctx *ctx, belay_conn *conn,
					void (*fn)(belay_ctx *ctx, void *arg), void *arg);
BELAY_EXPORT int belay_go_when_readable_at(BELAY_BORROWED belay_ctx *ctx, belay_conn *conn,
					   void (*fn)(belay_ctx *ctx, void *arg), void *arg,
					   const struct belay_site *site);
#define belay_go_when_readable(ctx, conn, fn, ...)                                                 \
	belay_go_when_readable_at((ctx), (conn), (fn), (__VA_ARGS__), BELAY_HERE)

/* ---- Listeners ------------------------------------------------------------------------------- */

typedef struct belay_listener belay_listener;

/* Listens on address: as for belay_dial(), and ":8080" or "*:8080" for all interfaces of both
 * families, port 0 for a free one. Blocks for the name's look-up alone. SO_REUSEADDR is set; a
 * stale Unix socket that nobody answers on is replaced, and a Unix socket's file is removed at the
 * close, unless another has taken its place. 0 and *ret; the context's error; -EINVAL: address
 * can't be parsed; -EADDRINUSE; what belay_resolve() can fail with; another negative errno as
 * bind(2). */
BELAY_EXPORT int belay_listen(BELAY_BORROWED belay_ctx *ctx, const char *address,
			      belay_listener **ret);

/* All zero is what belay_listen() does. */
struct belay_listen_options {
	/* SO_REUSEPORT (socket(7)): other sockets that are opened so, of this process or of
	 * others of the same user, may listen on the same port, and the kernel shares the
	 * connections out between them. What still waits in a socket's queue when it is closed is
	 * reset. TCP only. */
	bool reuse_port;

	/* Connections that may wait to be accepted; the kernel cuts it to net.core.somaxconn. 0: as
	 * many as SOMAXCONN says. */
	int backlog;
};

/* As belay_listen(), which it is where options is NULL; -EINVAL: a negative backlog; -EOPNOTSUPP:
 * reuse_port for a Unix socket. */
BELAY_EXPORT int belay_listen_with(BELAY_BORROWED belay_ctx *ctx, const char *address,
				   const struct belay_listen_options *options,
				   belay_listener **ret);

/* Wraps a stream socket that listens already, and which belongs to the listener from then on: in
 * non-blocking mode (for all processes that share it) and closed on exec(2). A Unix socket's file
 * is left where it is at the close. 0; -EINVAL: it doesn't listen, or is not a stream; -ENOTSOCK;
 * -EBADF; -ENOMEM; after an error it is the caller's. Does not block. */
BELAY_EXPORT int belay_listener_from_fd(int fd, belay_listener **ret);

/* Leaves a Unix socket's file where it is at the close: for one that has been handed to another
 * process. */
BELAY_EXPORT void belay_listener_keep_file(belay_listener *listener);

/* ---- What the process was started with ----------------------------------------------------------
 *
 * Descriptors from systemd (systemd.socket(5)), or from a program that has started this one with
 * names for them (belay_command.fd_names), by the protocol of sd_listen_fds(3): LISTEN_PID,
 * LISTEN_FDS, LISTEN_FDNAMES in the environment. Each is handed out once; the first call has all of
 * them closed on exec(2). Nothing is handed out in a program that runs with more rights than its
 * caller (secure_getenv(3)). They read the environment, so no other thread may change it meanwhile;
 * otherwise any thread. They don't block. */

/* The first one of that name (systemd: FileDescriptorName=, else the socket unit's; NULL: of any)
 * that has not been handed out, which is the caller's from then on. -ENOENT: there is none;
 * -EINVAL: the environment is malformed, or has more than 1,024 of them; -EBADF: it is not open. */
BELAY_EXPORT int belay_inherited_fd(const char *name);

/* The same, as belay_listener_from_fd() makes a listener of it: its errors too, after which the
 * descriptor is still there to be handed out.
 *
 *     r = belay_listen_inherited("http", &listener);
 *     if (r == -ENOENT)
 *             r = belay_listen(ctx, ":8080", &listener); */
BELAY_EXPORT int belay_listen_inherited(const char *name, belay_listener **ret);

/* ---- Arrivals -------------------------------------------------------------------------------- */

/* Blocks for the next connection. Peers that are gone already are passed over. Any number of tasks
 * and threads may wait for one. 0 and *ret; the context's error; -EMFILE, -ENFILE, -ENOMEM: the
 * connection is still there, try again later; -EINVAL: shut down. */
BELAY_EXPORT int belay_listener_accept(BELAY_BORROWED belay_ctx *ctx, belay_listener *listener,
				       belay_conn **ret);

/* Where it listens, with the real port; lives with the listener. */
BELAY_EXPORT const char *belay_listener_address(const belay_listener *listener);
BELAY_EXPORT int belay_listener_fd(const belay_listener *listener);

/* Closes and frees. NULL is fine. Nobody may be waiting in belay_listener_accept(). */
BELAY_EXPORT void belay_listener_close(belay_listener *listener);

BELAY_END_DECLS

#endif
