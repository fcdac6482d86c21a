/* SPDX-License-Identifier: MIT
 *
 * answer.c - writes a response onto the connection, framed as HTTP/1.1 (RFC 9112, section 6).
 *
 * The body's end is told by a Content-Length, where the whole of it is there with the head or the
 * handler said one; else by chunks, or in HTTP/1.0 by closing. Each part goes out in one write with
 * the head or the chunk's frame around it, and in one piece where it is small. After an error the
 * client can't tell where it stands, so nothing more is sent, and the connection is closed.
 */
#include "http/date.h"
#include "http/wire.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FIXED = 512 };  /* what a head has besides the handler's headers, generously */
enum { SMALL = 1024 }; /* up to so much is cheaper copied than handed over as one piece more */

static struct belay__wire *wire_of(struct belay__sink *sink)
{
	return (struct belay__wire *)(void *)((char *)sink - offsetof(struct belay__wire, sink));
}

/* ---- The head -------------------------------------------------------------------------------- */

/* Room for the head and so much behind it. */
static int reserve_head(struct belay__wire *wire, const struct belay_response *res, size_t more)
{
	size_t size = FIXED + res->headers.size + 4 * res->headers.count + more;
	char *head;

	if (size <= wire->head_room)
		return 0;
	head = belay__realloc(wire->head, size);
	if (!head)
		return -ENOMEM;
	wire->head = head;
	wire->head_room = size;
	return 0;
}

/* Room for all of it has been reserved. Every answer has a head: so without printf(3). */
static void put_bytes(struct belay__wire *wire, const void *bytes, size_t size)
{
	memcpy(wire->head + wire->head_size, bytes, size);
	wire->head_size += size;
}

/* Inline: of most the length is known when this is compiled. */
static inline void put(struct belay__wire *wire, const char *text)
{
	put_bytes(wire, text, strlen(text));
}

static void put_number(struct belay__wire *wire, size_t number)
{
	char digits[24], *end = digits + sizeof digits, *at = end;

	do
		*--at = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	put_bytes(wire, at, (size_t)(end - at));
}

static void put_header(struct belay__wire *wire, const char *name, const char *value)
{
	put(wire, name);
	put(wire, ": ");
	put(wire, value);
	put(wire, "\r\n");
}

/* Headers that frame the message are put by the server itself. */
static void put_headers(struct belay__wire *wire, const struct belay_response *res)
{
	for (size_t i = 0; i < res->headers.count; i++) {
		const char *name = belay__headers_name(&res->headers, i);

		if (belay__same_name(name, "connection") ||
		    (res->status == 204 && belay__same_name(name, "content-length")))
			continue;
		put_header(wire, name, belay__headers_value(&res->headers, i));
	}
}

static void put_date(struct belay__wire *wire, const struct belay_response *res)
{
	char date[BELAY__DATE_SIZE];

	if (belay__headers_get(&res->headers, "date"))
		return;
	belay__date_now(date);
	put_header(wire, "Date", date);
}

static void put_framing(struct belay__wire *wire, const struct belay_response *res, size_t size,
			enum belay__part part)
{
	if (!belay__has_body(res->status) || res->declared >= 0)
		return;
	if (part == BELAY__PART_LAST) {
		put(wire, "Content-Length: ");
		put_number(wire, size);
		put(wire, "\r\n");
	} else if (wire->chunked) {
		put_header(wire, "Transfer-Encoding", "chunked");
	}
}

static void put_connection(struct belay__wire *wire)
{
	if (!wire->keep_alive)
		put_header(wire, "Connection", "close");
	else if (wire->msg.minor == 0)
		put_header(wire, "Connection", "keep-alive");
}

/* Where the body's end can't be told but by closing, it is. The request's body is not looked at
 * where the connection closes anyhow: its handler may be reading it in another task. */
static void choose_framing(struct belay__wire *wire, const struct belay_response *res,
			   enum belay__part part)
{
	const char *connection = belay__headers_get(&res->headers, "connection");
	bool unknown = part != BELAY__PART_LAST && res->declared < 0;

	wire->chunked = unknown && belay__has_body(res->status) && wire->msg.minor > 0;
	if (connection && belay__same_name(connection, "close"))
		wire->keep_alive = false;
	if (wire->keep_alive &&
	    ((unknown && wire->msg.minor == 0) || !belay__body_can_drain(wire)))
		wire->keep_alive = false;
}

static int compose_head(struct belay__wire *wire, const struct belay_response *res, size_t size,
			enum belay__part part)
{
	int r = reserve_head(wire, res, size <= SMALL ? size : 0);

	if (r < 0)
		return r;
	choose_framing(wire, res, part);
	wire->head_size = 0;
	put(wire, "HTTP/1.1 ");
	put_number(wire, (size_t)res->status);
	put(wire, " ");
	put(wire, belay_http_phrase(res->status));
	put(wire, "\r\n");
	put_headers(wire, res);
	put_date(wire, res);
	put_framing(wire, res, size, part);
	put_connection(wire);
	put(wire, "\r\n");
	return 0;
}

/* ---- Parts ----------------------------------------------------------------------------------- */

/* A part as up to four pieces: head, chunk's size, data, chunk's end. */
struct pieces {
	struct iovec iov[4];
	int count;
	char size[24];
};

static void add(struct pieces *p, const void *data, size_t size)
{
	struct iovec *iov = &p->iov[p->count];

	if (size == 0)
		return;
	memcpy(&iov->iov_base, &data, sizeof data);
	iov->iov_len = size;
	p->count++;
}

static void add_chunk(struct pieces *p, const void *data, size_t size, bool last)
{
	const char *end = last ? (size > 0 ? "\r\n0\r\n\r\n" : "0\r\n\r\n") : "\r\n";

	if (size > 0) {
		add(p, p->size, (size_t)snprintf(p->size, sizeof p->size, "%zx\r\n", size));
		add(p, data, size);
	}
	if (size > 0 || last)
		add(p, end, strlen(end));
}

static int send_part(belay_ctx *ctx, struct belay__wire *wire, const struct belay_response *res,
		     const void *data, size_t size, enum belay__part part)
{
	struct pieces p;

	p.count = 0;
	if (!wire->answered) {
		int r = compose_head(wire, res, size, part);

		if (r < 0)
			return r;
		if (size > 0 && size <= SMALL && !wire->chunked && belay__response_has_body(res)) {
			put_bytes(wire, data, size);
			size = 0;
		}
		add(&p, wire->head, wire->head_size);
	}
	if (belay__response_has_body(res) && wire->chunked)
		add_chunk(&p, data, size, part == BELAY__PART_LAST);
	else if (belay__response_has_body(res))
		add(&p, data, size);
	return p.count > 0 ? belay__wire_write(ctx, wire, p.iov, p.count, NULL) : 0;
}

static int send_alone(belay_ctx *ctx, struct belay__wire *wire, const struct belay_response *res,
		      const void *data, size_t size, enum belay__part part)
{
	int r = belay_mutex_lock(ctx, &wire->output);

	if (r < 0)
		return r;
	r = wire->garbled ? -EPIPE : send_part(ctx, wire, res, data, size, part);
	wire->answered = true;
	belay_mutex_unlock(&wire->output);
	return r;
}

void belay__answer_begin(struct belay__wire *wire, bool keep_alive)
{
	wire->keep_alive = keep_alive;
	wire->answered = wire->garbled = wire->chunked = false;
	wire->error = 0;
}

int belay__answer_send(belay_ctx *ctx, struct belay__sink *sink, struct belay_response *res,
		       const void *data, size_t size, enum belay__part part)
{
	struct belay__wire *wire = wire_of(sink);

	/* what the handler promised and did not keep is told by closing */
	if (!wire->error && part == BELAY__PART_LAST && !belay__response_is_complete(res))
		wire->error = -EBADMSG;
	if (!wire->error)
		wire->error = send_alone(ctx, wire, res, data, size, part);
	if (wire->error)
		wire->keep_alive = false;
	return wire->error;
}

/* Where the body has no frame of its own but its length, a file can go out as it is. */
static int send_file_alone(belay_ctx *ctx, struct belay__wire *wire, int fd, off_t offset,
			   size_t size)
{
	int r = belay_mutex_lock(ctx, &wire->output);

	if (r < 0)
		return r;
	r = wire->garbled ? -EPIPE : belay__wire_send_file(ctx, wire, fd, offset, size);
	belay_mutex_unlock(&wire->output);
	return r;
}

int belay__answer_send_file(belay_ctx *ctx, struct belay__sink *sink, struct belay_response *res,
			    int fd, off_t offset, size_t size)
{
	struct belay__wire *wire = wire_of(sink);
	int r = wire->error;

	if (r == 0 && (wire->chunked || !wire->answered))
		return -EOPNOTSUPP;
	if (r == 0)
		r = send_file_alone(ctx, wire, fd, offset, size);
	if (r == 0 || r == -EOPNOTSUPP)
		return r;
	wire->keep_alive = false;
	return wire->error = r;
}
