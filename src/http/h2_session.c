/* SPDX-License-Identifier: MIT
 *
 * h2_session.c - what nghttp2 asks and tells: the frames of a connection, and what is too many of
 * them.
 *
 * nghttp2 knows the protocol: it checks frames, headers and lengths, keeps the windows, and answers
 * what is against the rules by RST_STREAM or GOAWAY. It is one session for one task at a time: all
 * here runs with the connection's lock held, and calls nobody's code.
 *
 * Floods      What costs the client nothing and brings nothing is limited. nghttp2 limits resets,
 *             CONTINUATION frames, and answers to PING and SETTINGS that wait to be sent. What is
 *             left (PING and SETTINGS that are answered in time, PRIORITY, WINDOW_UPDATE, empty
 *             DATA, HEADERS that begin nothing, what makes the server reset streams) is counted, as
 *             of late, and as it comes rather than as it is answered where it can be: an answer may
 *             lie for long behind what a client does not read. Requests and bytes of bodies, in or
 *             out, pay for some of it. So are the bytes of frames that nghttp2
 *             passes over without a word: unknown ones, and those for streams that are over.
 */
#include "http/h2.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

enum { FRAME_HEAD = 9, REQUEST_PAYS = 8, BYTES_PAY = 512, FIRST_ROOM = 4096 };

static struct belay__h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* ---- Floods ---------------------------------------------------------------------------------- */

static void pay(struct belay__h2 *h2, int64_t frames)
{
	h2->useless = h2->useless > frames ? h2->useless - frames : 0;
}

/* Of a frame that has begun, and was counted, the rest may still have to come. */
static void forgive(struct belay__h2 *h2)
{
	if (h2->now - h2->useless_since <= BELAY__H2_USELESS_TIME)
		return;
	h2->useless_since = h2->now;
	h2->useless = 0;
	h2->unseen = h2->unseen < 0 ? h2->unseen : 0;
}

void belay__h2_count_useless(struct belay__h2 *h2)
{
	forgive(h2);
	if (++h2->useless == BELAY__H2_USELESS)
		nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* Each frame that we are told of is taken off in full when it begins. */
void belay__h2_count_read(struct belay__h2 *h2, size_t size)
{
	forgive(h2);
	h2->unseen += (int64_t)size;
	if (h2->unseen > BELAY__H2_UNSEEN && !belay__h2_is_lost(h2))
		nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

void belay__h2_count_moved(struct belay__h2 *h2, size_t size)
{
	h2->moved += size;
	pay(h2, (int64_t)(h2->moved / BYTES_PAY));
	h2->moved %= BYTES_PAY;
}

/* ---- Frames that come ------------------------------------------------------------------------ */

static bool is_request(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

/* A DATA frame that has something in it pays for itself, and HEADERS that begin something: those
 * of streams that are over or too many do not, of which each of the latter is refused by a frame
 * that waits to be sent. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct belay__h2 *h2 = arg;

	h2->unseen -= FRAME_HEAD + (int64_t)hd->length;
	if (hd->type == NGHTTP2_CONTINUATION)
		return 0;
	if (hd->type != NGHTTP2_HEADERS)
		h2->head_by = BELAY_FOREVER;
	belay__h2_count_useless(h2);
	return 0;
}

static int64_t later(int64_t now, int64_t ns)
{
	return ns > BELAY_FOREVER - now ? BELAY_FOREVER : now + ns;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct belay__h2 *h2 = arg;
	struct belay__h2_stream *s;

	pay(h2, 1);
	h2->head_by = later(h2->now, h2->server->options.header_time);
	if (!is_request(frame))
		return 0;
	s = belay__h2_stream_new(h2, frame->hd.stream_id);
	if (!s) {
		h2->head_by = BELAY_FOREVER; /* nobody is told of its end */
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, s);
	return 0;
}

/* What was wrong with headers may show before their end, of which nobody is told then. */
static int on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int err, void *arg)
{
	struct belay__h2 *h2 = arg;

	if (frame->hd.type == NGHTTP2_HEADERS)
		h2->head_by = BELAY_FOREVER;
	return 0;
}

/* Trailers are thrown away, as in HTTP/1.1. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
		     void *arg)
{
	struct belay__h2_stream *s = stream_of(session, frame->hd.stream_id);

	if (s && is_request(frame))
		belay__h2_field(s, name, name_size, value, value_size);
	return 0;
}

/* Where a client says nothing of priorities, its streams share the connection: by RFC 9218 one
 * answer would wait for the end of the one before it. */
static void share_fairly(struct belay__h2_stream *s)
{
	const nghttp2_extpri fair = {NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};

	if (!s->seen_priority)
		nghttp2_session_change_extpri_stream_priority(s->h2->session, s->id, &fair, 0);
}

static void end_body(struct belay__h2_stream *s, const nghttp2_frame *frame)
{
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return;
	s->in_done = true;
	belay__h2_tell(s, BELAY__H2_TELL_IN);
}

static void take_request(struct belay__h2_stream *s)
{
	belay__h2_fields_end(s);
	share_fairly(s);
	belay__h2_stream_ready(s);
}

static void take_ping(struct belay__h2 *h2, const nghttp2_frame *frame)
{
	if (!(frame->hd.flags & NGHTTP2_FLAG_ACK) || !h2->closing)
		return;
	h2->final_by = h2->now; /* what was on its way when the shutdown began is here */
	h2->heard = true;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct belay__h2_stream *s = stream_of(session, frame->hd.stream_id);
	struct belay__h2 *h2 = arg;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		h2->head_by = BELAY_FOREVER;
		if (s)
			end_body(s, frame);
		if (s && is_request(frame))
			take_request(s);
		break;
	case NGHTTP2_DATA:
		if (s)
			end_body(s, frame);
		break;
	case NGHTTP2_RST_STREAM:
		if (s)
			s->reset = true;
		break;
	case NGHTTP2_PING:
		take_ping(h2, frame);
		break;
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		   size_t size, void *arg)
{
	struct belay__h2_stream *s = stream_of(session, id);
	struct belay__h2 *h2 = arg;

	pay(h2, 1);
	belay__h2_count_moved(h2, size);
	if (s)
		belay__h2_body_add(s, data, size);
	else
		nghttp2_session_consume(session, id, size);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct belay__h2_stream *s = stream_of(session, id);
	struct belay__h2 *h2 = arg;

	if (!s)
		return 0;
	nghttp2_session_set_stream_user_data(session, id, NULL);
	belay__h2_stream_closed(s, code);
	if (h2->open == 0)
		h2->open_until = later(h2->now, h2->server->options.idle_time);
	return 0;
}

/* ---- Frames that go -------------------------------------------------------------------------- */

int belay__h2_put(struct belay__h2 *h2, const void *data, size_t size)
{
	size_t room = h2->room ? h2->room : FIRST_ROOM;
	char *buf;

	while (room - h2->size < size)
		room *= 2;
	if (room > h2->room) {
		buf = belay__realloc(h2->buf, room);
		if (!buf)
			return -ENOMEM;
		h2->buf = buf;
		h2->room = room;
	}
	memcpy(h2->buf + h2->size, data, size);
	h2->size += size;
	return 0;
}

/* One call for frames goes on from one DATA frame to the next, through all streams, until it is
 * told to pause. */
static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head,
			size_t length, nghttp2_data_source *source, void *arg)
{
	struct belay__h2 *h2 = arg;

	if (belay__h2_answer_put(source->ptr, frame_head, length) < 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return h2->size < BELAY__H2_WRITE ? 0 : NGHTTP2_ERR_PAUSE;
}

/* A request pays once it has been answered: one that is reset before that is no excuse for others.
 * The rest of it is not wanted then (RFC 9113, section 8.1). */
static void end_answer(struct belay__h2_stream *s)
{
	pay(s->h2, REQUEST_PAYS);
	if (!s->in_done)
		nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id,
					  NGHTTP2_NO_ERROR);
	s->ended = true;
}

/* What resets a stream for its client's fault counts, but for refusals: their HEADERS have. */
static bool is_blame(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_RST_STREAM &&
	       frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
	       frame->rst_stream.error_code != NGHTTP2_REFUSED_STREAM;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct belay__h2_stream *s = stream_of(session, frame->hd.stream_id);
	bool ends = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;

	if (is_blame(frame))
		belay__h2_count_useless(arg);
	if (s && ends && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		end_answer(s);
	return 0;
}

/* ---- Making one ------------------------------------------------------------------------------ */

static void set_callbacks(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
}

static void set_options(nghttp2_option *option)
{
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_max_outbound_ack(option, BELAY__H2_ACKS);
	nghttp2_option_set_stream_reset_rate_limit(option, BELAY__H2_RESETS,
						   BELAY__H2_RESET_RATE);
	nghttp2_option_set_max_continuations(option, BELAY__H2_CONTINUATIONS);
	nghttp2_option_set_max_send_header_block_length(option, BELAY__H2_HEAD);
}

static int submit_settings(struct belay__h2 *h2)
{
	const struct belay_server_options *options = &h2->server->options;
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, BELAY__H2_STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
		 options->header_size < UINT32_MAX ? (uint32_t)options->header_size : UINT32_MAX},
		{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	};
	int r = nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
					sizeof settings / sizeof *settings);

	if (r == 0)
		r = nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
							  BELAY__H2_CONNECTION_WINDOW);
	return r == 0 ? 0 : -ENOMEM;
}

static int make(struct belay__h2 *h2, nghttp2_session_callbacks *callbacks, nghttp2_option *option)
{
	set_callbacks(callbacks);
	set_options(option);
	return nghttp2_session_server_new3(&h2->session, callbacks, h2, option,
					   &h2->memory.calls) == 0
		       ? submit_settings(h2)
		       : -ENOMEM;
}

int belay__h2_session_init(struct belay__h2 *h2)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	int r = -ENOMEM;

	if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0)
		r = make(h2, callbacks, option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	return r;
}
