/* SPDX-License-Identifier: MIT
 *
 * h2_body.c - the body of a request on a stream: what has come and has not been read.
 *
 * Back-pressure  The client may send as much as the stream's window has room for, and all streams
 *                together as much as the connection's has; both are opened again (WINDOW_UPDATE) as
 *                the handler reads, not before. So what waits here is bounded by the windows.
 * Invariants     in[in_start..in_end) has come and has not been read; for each of these bytes the
 *                session is told once that it is consumed.
 */
#include "http/h2.h"
#include "http/pace.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

enum { FIRST_ROOM = 4096 };

static struct belay__h2_stream *stream_of(struct belay__source *source)
{
	return belay__container(source, struct belay__h2_stream, source);
}

/* ---- In, with the lock held ------------------------------------------------------------------ */

static size_t unread(const struct belay__h2_stream *s)
{
	return s->in_end - s->in_start;
}

/* Room for size bytes more behind what is there. */
static int reserve(struct belay__h2_stream *s, size_t size)
{
	size_t room = s->in_room ? s->in_room : FIRST_ROOM;
	char *in;

	if (s->in_start > 0)
		memmove(s->in, s->in + s->in_start, unread(s));
	s->in_end -= s->in_start;
	s->in_start = 0;
	while (room - s->in_end < size)
		room *= 2;
	if (room == s->in_room)
		return 0;
	in = belay__realloc(s->in, room);
	if (!in)
		return -ENOMEM;
	s->in = in;
	s->in_room = room;
	return 0;
}

void belay__h2_body_add(struct belay__h2_stream *s, const void *data, size_t size)
{
	int r = s->deaf || s->in_failed ? -EPIPE : 0;

	if (r == 0 && s->in_room - s->in_end < size)
		r = reserve(s, size);
	if (r < 0) {
		nghttp2_session_consume(s->h2->session, s->id, size);
		if (r == -ENOMEM)
			belay__h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
		return;
	}
	memcpy(s->in + s->in_end, data, size);
	s->in_end += size;
	belay__h2_tell(s, BELAY__H2_TELL_IN);
}

/* A stream that is closed has no window any more, but the connection has. */
static void consume(struct belay__h2_stream *s, size_t size)
{
	if (size == 0)
		return;
	if (!s->closed && !belay__h2_is_lost(s->h2))
		nghttp2_session_consume(s->h2->session, s->id, size);
}

void belay__h2_body_drop(struct belay__h2_stream *s)
{
	consume(s, unread(s));
	s->in_start = s->in_end = 0;
	s->deaf = true;
}

/* ---- Out ------------------------------------------------------------------------------------- */

static void send_continue(struct belay__h2_stream *s)
{
	static uint8_t name[] = ":status", value[] = "100";
	const nghttp2_nv status = {name, value, 7, 3,
				   NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};

	if (s->wants_continue && !s->answered && !s->closed)
		nghttp2_submit_headers(s->h2->session, NGHTTP2_FLAG_NONE, s->id, NULL, &status, 1,
				       NULL);
	s->wants_continue = false;
}

static size_t move_out(struct belay__h2_stream *s, void *buf, size_t size)
{
	size_t n = unread(s) < size ? unread(s) : size;

	memcpy(buf, s->in + s->in_start, n);
	s->in_start += n;
	s->taken += n;
	consume(s, n);
	return n;
}

/* A count, 0 at the end, -EAGAIN: the reader has to wait, and will be told; or an error. */
static ssize_t take(belay_ctx *ctx, struct belay__h2_stream *s, void *buf, size_t size)
{
	size_t n;

	if (s->in_failed)
		return s->in_failed;
	if (unread(s) > 0) {
		n = move_out(s, buf, size);
		if (s->taken > s->h2->server->options.body_size)
			s->in_failed = -EMSGSIZE;
		return s->in_failed ? s->in_failed : (ssize_t)n;
	}
	if (s->in_done)
		return 0;
	if (s->closed || belay__h2_is_lost(s->h2))
		return belay__h2_gone(ctx);
	send_continue(s);
	s->more.waits = true;
	s->held_up = nghttp2_session_get_local_window_size(s->h2->session) <= 0;
	return -EAGAIN;
}

/* What others leave unread, with all of the connection's window, is not the client's fault. */
static int await(belay_ctx *ctx, struct belay__h2_stream *s)
{
	const struct belay_server_options *options = &s->h2->server->options;
	const struct belay__pace pace = {options->body_rate, options->body_grace};
	int64_t start, patience = options->idle_time;
	int r;

	if (s->held_up)
		return belay__h2_await(ctx, &s->more, patience);
	patience = belay__pace_patience(&pace, s->taken, s->waited, patience);
	start = belay_now();
	r = belay__h2_await(ctx, &s->more, patience);
	s->waited += belay_now() - start;
	return r;
}

ssize_t belay__h2_body_read(belay_ctx *ctx, struct belay__source *source, void *buf, size_t size)
{
	struct belay__h2_stream *s = stream_of(source);

	for (;;) {
		ssize_t n;

		belay__h2_lock(s->h2);
		n = take(ctx, s, buf, size);
		belay__h2_unlock(s->h2);
		if (n == -EAGAIN)
			n = await(ctx, s);
		else
			return n;
		if (n < 0)
			return n;
	}
}
