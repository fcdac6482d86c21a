/* SPDX-License-Identifier: MIT
 *
 * connection.c - a client's connection: what it speaks, and how it sleeps, wakes and ends.
 *
 * Contexts    the server's -> hangup (ends when the client has gone) -> the one that the
 *             application put its values on -> each request's. quiet is the application's too, and
 *             ends besides when a shutdown begins: under it the connection waits for the next
 *             request.
 * States      awake: in a task, which serves it. Asleep, once nothing has come for a while: there
 *             is no task, no buffer, and, unless the application or HTTP/2 holds on to one, no
 *             context; belay_go_when_readable() will start a task when something comes, the time is
 *             over that the client has, or the server shuts down. That one finds out for itself
 *             which it was. Over: in the last of the tasks.
 * Ownership   whoever serves has the connection to himself; once it sleeps, it is the next task's,
 *             which may have it before the call has returned.
 */
#include "http/connection.h"
#include "http/exchange.h"

#include "base/alloc.h"

#include <belay/task.h>

#include <errno.h>
#include <string.h>

/* How much a client may send when the connection closes until it stops, and for how long: twice
 * what HTTP/2's windows have room for, and what takes its answer on a slow line. */
enum { LINGER_SIZE = 2 * 1024 * 1024 };
#define LINGER_TIME BELAY_S(5)

/* ---- Which protocol -------------------------------------------------------------------------- */

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static bool may_speak_http2(const struct belay__connection *c)
{
	return belay__h2_is_built() && !belay__options_of(c)->no_http2;
}

static int shake_hands_within(belay_ctx *ctx, struct belay__connection *c, int64_t time)
{
	belay_ctx *timed = belay_with_timeout(ctx, time);
	int r = belay_conn_handshake(timed, c->conn);

	(void)belay_deadline(timed, &c->until);
	belay_end(timed);
	return r;
}

/* Waited for here: before it is made nobody can sleep. The first byte behind it has what is left of
 * its time. As for a first request (h1.c), a shutdown leaves a moment more for it. */
static int shake_hands(struct belay__connection *c)
{
	int r = shake_hands_within(c->quiet, c, belay__options_of(c)->header_time);

	if (r < 0 && belay__is_stopping(c) && belay_err(c->ctx) == 0)
		r = shake_hands_within(c->ctx, c, BELAY__FAREWELL);
	return r;
}

/* Over TLS it is agreed on in the handshake (ALPN). 1, 0, or the handshake's error. */
static int agrees_on_http2(struct belay__connection *c)
{
	const char *protocol;
	int r;

	if (may_speak_http2(c))
		belay_conn_offer(c->conn, "h2,http/1.1"); /* where that fails it is HTTP/1.1 */
	r = shake_hands(c);
	if (r < 0 || !may_speak_http2(c))
		return r;
	protocol = belay_conn_protocol(c->conn);
	return protocol && strcmp(protocol, "h2") == 0;
}

/* Whether what has come is the preface, as far as it goes. */
static bool looks_like_http2(const struct belay__wire *wire)
{
	size_t there = wire->end - wire->start, whole = sizeof preface - 1;

	return memcmp(wire->in + wire->start, preface, there < whole ? there : whole) == 0;
}

/* Without TLS a client that knows of it begins with the preface (RFC 9113, section 3.4), which is a
 * request of no server of HTTP/1. 1, 0 also where no more than a part of it comes, or the error of
 * the wait for the first byte. */
static int begins_http2(struct belay__awake *a)
{
	struct belay__wire *wire = &a->wire;
	int r = belay__h1_await(a);

	if (r < 0)
		return r;
	while (looks_like_http2(wire)) {
		if (wire->end - wire->start >= sizeof preface - 1)
			return 1;
		if (belay__h1_fill(a, a->c->quiet, belay__options_of(a->c)->header_time) < 0)
			return 0;
	}
	return 0;
}

/* 1, 0, or an error: the connection is over before it has begun. Unless it is drowsy: then it isn't
 * known yet. */
static int speaks_http2(struct belay__awake *a)
{
	struct belay__connection *c = a->c;
	int r = 0;

	if (c->known)
		return c->h2 != NULL;
	if (belay_conn_is_secure(c->conn))
		r = agrees_on_http2(c);
	else if (may_speak_http2(c))
		r = begins_http2(a);
	c->known = !a->drowsy;
	return r;
}

/* ---- Awake ----------------------------------------------------------------------------------- */

/* The application's own context for the connection, or hangup itself. */
static belay_ctx *application_ctx(struct belay__connection *c)
{
	const struct belay_server_options *options = belay__options_of(c);
	belay_ctx *ctx = NULL;

	if (options->connection)
		ctx = options->connection(c->hangup, belay_conn_peer(c->conn), options->arg);
	return ctx ? ctx : belay_ref(c->hangup);
}

static void make_contexts(struct belay__connection *c)
{
	if (c->hangup)
		return;
	c->hangup = belay_with_hangup(c->server->ctx, c->conn, -ECONNRESET, "client disconnected");
	c->ctx = application_ctx(c);
	c->quiet = belay_with_merge(c->ctx, c->server->stopping);
}

/* hangup is ended before the connection that it watches is closed, or falls asleep. */
static void end_contexts(struct belay__connection *c, const char *why)
{
	belay_cancel_cause_at(c->hangup, -ECANCELED, NULL, "%s", why);
	belay_end(c->quiet);
	belay_end(c->ctx);
	belay_end(c->hangup);
	c->quiet = c->ctx = c->hangup = NULL;
}

/* What has come of a request before its connection fell asleep. */
struct belay__half {
	char *in;
	size_t size;
	struct belay__head head;
};

static void take_half(struct belay__awake *a)
{
	struct belay__half *half = a->c->half;

	if (!half)
		return;
	a->wire.in = half->in;
	a->wire.room = a->wire.end = half->size;
	a->head = half->head;
	a->c->half = NULL;
	belay__free(half);
}

static void wake_up(struct belay__awake *a, struct belay__connection *c, bool sleepless)
{
	const struct belay_server_options *options = belay__options_of(c);

	*a = (struct belay__awake){.c = c, .sleepless = sleepless};
	make_contexts(c);
	belay__wire_init(&a->wire, c->conn, c->hangup);
	a->wire.patience = options->idle_time;
	a->wire.drain_limit = options->drain_size;
	belay__response_init(&a->res, &a->wire.sink);
	a->req.remote = belay_conn_peer(c->conn);
	a->req.conn = c->conn;
	take_half(a);
}

static void serve_http2(struct belay__awake *a)
{
	struct belay__connection *c = a->c;
	struct belay__wire *wire = &a->wire;
	size_t size = wire->end - wire->start;
	const char *in = size > 0 ? wire->in + wire->start : NULL;

	if (!c->h2)
		c->h2 = belay__h2_new(c);
	if (!c->h2)
		return;
	wire->start = wire->end;
	a->drowsy = belay__h2_serve(c->h2, in, size, a->sleepless);
}

static void serve(struct belay__awake *a)
{
	int http2 = speaks_http2(a);

	if (http2 < 0 || a->drowsy)
		return;
	if (http2)
		serve_http2(a);
	else
		belay__h1_serve(a);
}

/* Gives back what it has only while it is awake. */
static void put_away(struct belay__awake *a)
{
	belay__request_fini(&a->req);
	belay__response_fini(&a->res);
	belay__wire_fini(&a->wire);
}

/* ---- Asleep ---------------------------------------------------------------------------------- */

static struct belay__half *half_new(const char *in, size_t size, const struct belay__head *head)
{
	struct belay__half *half = belay__malloc(sizeof *half);
	char *copy = half ? belay__malloc(size) : NULL;

	if (!copy) {
		belay__free(half);
		return NULL;
	}
	memcpy(copy, in, size);
	*half = (struct belay__half){copy, size, *head};
	return half;
}

/* Keeps what has come of a request, in as little memory as it takes: copied, since what would be
 * cut off a large block is of use to nobody. False: there is not even that. */
static bool keep_half(struct belay__awake *a)
{
	const struct belay__wire *wire = &a->wire;

	if (wire->start == wire->end)
		return true;
	a->c->half = half_new(wire->in + wire->start, wire->end - wire->start, &a->head);
	return a->c->half != NULL;
}

/* Whether nobody but ourselves has seen the contexts. */
static bool has_own_contexts(const struct belay__connection *c)
{
	return !c->h2 && !belay__options_of(c)->connection;
}

/* Half an empty line ahead of it does not count. */
static bool has_begun_head(const struct belay__connection *c)
{
	return c->half && c->half->head.at > 0;
}

/* Under which more is waited for. A head that has begun is waited for also by a server that shuts
 * down. */
static belay_ctx *sleep_ctx(const struct belay__connection *c)
{
	bool begun = has_begun_head(c);
	belay_ctx *ctx = begun ? c->ctx : c->quiet;

	if (c->h2)
		return belay__h2_asleep(c->h2);
	if (!ctx)
		ctx = begun ? c->server->ctx : c->server->stopping;
	return belay_with_deadline(ctx, c->until);
}

static void run(belay_ctx *ctx, void *arg);

/* True: it is the next task's already. False: it is to be looked at again, for there is something
 * to be done, or it can't sleep. */
static bool fall_asleep(struct belay__connection *c)
{
	belay_ctx *timed;
	int r;

	if (has_own_contexts(c))
		end_contexts(c, "the connection is idle");
	timed = sleep_ctx(c);
	r = belay_go_when_readable(timed, c->conn, run, c);
	belay_unref(timed);
	return r == 0;
}

/* ---- The end --------------------------------------------------------------------------------- */

/* Closing on a client that still sends would reset the connection, and the answer could be lost: so
 * it is told of the end first, and what it sends is thrown away until it closes, sends nothing for
 * a moment, or has had its share (RFC 9112, section 9.6). Not ended by what has ended the
 * connection, nor by the beginning of a shutdown: its answers are as good then, or behind HTTP/2's
 * GOAWAY. */
static void linger(struct belay__awake *a)
{
	struct belay__wire *wire = &a->wire;
	belay_ctx *timed;
	size_t waste = 0;
	ssize_t n = 1;

	if (!a->sending)
		return;
	belay_conn_shutdown(a->c->conn);
	timed = belay_with_timeout(a->c->server->ctx, LINGER_TIME);
	while (n > 0 && waste < LINGER_SIZE) {
		wire->start = wire->end = 0;
		n = belay__wire_fill(timed, wire, LINGER_SIZE, BELAY__FAREWELL);
		waste += n > 0 ? (size_t)n : 0;
	}
	belay_end(timed);
}

static void end(struct belay__awake *a)
{
	struct belay__connection *c = a->c;
	struct belay_server *server = c->server;

	if (c->h2)
		a->sending = belay__h2_free(c->h2);
	linger(a);
	put_away(a);
	end_contexts(c, "the connection has been closed");
	belay_conn_close(c->conn);
	belay__free(c);
	belay__server_leave(server);
}

/* ---- Its tasks ------------------------------------------------------------------------------- */

/* False: it sleeps, or is over. */
static bool live_on(struct belay__connection *c, bool sleepless)
{
	struct belay__awake a;

	wake_up(&a, c, sleepless);
	serve(&a);
	while (a.drowsy && !keep_half(&a)) {
		a.drowsy = false;
		a.sleepless = true;
		serve(&a);
	}
	if (!a.drowsy) {
		end(&a);
		return false;
	}
	put_away(&a);
	return !fall_asleep(c);
}

static void run(belay_ctx *ctx, void *arg)
{
	bool sleepless = false;

	(void)ctx;
	while (live_on(arg, sleepless))
		sleepless = true;
}

int belay__connection_start(struct belay_server *server, belay_conn *conn)
{
	struct belay__connection *c;
	int r = belay_err(server->ctx);

	if (r < 0)
		return r;
	c = belay__calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->server = server;
	c->conn = conn;
	r = belay_go(server->ctx, run, c);
	if (r < 0)
		belay__free(c);
	return r;
}
