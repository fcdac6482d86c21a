/* SPDX-License-Identifier: MIT
 *
 * wire.h - HTTP/1.1 on a connection: what has been read and not yet used, the body that is being
 * read, the answer that is being written.
 */
#ifndef BELAY_SRC_HTTP_WIRE_H
#define BELAY_SRC_HTTP_WIRE_H

#include "http/message.h"
#include "http/pace.h"
#include "http/response.h"

#include <belay/sync.h>

struct belay__wire {
	belay_conn *conn;
	belay_ctx *ctx;    /* ends, and is ended here, when the client has gone */
	int64_t patience;  /* how long one read or write may wait for it        */

	/* Input. */
	char *in;
	size_t room, start, end; /* in[start..end) is not used yet */

	/* The request that is being read. */
	struct belay__message msg;
	struct belay__source source; /* of its body */
	uint64_t body_limit;
	struct belay__pace pace;     /* that its body has to keep */
	size_t drain_limit;
	bool stuck;                  /* nobody can tell where it ends, or wants to know */

	/* The answer; by the one who writes it. */
	struct belay__sink sink;
	bool keep_alive; /* another request may follow               */
	bool chunked;
	int error;       /* what every further part is answered with */

	/* A handler that reads on past its deadline may want to send "100 Continue" while another
	 * task answers for it: output is held for each write, and guards these two. */
	belay_mutex output;
	bool answered;   /* the head is out                          */
	bool garbled;    /* a "100 Continue" may be out in part      */

	char *head;
	size_t head_size, head_room;
};

/* wire.c. conn and ctx stay the caller's. */
void belay__wire_init(struct belay__wire *wire, belay_conn *conn, belay_ctx *ctx);
void belay__wire_fini(struct belay__wire *wire);

/* Has the client gone, as far as anybody knows? */
bool belay__wire_is_gone(const struct belay__wire *wire);

/* Reads more input behind what is there, for at most patience (BELAY_FOREVER: no limit), and up to
 * most bytes of unused input. How much came (> 0); the context's error; -ETIMEDOUT; -ECONNRESET:
 * the client has gone, and the wire's context has been ended for it; -EMSGSIZE: there are most
 * bytes already; -ENOMEM; -errno. */
ssize_t belay__wire_fill(belay_ctx *ctx, struct belay__wire *wire, size_t most, int64_t patience);

/* Writes all of it. 0, or errors as above, and *ret (may be NULL) is how much of it was written. */
int belay__wire_write(belay_ctx *ctx, struct belay__wire *wire, const struct iovec *iov, int count,
		      size_t *ret);

/* Writes size bytes of a file, with the patience anew for each 256 KiB of it. 0; errors as above;
 * -EOPNOTSUPP: this connection can't, and nothing was written. */
int belay__wire_send_file(belay_ctx *ctx, struct belay__wire *wire, int fd, off_t offset,
			  size_t size);

/* body.c. The source of wire->msg's body. */
ssize_t belay__body_read(belay_ctx *ctx, struct belay__source *source, void *buf, size_t size);

/* Whether what is left of the body can be read and thrown away, so that the connection is good for
 * another request; and does so: true where it got to the end. */
bool belay__body_can_drain(const struct belay__wire *wire);
bool belay__body_drain(belay_ctx *ctx, struct belay__wire *wire);

/* answer.c. Begins the answer to wire->msg; then the sink's send(). */
void belay__answer_begin(struct belay__wire *wire, bool keep_alive);
int belay__answer_send(belay_ctx *ctx, struct belay__sink *sink, struct belay_response *res,
		       const void *data, size_t size, enum belay__part part);
int belay__answer_send_file(belay_ctx *ctx, struct belay__sink *sink, struct belay_response *res,
			    int fd, off_t offset, size_t size);

#endif
