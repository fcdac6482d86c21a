/* SPDX-License-Identifier: MIT
 *
 * events.c - who is running now, told live to all who want to watch.
 *
 * Each watcher has a channel of notes. A note is one event as text, counted, the same one for all.
 * Who tells never waits: a watcher whose channel is full misses the note and is marked, and its
 * stream then sends the whole state anew.
 *
 * Locking     events->lock, for a few instructions and sends that don't block; never across a call
 *             that waits, so a plain mutex serves tasks too.
 * Lifetime    A running request stands on the stack of the middleware's call, a watcher on that of
 *             its stream; both leave the lists before they return.
 */
#include "events.h"

#include "reply.h"
#include "store.h"

#include <belay.h>

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
	NOTES = 256,     /* that a watcher may be behind */
	PING_S = 15,     /* a comment, so that a connection that is idle is not taken for dead */
	CONTEXT = 512,   /* bytes of a context's path that are shown */
};

struct note {
	_Atomic unsigned refs;
	char text[]; /* "event: ...\ndata: ...\n\n" */
};

struct watcher {
	LIST_ENTRY(watcher) link;
	belay_chan *notes; /* of struct note *, each with a reference */
	bool behind;
};

struct running {
	LIST_ENTRY(running) link;
	json_int_t id;
	belay_ctx *ctx;
	const char *method, *target, *protocol; /* the request's */
	int64_t begin;
};

struct events {
	pthread_mutex_t lock; /* guards: */
	LIST_HEAD(, watcher) watchers;
	LIST_HEAD(, running) running;
	json_int_t last_id;
	bool closed;
};

/* ---- Notes ----------------------------------------------------------------------------------- */

static struct note *note_new(const char *event, const json_t *data)
{
	char *text = json_dumps(data, JSON_COMPACT);
	struct note *note = NULL;

	if (!text)
		return NULL;
	note = malloc(sizeof *note + strlen(event) + strlen(text) + sizeof "event: \ndata: \n\n");
	if (note) {
		atomic_init(&note->refs, 1);
		stpcpy(stpcpy(stpcpy(stpcpy(stpcpy(note->text, "event: "), event), "\ndata: "),
			      text),
		       "\n\n");
	}
	free(text);
	return note;
}

/* Acquire and release: whoever frees it has seen all that the others did with it. */
static void note_unref(struct note *note)
{
	if (note && atomic_fetch_sub_explicit(&note->refs, 1, memory_order_acq_rel) == 1)
		free(note);
}

/* The lock is held. note NULL (no memory for it): all are behind. */
static void tell(struct events *events, struct note *note)
{
	struct watcher *watcher;

	LIST_FOREACH(watcher, &events->watchers, link) {
		if (note)
			atomic_fetch_add_explicit(&note->refs, 1, memory_order_relaxed);
		if (note && belay_try_send(watcher->notes, &note) == 0)
			continue;
		note_unref(note);
		watcher->behind = true;
	}
}

/* ---- What is told ---------------------------------------------------------------------------- */

static json_t *milliseconds(int64_t ns)
{
	return json_real((double)ns / 1e6);
}

static json_t *describe_running(const struct running *running)
{
	char path[CONTEXT];
	int64_t now = belay_now(), deadline = now;
	bool has_deadline = belay_deadline(running->ctx, &deadline);

	belay_format(running->ctx, path, sizeof path);
	return json_pack("{s:I, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "id", running->id, "method",
			 reply_text(running->method), "target", reply_text(running->target),
			 "protocol", running->protocol, "trace_id",
			 reply_text(belay_trace_id(running->ctx)), "context", reply_text(path),
			 "age_ms", milliseconds(now - running->begin), "deadline_ms",
			 has_deadline ? milliseconds(deadline - now) : json_null());
}

/* "handler.c:42 in handle_twins"; null where nobody knows. */
static json_t *describe_place(const belay_cause *cause)
{
	return cause->file ? json_sprintf("%s:%d in %s", cause->file, cause->line,
					  cause->func ? cause->func : "?")
			   : json_null();
}

static json_t *describe_end(const struct running *running, int status, int result)
{
	belay_cause cause = {.message = NULL};
	bool cut_short = belay_cause_of(running->ctx, &cause) == 0;

	return json_pack("{s:I, s:o, s:s?, s:o, s:o, s:o}", "id", running->id, "status",
			 result || cut_short ? json_null() : json_integer(status), "error",
			 cut_short ? belay_strerror(belay_err(running->ctx))
				   : (result ? belay_strerror(result) : NULL),
			 "cause", reply_text(cause.message), "where", describe_place(&cause), "ms",
			 milliseconds(belay_now() - running->begin));
}

/* The lock is held. */
static void tell_of(struct events *events, const char *event, json_t *data)
{
	struct note *note = data ? note_new(event, data) : NULL;

	tell(events, note);
	note_unref(note);
	json_decref(data);
}

/* The lock is held. NULL: out of memory. */
static struct note *state_of(const struct events *events)
{
	json_t *all = json_array();
	struct running *running;
	struct note *note = NULL;
	int failed = !all;

	LIST_FOREACH(running, &events->running, link)
		failed |= json_array_append_new(all, describe_running(running));
	if (!failed)
		note = note_new("running", all);
	json_decref(all);
	return note;
}

/* ---- The middleware -------------------------------------------------------------------------- */

static void begin(struct events *events, struct running *running)
{
	pthread_mutex_lock(&events->lock);
	running->id = ++events->last_id;
	LIST_INSERT_HEAD(&events->running, running, link);
	tell_of(events, "begin", describe_running(running));
	pthread_mutex_unlock(&events->lock);
}

static void end(struct events *events, struct running *running, int status, int result)
{
	json_t *data = describe_end(running, status, result);

	pthread_mutex_lock(&events->lock);
	LIST_REMOVE(running, link);
	tell_of(events, "end", data);
	pthread_mutex_unlock(&events->lock);
}

int events_watch(belay_ctx *ctx, belay_request *req, belay_response *res, const belay_chain *next,
		 void *arg)
{
	struct running running = {.ctx = ctx,
				  .method = belay_request_method(req),
				  .target = belay_request_target(req),
				  .protocol = belay_request_protocol(req),
				  .begin = belay_now()};
	int r;

	begin(arg, &running);
	r = belay_next(ctx, req, res, next);
	end(arg, &running, belay_response_get_status(res), r);
	return r;
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void drain(struct watcher *watcher)
{
	struct note *note;

	while (belay_try_recv(watcher->notes, &note) == 0)
		note_unref(note);
}

/* False: there are no streams any more. */
static bool join(struct events *events, struct watcher *watcher)
{
	bool open;

	pthread_mutex_lock(&events->lock);
	open = !events->closed;
	if (open)
		LIST_INSERT_HEAD(&events->watchers, watcher, link);
	pthread_mutex_unlock(&events->lock);
	return open;
}

static void leave(struct events *events, struct watcher *watcher)
{
	pthread_mutex_lock(&events->lock);
	LIST_REMOVE(watcher, link);
	pthread_mutex_unlock(&events->lock);
	drain(watcher);
}

static int send_note(belay_ctx *ctx, belay_response *res, const char *text)
{
	int r = belay_response_puts(ctx, res, text);

	return r ? r : belay_response_flush(ctx, res);
}

/* The whole state, in place of all that has been told so far; nothing where the stream keeps up. */
static int catch_up(belay_ctx *ctx, belay_response *res, struct events *events,
		    struct watcher *watcher)
{
	struct note *state = NULL;
	bool behind;
	int r;

	pthread_mutex_lock(&events->lock);
	behind = watcher->behind;
	watcher->behind = false;
	if (behind) {
		drain(watcher);
		state = state_of(events);
	}
	pthread_mutex_unlock(&events->lock);
	if (!behind)
		return 0;
	r = state ? send_note(ctx, res, state->text) : -ENOMEM;
	note_unref(state);
	return r;
}

/* 0 where a note, or a ping, has been sent; -EPIPE: all streams are to end. */
static int send_next(belay_ctx *ctx, belay_response *res, struct watcher *watcher)
{
	struct note *note = NULL;
	bool open = true;
	int r = belay_select(ctx, BELAY_RECV_OK(watcher->notes, &note, &open),
			     BELAY_TIMEOUT(BELAY_S(PING_S)));

	if (r < 0)
		return r;
	if (r == 1)
		return send_note(ctx, res, ": still here\n\n");
	if (!open)
		return -EPIPE;
	r = send_note(ctx, res, note->text);
	note_unref(note);
	return r;
}

static int stream(belay_ctx *ctx, belay_response *res, struct events *events,
		  struct watcher *watcher)
{
	int r;

	do {
		r = catch_up(ctx, res, events, watcher);
		if (!r)
			r = send_next(ctx, res, watcher);
	} while (!r);
	return r == -EPIPE ? 0 : r;
}

int handle_events(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const struct store *store = belay_request_data(req);
	struct watcher watcher = {.notes = belay_chan_new(sizeof(struct note *), NOTES),
				  .behind = true};
	int r;

	if (!watcher.notes)
		return -ENOMEM;
	r = belay_response_header(res, "Content-Type", "text/event-stream");
	if (!r)
		r = belay_response_header(res, "Cache-Control", "no-store");
	if (!r && join(store->events, &watcher)) {
		r = stream(ctx, res, store->events, &watcher);
		leave(store->events, &watcher);
	}
	belay_chan_unref(watcher.notes);
	return r;
}

/* ---- Making and ending ----------------------------------------------------------------------- */

struct events *events_new(void)
{
	struct events *events = calloc(1, sizeof *events);

	if (!events)
		return NULL;
	pthread_mutex_init(&events->lock, NULL);
	LIST_INIT(&events->watchers);
	LIST_INIT(&events->running);
	return events;
}

void events_free(struct events *events)
{
	if (!events)
		return;
	pthread_mutex_destroy(&events->lock);
	free(events);
}

void events_close(struct events *events)
{
	struct watcher *watcher;

	pthread_mutex_lock(&events->lock);
	events->closed = true;
	LIST_FOREACH(watcher, &events->watchers, link)
		belay_chan_close(watcher->notes);
	pthread_mutex_unlock(&events->lock);
}
