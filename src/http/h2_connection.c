/* SPDX-License-Identifier: MIT
 *
 * h2_connection.c - one client's HTTP/2: who reads, who writes, and how it ends.
 *
 * Tasks       The connection's own reads, and feeds the session, and is gone where nothing has come
 *             for a while (connection.c), also while requests run. Each stream is served by a task
 *             of its own (h2_stream.c). Output is written by another one, the writer, which is
 *             there only while there is something to be written.
 * Locking     nghttp2's session is for one at a time: `lock` guards it and all that its callbacks
 *             touch. It is held for as long as it takes to feed what one read brought, or to
 *             gather what one write takes, and never across a wait, nor while a context is ended, a
 *             task started or somebody woken: what is to be done then is noted under the lock
 *             (ready, told, writing) and done after it.
 * The writer  Whoever gives back the lock where the session has output, and finds `writing` false,
 *             sets it and starts the writer. The writer takes it back under the same lock that it
 *             found nothing more under: so there is one at a time, the buffer is its own, and
 *             nothing that was submitted is left lying. It starts in line with the tasks that were
 *             started before it: where a read has brought many requests, their answers are there
 *             when its turn comes, and go out in one write.
 * No loss     The reader is woken, or started, by input, its contexts and its time. Apart from that
 *             it must learn of the end alone: who finds that nothing is left to read or write
 *             (`finished`), under the lock, ends its `reading` context after that. Streams:
 *             h2_stream.c.
 * The end     The reader has left its loop. Where that was an error, the client's going or the
 *             server's patience, what runs is told by the connection's context. It joins the
 *             streams' tasks; then what is left goes out, for a moment at most; then it joins the
 *             writer.
 * Shutdown    The client is told (GOAWAY with the highest number), and asked by PING what it had
 *             sent by then: so no request that was on its way is lost. Then the last number is
 *             told, and the streams below run to their end. Who answers a PING has read what was
 *             sent before it: where no stream was open then, nor has been since, a client has
 *             nothing to lose by a reset, and is not waited for once its connection is over.
 */
#include "http/exchange.h"
#include "http/h2.h"

#include "base/alloc.h"

#include <belay/task.h>

#include <errno.h>

enum { IN = 16384, KEPT = 4096, SWEEPS = 4 };

static const struct belay_server_options *options_of(const struct belay__h2 *h2)
{
	return &h2->server->options;
}

static int64_t later(int64_t now, int64_t ns)
{
	return ns > BELAY_FOREVER - now ? BELAY_FOREVER : now + ns;
}

static const char over_cause[] = "the HTTP/2 connection is over";

/* The client has gone, or is to be treated so: everything on the connection is told. */
static void lose(struct belay__h2 *h2, const char *why)
{
	belay_cancel_cause_at(h2->hangup, -ECONNRESET, NULL, "%s", why);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Gathers the frames that are ready, up to about BELAY__H2_WRITE bytes. 0, or the session is
 * broken. */
static int gather(struct belay__h2 *h2)
{
	h2->size = 0;
	h2->now = belay_now();
	while (h2->size < BELAY__H2_WRITE && !h2->memory.starved) {
		const uint8_t *data;
		size_t before = h2->size;
		ssize_t n = nghttp2_session_mem_send(h2->session, &data);

		if (n < 0 || (n > 0 && belay__h2_put(h2, data, (size_t)n) < 0))
			return -ENOMEM;
		if (n == 0 && h2->size == before)
			return 0;
	}
	return h2->memory.starved ? -ENOMEM : 0;
}

/* Nothing is left to read or write, as far as the session knows; a shutdown has its own idea. */
static bool is_finished(const struct belay__h2 *h2)
{
	return (!h2->closing || h2->final) && !nghttp2_session_want_read(h2->session) &&
	       !nghttp2_session_want_write(h2->session);
}

static void give_back_buffer(struct belay__h2 *h2)
{
	if (h2->open > 0 || h2->room <= KEPT)
		return;
	belay__free(h2->buf);
	h2->buf = NULL;
	h2->room = 0;
}

/* Nothing can be written any more. Who waits is told by his context, which ends before this is
 * delivered; but for those whose context is not of the connection's. With the lock held. */
static void be_gone(struct belay__h2 *h2)
{
	h2->gone = true;
	for (struct belay__list *at = h2->all.next; at != &h2->all; at = at->next)
		belay__h2_tell(belay__container(at, struct belay__h2_stream, all),
			       BELAY__H2_TELL_IN | BELAY__H2_TELL_ROOM);
}

/* With the lock held. True: buf holds something to be written. */
static bool gather_or_stop(struct belay__h2 *h2, belay_ctx **ret_over)
{
	int r = belay__h2_is_lost(h2) ? -EPIPE : gather(h2);

	if (r == 0 && h2->size > 0)
		return true;
	h2->writing = false;
	if (r < 0 || is_finished(h2)) {
		be_gone(h2);
		h2->finished = true;
		*ret_over = belay_ref(h2->reading);
	}
	give_back_buffer(h2);
	return false;
}

static bool next_output(struct belay__h2 *h2)
{
	belay_ctx *over = NULL;
	bool more, tell;

	pthread_mutex_lock(&h2->lock);
	more = gather_or_stop(h2, &over);
	tell = !belay__list_empty(&h2->told);
	pthread_mutex_unlock(&h2->lock);
	if (over)
		lose(h2, over_cause);
	if (tell)
		belay__h2_deliver(h2);
	if (over)
		belay_cancel_cause_at(over, -ECANCELED, NULL, "the connection is over");
	belay_unref(over);
	return more;
}

static int write_output(belay_ctx *ctx, struct belay__h2 *h2)
{
	belay_ctx *timed = belay_with_timeout(ctx, options_of(h2)->idle_time);
	int r = belay_conn_write(timed, h2->conn, h2->buf, h2->size, NULL);

	belay_end(timed);
	return r;
}

static void set_gone(struct belay__h2 *h2)
{
	lose(h2, "client disconnected");
	belay__h2_lock(h2);
	be_gone(h2);
	belay__h2_unlock(h2);
	belay_cancel_cause_at(h2->sending, -ECONNRESET, NULL, "client disconnected");
}

static void run_writer(belay_ctx *ctx, void *arg)
{
	struct belay__h2 *h2 = arg;

	while (next_output(h2))
		if (write_output(ctx, h2) < 0)
			set_gone(h2);
	belay_wg_done(&h2->writers);
}

/* Where no task can be had for want of memory there is no way to answer anybody. */
static void start_writer(struct belay__h2 *h2)
{
	belay_wg_add(&h2->writers, 1);
	if (belay_go(h2->sending, run_writer, h2) == 0)
		return;
	belay_wg_done(&h2->writers);
	pthread_mutex_lock(&h2->lock);
	h2->writing = false;
	be_gone(h2);
	pthread_mutex_unlock(&h2->lock);
	lose(h2, "out of memory");
	belay__h2_deliver(h2);
}

bool belay__h2_has_hung_up(const struct belay__h2 *h2)
{
	belay_cause cause;

	return belay_cause_of(h2->hangup, &cause) == 0 && cause.code == -ECONNRESET;
}

void belay__h2_lock(struct belay__h2 *h2)
{
	pthread_mutex_lock(&h2->lock);
}

/* Also where it is only to find that nothing can be written, and to tell the reader. */
static bool wants_writer(const struct belay__h2 *h2)
{
	return !h2->writing && !h2->gone &&
	       (h2->memory.starved || nghttp2_session_want_write(h2->session));
}

void belay__h2_unlock(struct belay__h2 *h2)
{
	bool start = wants_writer(h2);
	bool tell = !belay__list_empty(&h2->told);

	h2->writing |= start;
	pthread_mutex_unlock(&h2->lock);
	if (start)
		start_writer(h2);
	if (tell)
		belay__h2_deliver(h2);
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* An answer that its handler has left behind, and nothing of which could be sent for long. */
static bool is_stuck(const struct belay__h2_stream *s)
{
	return (s->last || s->cut) && !s->ended && !s->closed &&
	       s->h2->now - s->moved_at > s->h2->server->options.idle_time;
}

static void sweep(struct belay__h2 *h2)
{
	if (h2->now < h2->sweep_at)
		return;
	h2->sweep_at = later(h2->now, options_of(h2)->idle_time / SWEEPS);
	for (struct belay__list *at = h2->all.next; at != &h2->all; at = at->next) {
		struct belay__h2_stream *s =
			belay__container(at, struct belay__h2_stream, all);

		if (is_stuck(s))
			belay__h2_stream_reset(s, NGHTTP2_CANCEL);
	}
}

static void say_last(struct belay__h2 *h2)
{
	h2->final = true;
	if (!belay__h2_is_lost(h2))
		nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
				      nghttp2_session_get_last_proc_stream_id(h2->session),
				      NGHTTP2_NO_ERROR, NULL, 0);
}

static void terminate(struct belay__h2 *h2, uint32_t code)
{
	if (!belay__h2_is_lost(h2))
		nghttp2_session_terminate_session(h2->session, code);
}

/* What is due by now, once: then the writer has the say. With the lock held. */
static void tick(struct belay__h2 *h2)
{
	if (h2->open == 0 && !h2->closing && h2->now >= h2->open_until) {
		h2->open_until = BELAY_FOREVER;
		terminate(h2, NGHTTP2_NO_ERROR);
	}
	if (h2->now >= h2->head_by) {
		h2->head_by = BELAY_FOREVER;
		terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM);
	}
	if (h2->closing && !h2->final && h2->now >= h2->final_by)
		say_last(h2);
	sweep(h2);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When the reader has to look, whatever comes. With the lock held. */
static int64_t due(const struct belay__h2 *h2)
{
	int64_t when = h2->head_by;

	if (h2->open > 0)
		when = earlier(when, later(h2->now, options_of(h2)->idle_time / SWEEPS + 1));
	else if (!h2->closing)
		when = earlier(when, h2->open_until);
	return h2->closing && !h2->final ? earlier(when, h2->final_by) : when;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* 0; -EBADMSG: the session can't go on. Where the client does not even begin with the preface there
 * is nothing to be said to it. */
static int feed(struct belay__h2 *h2, const char *data, size_t size)
{
	ssize_t n;

	if (belay__h2_is_lost(h2))
		return -EBADMSG;
	n = nghttp2_session_mem_recv(h2->session, (const uint8_t *)data, size);
	if (n == NGHTTP2_ERR_FLOODED || n == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
		terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM);
	belay__h2_count_read(h2, size);
	return n < 0 ? -EBADMSG : 0;
}

/* The writer may have found it out, or have nothing to do with it. With the lock held. */
static bool may_go_on(const struct belay__h2 *h2)
{
	return !h2->finished && !belay__h2_is_lost(h2) && (h2->writing || !is_finished(h2));
}

/* Takes what was read. False: the connection is to be closed. */
static bool take_input(struct belay__h2 *h2, const char *data, size_t size)
{
	bool more;

	belay__h2_lock(h2);
	h2->now = belay_now();
	more = feed(h2, data, size) == 0;
	tick(h2);
	more = more && may_go_on(h2);
	belay__h2_unlock(h2);
	belay__h2_start(h2);
	return more;
}

/* False: nothing is left to be shut down. */
static bool begin_shutdown(struct belay__h2 *h2)
{
	belay_ctx *old = h2->reading, *reading = belay_with_cancel(h2->ctx);
	bool more;

	belay__h2_lock(h2);
	h2->now = belay_now();
	h2->closing = true;
	h2->idle = h2->open == 0;
	h2->final_by = later(h2->now, BELAY__FAREWELL);
	h2->reading = reading;
	if (!belay__h2_is_lost(h2))
		nghttp2_submit_shutdown_notice(h2->session);
	if (!belay__h2_is_lost(h2))
		nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
	more = may_go_on(h2);
	belay__h2_unlock(h2);
	belay_end(old);
	return more;
}

/* The reader's context is done, or something is due. False: the connection is to be closed. */
static bool look_around(struct belay__h2 *h2)
{
	bool more;

	if (belay_err(h2->ctx) < 0)
		return false;
	if (!h2->closing && belay_err(h2->server->stopping) < 0)
		return begin_shutdown(h2);
	belay__h2_lock(h2);
	h2->now = belay_now();
	tick(h2);
	more = may_go_on(h2);
	belay__h2_unlock(h2);
	return more;
}

/* Under which input is waited for, up to what is due, or some moment before that. */
static belay_ctx *timed_reading(struct belay__h2 *h2, int64_t until)
{
	belay_ctx *timed;

	belay__h2_lock(h2);
	timed = belay_with_deadline(h2->reading, earlier(due(h2), until));
	belay__h2_unlock(h2);
	return timed;
}

static ssize_t read_some(struct belay__h2 *h2, char *buf, bool sleepless)
{
	int64_t most = sleepless ? BELAY__SLEEPLESS : BELAY__DROWSY;
	belay_ctx *timed = timed_reading(h2, later(belay_now(), most));
	ssize_t n = belay_conn_read(timed, h2->conn, buf, IN);

	belay_end(timed);
	return n;
}

static bool is_due(struct belay__h2 *h2)
{
	bool is;

	belay__h2_lock(h2);
	is = due(h2) <= belay_now();
	belay__h2_unlock(h2);
	return is;
}

enum next { GO_ON, SLEEP, CLOSE };

static enum next go_on_if(bool more)
{
	return more ? GO_ON : CLOSE;
}

static enum next read_on(struct belay__h2 *h2, char *buf, bool sleepless)
{
	ssize_t n = read_some(h2, buf, sleepless);

	if (n > 0)
		return go_on_if(take_input(h2, buf, (size_t)n) && belay_err(h2->ctx) == 0);
	if (n == -ETIME && belay_err(h2->reading) == 0 && !is_due(h2))
		return SLEEP;
	if (n == -ECANCELED || n == -ETIME)
		return go_on_if(look_around(h2));
	set_gone(h2);
	return CLOSE;
}

/* ---- A connection's life --------------------------------------------------------------------- */

/* What is left goes out, unless the client takes longer for it than it is given. */
static void flush(struct belay__h2 *h2)
{
	belay_ctx *timed = belay_with_timeout(h2->sending, BELAY__FAREWELL);

	belay__h2_lock(h2);
	belay__h2_unlock(h2);
	if (belay_wg_wait(timed, &h2->writers) < 0)
		belay_cancel_cause_at(h2->sending, -ECANCELED, NULL,
				      "the connection has been closed");
	belay_end(timed);
	(void)!belay_wg_wait(belay_background(), &h2->writers);
}

/* The streams that run are told why; where the server ends its requests they know already. */
static void leave(struct belay__h2 *h2)
{
	if (belay_err(h2->ctx) == 0)
		lose(h2, over_cause);
	else if (belay__h2_has_hung_up(h2))
		set_gone(h2);
	(void)!belay_wg_wait(belay_background(), &h2->handlers);
	flush(h2);
}

static void h2_fini(struct belay__h2 *h2)
{
	if (!h2->memory.starved)
		nghttp2_session_del(h2->session);
	belay__h2_memory_drop(&h2->memory);
	belay__h2_streams_fini(h2);
	belay_end(h2->reading);
	belay_end(h2->sending);
	pthread_mutex_destroy(&h2->lock);
	belay__free(h2->buf);
	belay__free(h2);
}

/* Not ended with the connection's own, so that an answer to what that has ended goes out. */
static belay_ctx *make_sending(belay_ctx *ctx)
{
	belay_ctx *values = belay_without_cancel(ctx), *sending = belay_with_cancel(values);

	belay_unref(values);
	return sending;
}

struct belay__h2 *belay__h2_new(struct belay__connection *c)
{
	struct belay__h2 *h2 = belay__calloc(1, sizeof *h2);

	if (!h2)
		return NULL;
	h2->server = c->server;
	h2->conn = c->conn;
	h2->hangup = c->hangup;
	h2->ctx = c->ctx;
	h2->sending = make_sending(c->ctx);
	h2->reading = belay_with_cancel(c->quiet);
	pthread_mutex_init(&h2->lock, NULL);
	belay__h2_memory_init(&h2->memory);
	belay__list_init(&h2->all);
	belay__list_init(&h2->ready);
	belay__list_init(&h2->told);
	belay__list_init(&h2->kept);
	h2->now = h2->useless_since = belay_now();
	h2->open_until = c->until ? c->until : later(h2->now, options_of(h2)->header_time);
	h2->head_by = h2->final_by = BELAY_FOREVER;
	if (belay__h2_session_init(h2) == 0)
		return h2;
	h2_fini(h2);
	return NULL;
}

bool belay__h2_is_built(void)
{
	return true;
}

/* Also where nothing has come: what is due is seen to, and a new session has something to say. */
bool belay__h2_serve(struct belay__h2 *h2, const char *in, size_t size, bool sleepless)
{
	char *buf = belay__malloc(IN);
	enum next next = go_on_if(buf && take_input(h2, in, size));

	while (next == GO_ON)
		next = read_on(h2, buf, sleepless);
	belay__free(buf);
	return next == SLEEP;
}

belay_ctx *belay__h2_asleep(struct belay__h2 *h2)
{
	return timed_reading(h2, BELAY_FOREVER);
}

bool belay__h2_free(struct belay__h2 *h2)
{
	bool settled;

	leave(h2);
	settled = h2->idle && h2->heard;
	h2_fini(h2);
	return !settled;
}
