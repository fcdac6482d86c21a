/* SPDX-License-Identifier: MIT
 *
 * tls.h - the inside of TLS: a side's settings and what was loaded for them, and a connection's
 * state.
 */
#ifndef BELAY_SRC_TLS_TLS_H
#define BELAY_SRC_TLS_TLS_H

#include <belay/conn_filter.h>
#include <belay/sync.h>
#include <belay/tls.h>

#include <openssl/ssl.h>
#include <pthread.h>

/* ---- Errors: error.c ------------------------------------------------------------------------- */

/* OpenSSL keeps its errors by thread: clear() before a call of its, and one of the others after it
 * failed, with nothing between that a task could wait in. All of them leave the queue empty. */
void belay_tls__errors_clear(void);

/* The errno of what is in the queue: -ENOMEM, -EKEYREJECTED, -ECONNRESET, or other; and words. */
int belay_tls__errors_take(int other, char *text, size_t size);

/* Says "file: text" in error, which may be NULL; returns err. */
int belay_tls__fail(struct belay_tls_error *error, int err, const char *file, const char *text);

/* ---- What was loaded: load.c ----------------------------------------------------------------- */

/* The options of either side, copied. */
struct belay_tls__settings {
	bool server;
	struct belay_tls_certificate *certificates;
	size_t count;
	enum belay_tls_clients clients;
	char *ca_file;            /* NULL: none, or the system's     */
	unsigned char *protocols; /* as on the wire; NULL: none      */
	size_t protocols_size;
	bool named;               /* by the options: they win        */
	int64_t handshake_time;
};

/* "h2,http/1.1" as it is on the wire: each name behind its length (RFC 7301, section 3.1). 0, *ret
 * (to be freed with belay__free()) and *ret_size; -EINVAL: malformed; -ENOMEM. */
int belay_tls__protocols(const char *names, unsigned char **ret, size_t *ret_size);

/* What the files held when they were read. Counted: each connection has its own reference. */
struct belay_tls__loaded {
	_Atomic size_t refs;
	unsigned char *protocols; /* a copy of the settings': connections may outlive those */
	size_t protocols_size;
	bool named;
	size_t count;
	SSL_CTX *contexts[];      /* one for each certificate; the first: for who asks for none */
};

/* 0 and one reference, or errors as belay_tls_server_new(). Blocks for the files. */
int belay_tls__load(const struct belay_tls__settings *settings, struct belay_tls__loaded **ret,
		    struct belay_tls_error *error);
void belay_tls__loaded_unref(struct belay_tls__loaded *loaded);

/* ---- A side: config.c ------------------------------------------------------------------------ */

struct belay_tls {
	_Atomic size_t refs;
	struct belay_tls__settings settings;
	pthread_mutex_t lock;             /* guards loaded */
	struct belay_tls__loaded *loaded;
};

/* What is loaded now: a reference. */
struct belay_tls__loaded *belay_tls__loaded_of(belay_tls *tls);

/* ---- A connection ---------------------------------------------------------------------------- */

/* Bytes that the socket had no room for. */
struct belay_tls__pending {
	unsigned char *bytes;
	size_t start, end, room;
};

struct belay_tls__link {
	belay_conn *conn;
	struct belay_tls__loaded *loaded;
	int fd;                   /* the socket; constant, as is                                */
	int64_t handshake_by;     /* when the handshake has to be over                          */
	belay_mutex shaking;      /* who makes the handshake: held while it waits               */
	_Atomic bool ready;       /* the handshake is made; what is told of it is constant then */
	char *subject;            /* of the peer; NULL: none                                    */
	char *protocol;           /* NULL: none                                                 */

	pthread_mutex_t lock;     /* guards what follows; nobody waits for the socket with it   */
	SSL *ssl;
	unsigned char *offered;   /* to be agreed on, as on the wire; NULL: what was loaded     */
	size_t offered_size;
	struct belay_tls__pending pending;
	int io_error;             /* errno of the BIO's last failure; 0: none                   */
	bool eof;                 /* the socket's input is at its end                           */
	bool drained;             /* the latest recv(2) got less than it asked for              */
	size_t barren;            /* bytes received since any were of use to a reader           */
	uint64_t arrivals;        /* before that: belay_conn_arrivals()                         */
	bool reading;             /* somebody waits for input: nobody else takes any            */
	bool finished;            /* close_notify has been written                              */
	int broken;               /* what everything answers from now on; 0: not                */
	char why[200];            /* broken in words                                            */
};

/* socket.c. A BIO that reads and writes the link's socket without ever blocking, and keeps in
 * link->pending what it can't write at once. NULL: out of memory. */
BIO *belay_tls__socket_bio(struct belay_tls__link *link);

/* Sends what is pending: 0: nothing is any more; -EAGAIN; -errno. With the lock held. */
int belay_tls__send_pending(struct belay_tls__link *link);

/* conn.c. TLS on conn, from now on; name: NULL on the server's side. 0, -EINVAL, -ENOMEM. */
int belay_tls__attach(belay_tls *tls, belay_conn *conn, const char *name);

/* The link of conn; NULL: it has no TLS. */
struct belay_tls__link *belay_tls__link_of(const belay_conn *conn);

/* What result, other than success, of the SSL call just made comes to: -EAGAIN, with *events set;
 * 0: the peer has ended the stream; or the error that the link is broken with from now on. With the
 * lock held, as the two below. */
int belay_tls__judge(struct belay_tls__link *link, int result, unsigned *events);

/* Breaks the link for good, unless it is already; returns what it is broken with. */
int belay_tls__break(struct belay_tls__link *link, int err, const char *why);

/* Sends what is pending, for an attempt: 0; -EAGAIN, with *events set; the link's error. */
int belay_tls__flush_locked(struct belay_tls__link *link, unsigned *events);

/* handshake.c, stream.c: what the filter does. */
int belay_tls__handshake(belay_ctx *ctx, belay_conn *conn, void *state);
ssize_t belay_tls__read(belay_ctx *ctx, belay_conn *conn, void *state, void *buf, size_t size);
ssize_t belay_tls__write(belay_ctx *ctx, belay_conn *conn, void *state, const struct iovec *iov,
			 int count);
int belay_tls__flush(belay_ctx *ctx, belay_conn *conn, void *state);
int belay_tls__finish(belay_ctx *ctx, belay_conn *conn, void *state);
int belay_tls__look(belay_conn *conn, void *state);
bool belay_tls__doze(belay_conn *conn, void *state);
void belay_tls__wake(belay_conn *conn, void *state);

#endif
