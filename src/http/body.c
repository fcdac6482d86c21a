/* SPDX-License-Identifier: MIT
 *
 * body.c - reads a request's body off the connection.
 *
 * "100 Continue" is sent when the handler first asks for the body, and not at all where the answer
 * has begun by then. A body that nobody read must be taken off the connection before the next
 * request, or the connection closed; a client that waits for the 100 may send it or not, so that
 * nothing behind it can be told from it.
 */
#include "http/wire.h"

#include <errno.h>

enum { BODY_ROOM = 65536 };

static struct belay__wire *wire_of(struct belay__source *source)
{
	return (struct belay__wire *)(void *)((char *)source -
					      offsetof(struct belay__wire, source));
}

static int write_continue(belay_ctx *ctx, struct belay__wire *wire)
{
	static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct iovec iov = {text, sizeof text - 1};
	size_t written = 0;
	int r = belay__wire_write(ctx, wire, &iov, 1, &written);

	wire->garbled = r < 0 && written > 0;
	wire->msg.wants_continue = r < 0;
	return r;
}

static int send_continue(belay_ctx *ctx, struct belay__wire *wire)
{
	int r = wire->msg.wants_continue ? belay_mutex_lock(ctx, &wire->output) : 0;

	if (r < 0 || !wire->msg.wants_continue)
		return r;
	if (wire->garbled)
		r = -EPIPE;
	else if (!wire->answered)
		r = write_continue(ctx, wire);
	belay_mutex_unlock(&wire->output);
	return r;
}

/* Decodes some of what has been read. How much; 0: nothing of the body was in it; an error. */
static ssize_t decode(struct belay__wire *wire, char *buf, size_t size)
{
	size_t there = wire->end - wire->start, produced;
	ssize_t used = belay__message_body(&wire->msg, wire->in + wire->start,
					   there < size ? there : size, buf, &produced);

	if (used < 0)
		return used;
	wire->start += (size_t)used;
	return wire->msg.body_size > wire->body_limit ? -EMSGSIZE : (ssize_t)produced;
}

/* Waits for more of it, for as long as its pace leaves to the client. */
static ssize_t fill(belay_ctx *ctx, struct belay__wire *wire)
{
	struct belay__message *msg = &wire->msg;
	int64_t patience = belay__pace_patience(&wire->pace, msg->body_size, msg->waited,
						wire->patience);
	int64_t start = belay_now();
	ssize_t n = belay__wire_fill(ctx, wire, BODY_ROOM, patience);

	msg->waited += belay_now() - start;
	return n;
}

static ssize_t read_some(belay_ctx *ctx, struct belay__wire *wire, void *buf, size_t size)
{
	int r = wire->msg.done ? 0 : send_continue(ctx, wire);
	ssize_t n = 0;

	if (r < 0)
		return r;
	while (n == 0 && !wire->msg.done) {
		if (wire->start == wire->end)
			n = fill(ctx, wire);
		if (n >= 0)
			n = decode(wire, buf, size);
	}
	return n;
}

ssize_t belay__body_read(belay_ctx *ctx, struct belay__source *source, void *buf, size_t size)
{
	struct belay__wire *wire = wire_of(source);
	ssize_t n = read_some(ctx, wire, buf, size);

	if (n < 0 && n != belay_err(ctx))
		wire->stuck = true;
	return n;
}

bool belay__body_can_drain(const struct belay__wire *wire)
{
	const struct belay__message *msg = &wire->msg;

	if (wire->stuck)
		return false;
	if (msg->done)
		return true;
	if (msg->wants_continue)
		return false;
	return msg->chunked || msg->length - msg->body_size <= wire->drain_limit;
}

/* One limit of time for all of it: nobody waits for what comes byte by byte and is not wanted. */
bool belay__body_drain(belay_ctx *ctx, struct belay__wire *wire)
{
	uint64_t end = wire->msg.body_size + wire->drain_limit;
	char waste[1024];
	belay_ctx *timed;
	ssize_t n = 1;

	if (wire->msg.done || !belay__body_can_drain(wire))
		return wire->msg.done;
	timed = belay_with_timeout(ctx, wire->patience);
	while (n > 0 && wire->msg.body_size <= end)
		n = belay__body_read(timed, &wire->source, waste, sizeof waste);
	belay_end(timed);
	return wire->msg.done;
}
