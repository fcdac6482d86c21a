/* SPDX-License-Identifier: MIT
 *
 * h2_answer.c - an answer on a stream: HEADERS, and DATA as the client's windows have room.
 *
 * The last part of a body stands in the response's buffer, which nobody writes to any more and
 * which lives as long as the stream: it is sent from there, and its handler's task need not wait
 * for it. What comes before the last part goes into a ring of BELAY__H2_OUT bytes, and a handler
 * that is that far ahead of its client waits. A stream of which nothing could be sent for the
 * server's patience is reset: here where its handler waits, by the connection where it has
 * returned.
 *
 * Invariants  out[out_start...] (a ring) comes before tail. last: nothing follows that.
 *             deferred: the session has asked for more, there was none, and it has to be told.
 */
#include "http/h2.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FRAME_HEAD = 9 }; /* RFC 9113, section 4.1 */

static struct belay__h2_stream *stream_of(struct belay__sink *sink)
{
	return belay__container(sink, struct belay__h2_stream, sink);
}

/* ---- The head -------------------------------------------------------------------------------- */

enum { FEW = 24, BESIDES = 3 }; /* the status, the date, a length */

struct head {
	nghttp2_nv few[FEW], *fields;
	size_t count;
	nghttp2_nv *date; /* where it belongs; NULL: the handler has set one */
	char status[4];
};

static int head_init(struct head *head, const struct belay_response *res)
{
	size_t most = res->headers.count + BESIDES;

	head->fields = most <= FEW ? head->few : belay__malloc(most * sizeof *head->fields);
	head->count = 0;
	head->date = NULL;
	return head->fields ? 0 : -ENOMEM;
}

static void head_fini(struct head *head)
{
	if (head->fields != head->few)
		belay__free(head->fields);
}

/* flags: whose strings stay until the frame has been sent. */
static nghttp2_nv *put(struct head *head, const char *name, const char *value, size_t value_size,
		       uint8_t flags)
{
	nghttp2_nv *field = &head->fields[head->count++];

	memcpy(&field->name, &name, sizeof name);
	memcpy(&field->value, &value, sizeof value);
	field->namelen = strlen(name);
	field->valuelen = value_size;
	field->flags = flags;
	return field;
}

/* RFC 9113, section 8.2.2: what says how a connection of HTTP/1.1 goes on. */
static bool is_of_a_connection(const char *name)
{
	static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
					    "transfer-encoding", "upgrade"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (belay__same_name(name, names[i]))
			return true;
	return false;
}

/* In place: nobody adds to the list any more, and names are the same in any case. */
static void fold(char *name)
{
	for (; *name; name++)
		if (*name >= 'A' && *name <= 'Z')
			*name = (char)(*name - 'A' + 'a');
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Section 8.2.1: a value has no space at its ends. */
static void put_trimmed(struct head *head, const char *name, const char *value)
{
	size_t size;

	while (is_blank(*value))
		value++;
	size = strlen(value);
	while (size > 0 && is_blank(value[size - 1]))
		size--;
	put(head, name, value, size,
	    NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

static void put_headers(struct head *head, struct belay_response *res)
{
	for (size_t i = 0; i < res->headers.count; i++) {
		char *name = res->headers.text + res->headers.items[i].name;

		fold(name);
		if (!is_of_a_connection(name) &&
		    !(res->status == 204 && belay__same_name(name, "content-length")))
			put_trimmed(head, name, belay__headers_value(&res->headers, i));
	}
}

static void compose(struct head *head, struct belay__h2_stream *s, struct belay_response *res,
		    size_t size, enum belay__part part)
{
	snprintf(head->status, sizeof head->status, "%u", (unsigned)res->status % 1000);
	put(head, ":status", head->status, 3, NGHTTP2_NV_FLAG_NO_COPY_NAME);
	put_headers(head, res);
	if (!belay__headers_get(&res->headers, "date"))
		head->date = put(head, "date", "", 0, NGHTTP2_NV_FLAG_NO_COPY_NAME);
	if (part == BELAY__PART_LAST && res->declared < 0 && belay__has_body(res->status))
		put(head, "content-length", s->length,
		    (size_t)snprintf(s->length, sizeof s->length, "%zu", size),
		    NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

/* ---- The session asks, with the lock held ---------------------------------------------------- */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t most,
			 uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct belay__h2_stream *s = source->ptr;
	size_t size = s->out_used + s->tail_size;

	if (size == 0 && s->cut)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (size == 0 && !s->last) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (s->last && size <= most)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)(size < most ? size : most);
}

/* As much of the ring as stands in one piece, or of the tail behind it. */
static size_t put_piece(struct belay__h2_stream *s, size_t most, int *err)
{
	bool ring = s->out_used > 0;
	size_t there = ring ? s->out_used : s->tail_size;
	size_t to_edge = ring ? BELAY__H2_OUT - s->out_start : there;
	size_t size = there < to_edge ? there : to_edge;

	size = size < most ? size : most;
	*err = belay__h2_put(s->h2, ring ? s->out + s->out_start : s->tail, size);
	if (ring) {
		s->out_start = (s->out_start + size) % BELAY__H2_OUT;
		s->out_used -= size;
	} else {
		s->tail += size;
		s->tail_size -= size;
	}
	return size;
}

int belay__h2_answer_put(struct belay__h2_stream *s, const uint8_t *frame_head, size_t length)
{
	int r = belay__h2_put(s->h2, frame_head, FRAME_HEAD);

	for (size_t left = length; r == 0 && left > 0;)
		left -= put_piece(s, left, &r);
	s->moved_at = s->h2->now;
	if (s->out_used <= BELAY__H2_OUT / 2)
		belay__h2_tell(s, BELAY__H2_TELL_ROOM);
	belay__h2_count_moved(s->h2, length);
	return r;
}

/* ---- The handler gives ----------------------------------------------------------------------- */

static void set_date(struct belay__h2 *h2, nghttp2_nv *field)
{
	belay__date_now(h2->date);
	field->value = (uint8_t *)h2->date;
	field->valuelen = BELAY__DATE_SIZE - 1;
}

static int submit_head(struct belay__h2_stream *s, struct head *head, bool has_body)
{
	const nghttp2_data_provider body = {.source = {.ptr = s}, .read_callback = read_body};
	int r;

	if (head->date)
		set_date(s->h2, head->date);
	r = nghttp2_submit_response(s->h2->session, s->id, head->fields, head->count,
				    has_body ? &body : NULL);
	if (r != 0)
		return r == NGHTTP2_ERR_NOMEM ? -ENOMEM : -ECONNRESET;
	s->answered = true;
	s->has_body = has_body;
	return 0;
}

static void resume(struct belay__h2_stream *s)
{
	if (s->deferred && !s->closed && !belay__h2_is_lost(s->h2))
		nghttp2_session_resume_data(s->h2->session, s->id);
	s->deferred = false;
}

void belay__h2_answer_cut(struct belay__h2_stream *s)
{
	if (!s->answered)
		belay__h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
	if (s->answered && s->has_body && !s->last) {
		s->cut = true;
		s->moved_at = s->h2->now;
		resume(s);
	}
}

/* How much fits into the ring; or an error. */
static ssize_t put_ring(struct belay__h2_stream *s, const char *data, size_t size)
{
	size_t at, piece;

	if (!s->out)
		s->out = belay__malloc(BELAY__H2_OUT);
	if (!s->out)
		return -ENOMEM;
	if (size > BELAY__H2_OUT - s->out_used)
		size = BELAY__H2_OUT - s->out_used;
	at = (s->out_start + s->out_used) % BELAY__H2_OUT;
	piece = size < BELAY__H2_OUT - at ? size : BELAY__H2_OUT - at;
	memcpy(s->out + at, data, piece);
	memcpy(s->out, data + piece, size - piece);
	s->out_used += size;
	return (ssize_t)size;
}

/* What the writer is told of a stream that can't take more; 0: it can. */
static int check(belay_ctx *ctx, const struct belay__h2_stream *s)
{
	return s->closed || belay__h2_is_lost(s->h2) ? belay__h2_gone(ctx) : 0;
}

/* A count; 0: the writer has to wait, and will be told; or an error. */
static ssize_t put_some(belay_ctx *ctx, struct belay__h2_stream *s, const char *data, size_t size)
{
	ssize_t n = check(ctx, s);

	if (n == 0)
		n = put_ring(s, data, size);
	if (n > 0)
		resume(s);
	s->room.waits = n == 0;
	return n;
}

static int give_up(struct belay__h2_stream *s, int err)
{
	if (err != -ETIMEDOUT)
		return err;
	belay__h2_lock(s->h2);
	belay__h2_stream_reset(s, NGHTTP2_CANCEL);
	belay__h2_unlock(s->h2);
	return err;
}

static int pour(belay_ctx *ctx, struct belay__h2_stream *s, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n;
		int r = 0;

		belay__h2_lock(s->h2);
		n = put_some(ctx, s, data, size);
		belay__h2_unlock(s->h2);
		if (n < 0)
			return (int)n;
		if (n == 0)
			r = belay__h2_await(ctx, &s->room, s->h2->server->options.idle_time);
		if (r < 0)
			return give_up(s, r);
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static void end(struct belay__h2_stream *s, const char *data, size_t size)
{
	s->tail = data;
	s->tail_size = size;
	s->last = true;
	s->moved_at = s->h2->now;
	resume(s);
}

/* The head, where it has not been sent, and the last part. */
static int open_and_end(belay_ctx *ctx, struct belay__h2_stream *s, struct head *head,
			const struct belay_response *res, const char *data, size_t size,
			enum belay__part part)
{
	bool last = part == BELAY__PART_LAST, has_body = belay__response_has_body(res);
	int r;

	belay__h2_lock(s->h2);
	r = check(ctx, s);
	if (r == 0 && head)
		r = submit_head(s, head, has_body && !(last && size == 0));
	if (r == 0 && last)
		end(s, data, has_body ? size : 0);
	belay__h2_unlock(s->h2);
	return r;
}

int belay__h2_answer_send(belay_ctx *ctx, struct belay__sink *sink, struct belay_response *res,
			  const void *data, size_t size, enum belay__part part)
{
	struct belay__h2_stream *s = stream_of(sink);
	struct head head = {.fields = NULL};
	int r;

	if (part == BELAY__PART_LAST && !belay__response_is_complete(res))
		return -EBADMSG; /* the stream will be reset */
	if (!s->answered) {
		r = head_init(&head, res);
		if (r < 0)
			return r;
		compose(&head, s, res, size, part);
	}
	r = open_and_end(ctx, s, head.fields ? &head : NULL, res, data, size, part);
	head_fini(&head);
	if (r == 0 && part != BELAY__PART_LAST && belay__response_has_body(res))
		r = pour(ctx, s, data, size);
	return r;
}
