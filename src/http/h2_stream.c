/* SPDX-License-Identifier: MIT
 *
 * h2_stream.c - the life of a stream: made by the session, served by a task, kept for the next one.
 *
 * States      open: its fields come. Then ready: it waits for a task, since no more of them run at
 *             once than a client may have streams; a client that resets streams as fast as it
 *             opens them has no more handlers than that either, and one that was reset before a
 *             task was there is never begun. Then served, until its task has left. Apart from that
 *             the session closes it, before or after that.
 * References  one is the session's, from the HEADERS frame to the close; one is ready's and then
 *             the task's; one told's. The last one empties it and puts it away.
 * Contexts    a stream's own is a child of the connection's. It is made and taken away by the task;
 *             others find it in ctx, under the lock, and end it without: what hangs on it may be
 *             anybody's code.
 * Waiting     who waits sets the signal's `waits` under the lock, having seen that there is nothing
 *             for him, gives the lock back, and takes a permit. Who changes something takes `waits`
 *             back under the lock, and then gives a permit. So no permit is missing; one may be too
 *             many, where the one who waited was woken by his context, and makes the next wait look
 *             once more than it need.
 */
#include "http/exchange.h"
#include "http/h2.h"

#include "base/alloc.h"

#include <belay/task.h>

#include <errno.h>
#include <stdio.h>

/* What is kept of streams that are over. */
enum { KEPT_STREAMS = 100, KEPT_BUFFER = 4096, KEPT_LINE = 1024 };

/* ---- Memory ---------------------------------------------------------------------------------- */

static struct belay__h2_stream *stream_at(struct belay__list *link, size_t offset)
{
	return link ? (struct belay__h2_stream *)(void *)((char *)link - offset) : NULL;
}

static void stream_free(struct belay__h2_stream *s)
{
	belay__request_fini(&s->req);
	belay__response_fini(&s->res);
	belay__free(s->in);
	belay__free(s->out);
	belay__free(s);
}

static struct belay__h2_stream *take_kept(struct belay__h2 *h2)
{
	struct belay__list *link = belay__list_pop(&h2->kept);

	h2->kept_count -= link != NULL;
	return stream_at(link, offsetof(struct belay__h2_stream, all));
}

static struct belay__h2_stream *make(struct belay__h2 *h2)
{
	struct belay__h2_stream *s = belay__calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->h2 = h2;
	s->source.read = belay__h2_body_read;
	s->sink.send = belay__h2_answer_send;
	belay__response_init(&s->res, &s->sink);
	s->req.remote = belay_conn_peer(h2->conn);
	s->req.protocol = "HTTP/2";
	s->req.conn = h2->conn;
	return s;
}

/* Empties it but for what is worth keeping: the memory of its fields and a small answer. */
static void empty(struct belay__h2_stream *s)
{
	struct belay__h2_stream kept = {.h2 = s->h2, .source = s->source, .sink = s->sink};

	belay__request_reset(&s->req);
	belay__response_reset(&s->res);
	belay__free(s->in);
	belay__free(s->out);
	kept.req = s->req;
	kept.res = s->res;
	*s = kept;
	s->res.sink = &s->sink;
}

/* The target's parts take up to some 20 times as much as its line. */
static bool is_small(const struct belay__h2_stream *s)
{
	return s->res.room <= KEPT_BUFFER && s->res.headers.room <= KEPT_BUFFER &&
	       s->req.headers.room <= KEPT_BUFFER && s->req.line_room <= KEPT_LINE;
}

static void put_away(struct belay__h2_stream *s)
{
	struct belay__h2 *h2 = s->h2;

	belay__list_remove(&s->all);
	if (h2->kept_count >= KEPT_STREAMS || !is_small(s)) {
		stream_free(s);
		return;
	}
	empty(s);
	belay__list_append(&h2->kept, &s->all);
	h2->kept_count++;
}

struct belay__h2_stream *belay__h2_stream_new(struct belay__h2 *h2, int32_t id)
{
	struct belay__h2_stream *s = take_kept(h2);

	if (!s)
		s = make(h2);
	if (!s)
		return NULL;
	s->id = id;
	s->refs = 1;
	s->req.source = &s->source;
	s->res.awaited = true;
	belay__list_append(&h2->all, &s->all);
	h2->open++;
	h2->idle = false;
	return s;
}

void belay__h2_stream_unref(struct belay__h2_stream *s)
{
	if (--s->refs == 0)
		put_away(s);
}

static void free_all(struct belay__list *list)
{
	struct belay__h2_stream *s;

	while ((s = stream_at(belay__list_pop(list), offsetof(struct belay__h2_stream, all))))
		stream_free(s);
}

void belay__h2_streams_fini(struct belay__h2 *h2)
{
	free_all(&h2->all);
	free_all(&h2->kept);
}

/* ---- Telling --------------------------------------------------------------------------------- */

static bool take_waits(struct belay__h2_signal *signal)
{
	bool waits = signal->waits;

	signal->waits = false;
	return waits;
}

void belay__h2_tell(struct belay__h2_stream *s, unsigned what)
{
	unsigned news = 0;

	if ((what & BELAY__H2_TELL_END) && s->ctx)
		news |= BELAY__H2_TELL_END;
	if ((what & BELAY__H2_TELL_IN) && take_waits(&s->more))
		news |= BELAY__H2_TELL_IN;
	if ((what & BELAY__H2_TELL_ROOM) && take_waits(&s->room))
		news |= BELAY__H2_TELL_ROOM;
	if (news == 0)
		return;
	s->to_tell |= news;
	if (belay__list_linked(&s->told))
		return;
	s->refs++;
	belay__list_append(&s->h2->told, &s->told);
}

static void end_ctx(belay_ctx *ctx, bool reset, uint32_t code)
{
	belay_cancel_cause_at(ctx, -ECONNRESET, NULL,
			      reset ? "client reset the stream (%s)" : "stream closed (%s)",
			      nghttp2_http2_strerror(code));
	belay_unref(ctx);
}

/* What one stream is told, as it was when the lock was held. */
struct news {
	struct belay__h2_stream *s; /* NULL: there is none; else with told's reference */
	unsigned what;
	belay_ctx *ctx; /* a reference, where that is to be ended */
	bool reset;
	uint32_t code;
};

static struct news take_news(struct belay__h2 *h2)
{
	struct belay__h2_stream *s =
		stream_at(belay__list_pop(&h2->told), offsetof(struct belay__h2_stream, told));
	struct news news = {.s = s};

	if (!s)
		return news;
	news.what = s->to_tell;
	news.reset = s->reset;
	news.code = s->code;
	if ((news.what & BELAY__H2_TELL_END) && s->ctx)
		news.ctx = belay_ref(s->ctx);
	s->to_tell = 0;
	return news;
}

static void tell(const struct news *news)
{
	if (news->ctx)
		end_ctx(news->ctx, news->reset, news->code);
	if (news->what & BELAY__H2_TELL_IN)
		belay_sem_release(&news->s->more.sem, 1);
	if (news->what & BELAY__H2_TELL_ROOM)
		belay_sem_release(&news->s->room.sem, 1);
}

void belay__h2_deliver(struct belay__h2 *h2)
{
	struct news news = {.s = NULL};

	do {
		pthread_mutex_lock(&h2->lock);
		if (news.s)
			belay__h2_stream_unref(news.s);
		news = take_news(h2);
		pthread_mutex_unlock(&h2->lock);
		if (news.s)
			tell(&news);
	} while (news.s);
}

int belay__h2_await(belay_ctx *ctx, struct belay__h2_signal *signal, int64_t patience)
{
	belay_ctx *timed = belay_with_timeout(ctx, patience);
	int r = belay_sem_acquire(timed, &signal->sem, 1);

	belay_end(timed);
	if (belay_err(ctx) < 0)
		return belay_err(ctx);
	return r == -ETIME ? -ETIMEDOUT : r;
}

int belay__h2_gone(belay_ctx *ctx)
{
	return belay_err(ctx) < 0 ? belay_err(ctx) : -ECONNRESET;
}

/* ---- The task -------------------------------------------------------------------------------- */

/* Its context may be ended by others from now on. False: it, or all of the connection, was over
 * before it began, and no handler is asked. */
static bool adopt(struct belay__h2_stream *s, belay_ctx *ctx)
{
	bool live;

	belay__h2_lock(s->h2);
	live = !s->closed && belay_err(s->h2->ctx) == 0;
	s->ctx = ctx;
	belay__h2_unlock(s->h2);
	return live;
}

static bool is_gone(struct belay__h2_stream *s)
{
	bool closed;

	belay__h2_lock(s->h2);
	closed = s->closed || belay__h2_is_lost(s->h2);
	belay__h2_unlock(s->h2);
	return closed || belay__h2_has_hung_up(s->h2);
}

static bool answer(struct belay__h2_stream *s, belay_ctx *ctx)
{
	const belay_router *router = s->h2->server->router;
	int r;

	if (s->refused)
		return belay__exchange_refuse(s->h2->ctx, is_gone(s), router, &s->res, s->refused);
	r = belay__exchange_run(ctx, router, &s->req, &s->res);
	return belay__exchange_complete(s->h2->ctx, is_gone(s), router, &s->req, &s->res, r);
}

static struct belay__h2_stream *take_ready(struct belay__h2 *h2)
{
	struct belay__h2_stream *s;

	if (h2->running >= h2->server->options.streams || belay_err(h2->ctx) < 0)
		return NULL;
	s = stream_at(belay__list_pop(&h2->ready), offsetof(struct belay__h2_stream, ready));
	h2->running += s != NULL;
	return s;
}

/* The task has no more to do with s; the next one that it is to serve, or NULL. */
static struct belay__h2_stream *leave(struct belay__h2_stream *s, bool answered)
{
	struct belay__h2 *h2 = s->h2;
	struct belay__h2_stream *next;

	belay__h2_lock(h2);
	s->ctx = NULL;
	if (!answered)
		belay__h2_answer_cut(s);
	belay__h2_body_drop(s);
	h2->running--;
	belay__h2_stream_unref(s);
	next = take_ready(h2);
	belay__h2_unlock(h2);
	return next;
}

static struct belay__h2_stream *serve(struct belay__h2_stream *s)
{
	belay_ctx *ctx = belay_with_cancel(s->h2->ctx);
	bool answered = !adopt(s, ctx) || answer(s, ctx);

	s = leave(s, answered);
	belay_end(ctx);
	return s;
}

static void run(belay_ctx *ctx, void *arg)
{
	struct belay__h2_stream *s = arg;
	struct belay__h2 *h2 = s->h2;

	while (s)
		s = serve(s);
	belay_wg_done(&h2->handlers);
}

static struct belay__h2_stream *next_ready(struct belay__h2 *h2)
{
	struct belay__h2_stream *s;

	pthread_mutex_lock(&h2->lock);
	s = take_ready(h2);
	pthread_mutex_unlock(&h2->lock);
	return s;
}

/* Nothing of it was done: the client may ask again (RFC 9113, section 8.7). */
static void turn_away(struct belay__h2_stream *s)
{
	struct belay__h2 *h2 = s->h2;

	belay__h2_lock(h2);
	h2->running--;
	belay__h2_body_drop(s);
	belay__h2_stream_reset(s, NGHTTP2_REFUSED_STREAM);
	belay__h2_stream_unref(s);
	belay__h2_unlock(h2);
}

void belay__h2_start(struct belay__h2 *h2)
{
	struct belay__h2_stream *s;

	while ((s = next_ready(h2))) {
		belay_wg_add(&h2->handlers, 1);
		if (belay_go(h2->ctx, run, s) == 0)
			continue;
		turn_away(s);
		belay_wg_done(&h2->handlers);
	}
}

/* ---- Its beginning and end, by the session --------------------------------------------------- */

void belay__h2_stream_ready(struct belay__h2_stream *s)
{
	s->refs++;
	belay__list_append(&s->h2->ready, &s->ready);
}

void belay__h2_stream_reset(struct belay__h2_stream *s, uint32_t code)
{
	if (!s->closed && !s->ended && !belay__h2_is_lost(s->h2))
		nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id, code);
}

void belay__h2_stream_closed(struct belay__h2_stream *s, uint32_t code)
{
	struct belay__h2 *h2 = s->h2;

	nghttp2_session_consume_connection(h2->session, s->in_end - s->in_start);
	s->closed = true;
	s->code = code;
	h2->open--;
	if (!s->ended)
		belay__h2_tell(s, BELAY__H2_TELL_END);
	belay__h2_tell(s, BELAY__H2_TELL_IN | BELAY__H2_TELL_ROOM);
	if (belay__list_linked(&s->ready)) {
		belay__list_remove(&s->ready);
		belay__h2_stream_unref(s);
	}
	belay__h2_stream_unref(s);
}
