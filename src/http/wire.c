/* SPDX-License-Identifier: MIT
 *
 * wire.c - the bytes of a connection, in and out, with the server's patience.
 *
 * That a client has gone is noticed by Belay's watch on the socket as a rule, and here where a read
 * or a write comes first: either ends the connection's context, with the same cause.
 */
#include "http/file_body.h"
#include "http/wire.h"

#include "base/alloc.h"

#include <belay/conn_filter.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { FIRST_ROOM = 4096 };

void belay__wire_init(struct belay__wire *wire, belay_conn *conn, belay_ctx *ctx)
{
	*wire = (struct belay__wire){
		.conn = conn,
		.ctx = ctx,
		.source = {belay__body_read},
		.sink = {belay__answer_send, belay__answer_send_file},
		.output = BELAY_MUTEX_INIT,
	};
}

void belay__wire_fini(struct belay__wire *wire)
{
	belay__free(wire->in);
	belay__free(wire->head);
}

bool belay__wire_is_gone(const struct belay__wire *wire)
{
	belay_cause cause;

	return belay_cause_of(wire->ctx, &cause) == 0 && cause.code == -ECONNRESET;
}

/* The client has gone. What a call with ctx returns for that: mostly ctx's own error, since it
 * ended with the connection. */
static int lose(belay_ctx *ctx, struct belay__wire *wire)
{
	belay_cancel_cause_at(wire->ctx, -ECONNRESET, NULL, "client disconnected");
	return belay_err(ctx) < 0 ? belay_err(ctx) : -ECONNRESET;
}

/* An error of the socket's under a context that was derived from ctx to limit the wait. */
static int translate(belay_ctx *ctx, struct belay__wire *wire, int err)
{
	if (belay_err(ctx) < 0)
		return belay_err(ctx);
	if (err == -ETIME)
		return -ETIMEDOUT;
	return err == -EPIPE || err == -ECONNRESET ? lose(ctx, wire) : err;
}

/* ---- In -------------------------------------------------------------------------------------- */

/* Room behind the unused input: moved to the front first, then grown up to most. */
static int make_room(struct belay__wire *wire, size_t most)
{
	size_t unused = wire->end - wire->start, room = 2 * wire->room;
	char *in;

	if (unused >= most)
		return -EMSGSIZE;
	if (wire->start > 0)
		memmove(wire->in, wire->in + wire->start, unused);
	wire->start = 0;
	wire->end = unused;
	if (unused < wire->room)
		return 0;
	if (room < FIRST_ROOM)
		room = FIRST_ROOM;
	in = belay__realloc(wire->in, room);
	if (!in)
		return -ENOMEM;
	wire->in = in;
	wire->room = room;
	return 0;
}

ssize_t belay__wire_fill(belay_ctx *ctx, struct belay__wire *wire, size_t most, int64_t patience)
{
	int r = make_room(wire, most);
	belay_ctx *timed;
	ssize_t n;

	if (r < 0)
		return r;
	timed = belay_with_timeout(ctx, patience);
	n = belay_conn_read(timed, wire->conn, wire->in + wire->end, wire->room - wire->end);
	belay_end(timed);
	if (n > 0)
		wire->end += (size_t)n;
	if (n < 0)
		return translate(ctx, wire, (int)n);
	return n > 0 ? n : lose(ctx, wire);
}

/* ---- Out ------------------------------------------------------------------------------------- */

static int write_patiently(belay_ctx *ctx, struct belay__wire *wire, const struct iovec *iov,
			   int count, size_t *ret)
{
	belay_ctx *timed = belay_with_timeout(ctx, wire->patience);
	int r = belay_conn_writev(timed, wire->conn, iov, count, ret);

	belay_end(timed);
	return r;
}

/* Takes off piece what goes without a wait, if anything does. */
static ssize_t send_some(int fd, void *arg, unsigned *events)
{
	struct iovec *piece = arg;
	ssize_t n = send(fd, piece->iov_base, piece->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)events;
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	piece->iov_base = (char *)piece->iov_base + n;
	piece->iov_len -= (size_t)n;
	return n;
}

/* Most answers are one piece and go at once: where nobody waits no patience is counted. For a
 * connection without a filter, which would have to see the bytes: one that is not secure. */
static int write_piece(belay_ctx *ctx, struct belay__wire *wire, struct iovec piece, size_t *ret)
{
	ssize_t n = belay_conn_try(ctx, wire->conn, send_some, &piece);
	size_t more = 0;
	int r = n < 0 ? (int)n : 0;

	if (n >= 0 && piece.iov_len > 0)
		r = write_patiently(ctx, wire, &piece, 1, &more);
	if (ret)
		*ret = (n > 0 ? (size_t)n : 0) + more;
	return r;
}

int belay__wire_write(belay_ctx *ctx, struct belay__wire *wire, const struct iovec *iov, int count,
		      size_t *ret)
{
	int r = count == 1 && !belay_conn_is_secure(wire->conn)
			? write_piece(ctx, wire, *iov, ret)
			: write_patiently(ctx, wire, iov, count, ret);

	return r < 0 ? translate(ctx, wire, r) : 0;
}

static int send_piece(belay_ctx *ctx, struct belay__wire *wire, int fd, off_t offset, size_t size)
{
	belay_ctx *timed = belay_with_timeout(ctx, wire->patience);
	int r = belay_conn_sendfile(timed, wire->conn, fd, offset, size, NULL);

	belay_end(timed);
	return r < 0 ? translate(ctx, wire, r) : 0;
}

int belay__wire_send_file(belay_ctx *ctx, struct belay__wire *wire, int fd, off_t offset,
			  size_t size)
{
	size_t left = size;
	int r = 0;

	while (left > 0 && r == 0) {
		size_t piece = left < BELAY__FILE_PIECE ? left : BELAY__FILE_PIECE;

		r = belay__file_warm(ctx, fd, offset, piece);
		if (r == 0)
			r = send_piece(ctx, wire, fd, offset, piece);
		if (r == -EOPNOTSUPP && left < size)
			r = -EIO; /* it could a moment ago */
		offset += (off_t)piece;
		left -= piece;
	}
	return r;
}
