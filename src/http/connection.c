/* SPDX-License-Identifier: MIT
 *
 * connection.c - one client's requests, one after the other, in one task; or HTTP/2, where that is
 * what the client speaks: h2_connection.c.
 *
 * Contexts    the server's -> hangup (ends when the client has gone) -> the one that the
 *             application put its values on -> each request's. quiet is the application's too, and
 *             ends besides when a shutdown begins: under it the connection waits for the next
 *             request.
 * States      idle: no byte of a request is there; it may be closed at any time. Then head,
 *             handler, what is left of the body, and idle again. A request that can't be understood
 *             is answered and the connection closed, since nobody can tell where the next one would
 *             begin.
 */
#include "http/exchange.h"
#include "http/head.h"
#include "http/server.h"
#include "http/wire.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

/* How much a client may send when the connection closes until it stops. */
enum { LINGER_SIZE = 256 * 1024 };

/* How many times a client may send empty lines alone where a request is waited for. */
enum { MOST_BLANKS = 4 };

struct connection {
	struct belay_server *server;
	belay_conn *conn;
	belay_ctx *hangup, *ctx, *quiet;
	struct belay__wire wire;
	struct belay_request req;
	struct belay_response res;
	unsigned served; /* requests so far                             */
	bool sending;    /* the client may still be sending what nobody reads */
};

static const struct belay_server_options *options_of(const struct connection *c)
{
	return &c->server->options;
}

/* Asks the shutdown's own context: quiet, below it, may be done a moment later. */
static bool is_stopping(const struct connection *c)
{
	return belay_err(c->server->stopping) < 0;
}

/* Whether no further request is to be begun. */
static bool is_closing(const struct connection *c)
{
	return is_stopping(c) || belay_err(c->ctx) < 0;
}

/* ---- Reading a head -------------------------------------------------------------------------- */

/* Empty lines ahead of a request are passed over (RFC 9112, section 2.2), also one of which only
 * half is there. */
static bool has_input(struct belay__wire *wire)
{
	while (wire->end - wire->start >= 2 && memcmp(wire->in + wire->start, "\r\n", 2) == 0)
		wire->start += 2;
	return wire->end - wire->start > 1 ||
	       (wire->start < wire->end && wire->in[wire->start] != '\r');
}

/* Reads what comes first. Who has been served before can send its next request elsewhere; who is
 * new may have sent its only one before it could know of a shutdown, and is left a moment more. */
static ssize_t fill_first(struct connection *c)
{
	int64_t patience = c->served > 0 ? options_of(c)->idle_time : options_of(c)->header_time;
	size_t most = options_of(c)->header_size;
	ssize_t n = belay__wire_fill(c->quiet, &c->wire, most, patience);

	if (n < 0 && c->served == 0 && is_stopping(c) && belay_err(c->ctx) == 0)
		n = belay__wire_fill(c->ctx, &c->wire, most, BELAY__FAREWELL);
	return n;
}

/* Waits for the first byte of a request. 0, or the connection is to be closed: by empty lines alone
 * it is not held open for ever. */
static int await_first(struct connection *c)
{
	for (int blanks = 0; !has_input(&c->wire); blanks++) {
		ssize_t n = blanks > MOST_BLANKS ? -ETIMEDOUT : fill_first(c);

		if (n < 0)
			return (int)n;
	}
	return c->served > 0 && is_closing(c) ? -ECANCELED : belay_err(c->ctx);
}

/* The size of the head; 0: not all of it is there; or an error. */
static ssize_t scan_head(struct connection *c, struct belay__head *head)
{
	struct belay__wire *wire = &c->wire;
	ssize_t n = belay__head_scan(head, wire->in + wire->start, wire->end - wire->start);

	return n > (ssize_t)options_of(c)->header_size ? -E2BIG : n;
}

/* Reads on until all of it is there. */
static ssize_t await_head(struct connection *c, struct belay__head *head)
{
	belay_ctx *timed = belay_with_timeout(c->ctx, options_of(c)->header_time);
	size_t most = options_of(c)->header_size;
	ssize_t n = 0;

	while (n == 0) {
		n = belay__wire_fill(timed, &c->wire, most, BELAY_FOREVER);
		if (n > 0)
			n = scan_head(c, head);
	}
	belay_end(timed);
	if (n == -EMSGSIZE)
		return -E2BIG;
	return n == -ETIME && belay_err(c->ctx) == 0 ? -ETIMEDOUT : n;
}

/* Most heads come whole. */
static ssize_t read_head(struct connection *c)
{
	struct belay__head head = {0};
	ssize_t n = scan_head(c, &head);

	return n != 0 ? n : await_head(c, &head);
}

/* Takes the next request's head off the connection. 0, or the error that it is answered with. */
static int read_request(struct connection *c)
{
	struct belay__wire *wire = &c->wire;
	ssize_t size = read_head(c);
	int r;

	if (size < 0)
		return (int)size;
	r = belay__message_head(&wire->msg, &c->req, options_of(c)->headers,
				wire->in + wire->start, (size_t)size);
	if (r < 0)
		return r;
	wire->start += (size_t)size;
	wire->body_limit = options_of(c)->body_size;
	c->req.source = &wire->source;
	wire->stuck = !wire->msg.chunked && wire->msg.length > wire->body_limit;
	c->req.failed = wire->stuck ? -EMSGSIZE : 0;
	return 0;
}

/* ---- Answering ------------------------------------------------------------------------------- */

static void begin(struct connection *c, bool keep_alive)
{
	belay__answer_begin(&c->wire, keep_alive);
	belay__response_reset(&c->res);
	c->res.awaited = true;
}

/* A request that could not be understood. */
static void refuse(struct connection *c, int err)
{
	c->sending = true;
	begin(c, false);
	c->wire.msg = (struct belay__message){.minor = 1};
	belay__exchange_refuse(c->ctx, belay__wire_is_gone(&c->wire), c->server->router, &c->res,
			       err);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static int run_handler(struct connection *c)
{
	belay_ctx *ctx = belay_with_cancel(c->ctx);
	int r = belay__exchange_run(ctx, c->server->router, &c->req, &c->res);

	belay_unref(ctx);
	return r;
}

/* Sends what is left of the answer. True: all of it has gone out. */
static bool complete(struct connection *c, int result)
{
	return belay__exchange_complete(c->ctx, belay__wire_is_gone(&c->wire), c->server->router,
					&c->req, &c->res, result);
}

static bool answer_request(struct connection *c)
{
	bool again;
	int r;

	begin(c, c->wire.msg.keep_alive);
	c->res.head_only = c->wire.msg.parser.method == HTTP_HEAD;
	r = run_handler(c);
	if (is_closing(c))
		c->wire.keep_alive = false;
	again = complete(c, r) && c->wire.keep_alive && belay__body_drain(c->quiet, &c->wire);
	c->sending = !c->wire.msg.done || c->wire.start < c->wire.end;
	return again;
}

/* Serves one request. True: another one may follow. */
static bool serve_one(struct connection *c)
{
	int r;

	belay__request_reset(&c->req);
	if (await_first(c) < 0)
		return false;
	r = read_request(c);
	if (r < 0) {
		refuse(c, r);
		return false;
	}
	c->served++;
	return belay_err(c->ctx) == 0 && answer_request(c);
}

/* ---- Which protocol -------------------------------------------------------------------------- */

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* Over TLS it was agreed on in the handshake (ALPN). Where that fails, so will the first read. */
static bool agreed_on_http2(struct connection *c)
{
	belay_ctx *timed = belay_with_timeout(c->quiet, options_of(c)->header_time);
	const char *protocol = NULL;

	belay_conn_offer(c->conn, "h2,http/1.1"); /* where that fails it is HTTP/1.1 */
	if (belay_conn_handshake(timed, c->conn) == 0)
		protocol = belay_conn_protocol(c->conn);
	belay_end(timed);
	return protocol && strcmp(protocol, "h2") == 0;
}

/* Whether what has come is the preface, as far as it goes. */
static bool looks_like_http2(const struct connection *c)
{
	size_t there = c->wire.end - c->wire.start, whole = sizeof preface - 1;

	return memcmp(c->wire.in + c->wire.start, preface, there < whole ? there : whole) == 0;
}

/* Without TLS a client that knows of it begins with the preface (RFC 9113, section 3.4), which is a
 * request of no server of HTTP/1. */
static bool begins_http2(struct connection *c)
{
	if (await_first(c) < 0)
		return false;
	while (looks_like_http2(c)) {
		if (c->wire.end - c->wire.start >= sizeof preface - 1)
			return true;
		if (belay__wire_fill(c->quiet, &c->wire, options_of(c)->header_size,
				     options_of(c)->header_time) < 0)
			return false;
	}
	return false;
}

static bool speaks_http2(struct connection *c)
{
	if (!belay__h2_is_built() || options_of(c)->no_http2)
		return false;
	return belay_conn_is_secure(c->conn) ? agreed_on_http2(c) : begins_http2(c);
}

/* ---- The connection's life ------------------------------------------------------------------- */

/* Closing on a client that still sends would reset the connection, and the answer could be lost: so
 * it is told of the end first, and what it sends is thrown away for a while (RFC 9112, section
 * 9.6). */
static void linger(struct connection *c)
{
	belay_ctx *timed;
	size_t waste = 0;
	ssize_t n = 1;

	if (!c->sending)
		return;
	belay_conn_shutdown(c->conn);
	timed = belay_with_timeout(c->quiet, BELAY__FAREWELL);
	while (n > 0 && waste < LINGER_SIZE) {
		c->wire.start = c->wire.end = 0;
		n = belay__wire_fill(timed, &c->wire, LINGER_SIZE, BELAY_FOREVER);
		waste += n > 0 ? (size_t)n : 0;
	}
	belay_end(timed);
}

/* The application's own context for the connection, or hangup itself. */
static belay_ctx *application_ctx(struct connection *c)
{
	const struct belay_server_options *options = options_of(c);
	belay_ctx *ctx = NULL;

	if (options->connection)
		ctx = options->connection(c->hangup, belay_conn_peer(c->conn), options->arg);
	return ctx ? ctx : belay_ref(c->hangup);
}

static void begin_life(struct connection *c, belay_ctx *server_ctx)
{
	c->hangup = belay_with_hangup(server_ctx, c->conn, -ECONNRESET, "client disconnected");
	c->ctx = application_ctx(c);
	c->quiet = belay_with_merge(c->ctx, c->server->stopping);
	belay__wire_init(&c->wire, c->conn, c->hangup);
	c->wire.patience = options_of(c)->idle_time;
	c->wire.drain_limit = options_of(c)->drain_size;
	belay__response_init(&c->res, &c->wire.sink);
	c->req.remote = belay_conn_peer(c->conn);
	c->req.conn = c->conn;
}

/* The hangup context is ended before the connection that it watches is closed. */
static void end_life(struct connection *c)
{
	belay_cancel_cause_at(c->hangup, -ECANCELED, NULL, "the connection has been closed");
	belay_end(c->quiet);
	belay_end(c->ctx);
	belay_end(c->hangup);
	belay_conn_close(c->conn);
	belay__request_fini(&c->req);
	belay__response_fini(&c->res);
	belay__wire_fini(&c->wire);
	belay__free(c);
}

static void serve_http1(struct connection *c)
{
	while (serve_one(c))
		;
}

static void serve_http2(struct connection *c)
{
	c->sending = belay__h2_serve(c->server, c->conn, c->hangup, c->ctx, c->quiet,
				     c->wire.in + c->wire.start, c->wire.end - c->wire.start);
}

static int run(belay_ctx *ctx, void *arg)
{
	struct connection *c = arg;
	struct belay_server *server = c->server;

	begin_life(c, ctx);
	if (speaks_http2(c))
		serve_http2(c);
	else
		serve_http1(c);
	linger(c);
	end_life(c);
	belay__server_leave(server);
	return 0;
}

int belay__connection_start(struct belay_server *server, belay_conn *conn)
{
	struct connection *c = belay__calloc(1, sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	c->server = server;
	c->conn = conn;
	r = belay_group_go(server->group, run, c);
	if (r < 0)
		belay__free(c);
	return r;
}
