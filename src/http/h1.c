/* SPDX-License-Identifier: MIT
 *
 * h1.c - one client's requests by HTTP/1, one after the other.
 *
 * States      idle: no byte of a request is there; it may be closed at any time. Then head,
 *             handler, what is left of the body, and idle again. A request that can't be understood
 *             is answered and the connection closed, since nobody can tell where the next one would
 *             begin.
 * Sleep       where nothing comes for a while, idle or within a head, the connection is drowsy, and
 *             may be put to sleep (connection.c). Once it has woken it goes through all this from
 *             idle on: what is there of a head is still there, and is not looked at twice.
 */
#include "http/connection.h"
#include "http/exchange.h"

#include <errno.h>
#include <string.h>

/* How many times a client may send empty lines alone where a request is waited for. */
enum { MOST_BLANKS = 4 };

/* Whether no further request is to be begun. */
static bool is_closing(const struct belay__connection *c)
{
	return belay__is_stopping(c) || belay_err(c->ctx) < 0;
}

/* ---- Waiting for input ----------------------------------------------------------------------- */

static int64_t later(int64_t now, int64_t ns)
{
	return ns > BELAY_FOREVER - now ? BELAY_FOREVER : now + ns;
}

/* The clock is looked at only where a client keeps us waiting. */
ssize_t belay__h1_fill(struct belay__awake *a, belay_ctx *ctx, int64_t time)
{
	struct belay__connection *c = a->c;
	int64_t most = a->sleepless ? BELAY__SLEEPLESS : BELAY__DROWSY;
	int64_t left = c->until ? c->until - belay_now() : time;
	ssize_t n = belay__wire_fill(ctx, &a->wire, belay__options_of(c)->header_size,
				     left < most ? left : most);

	a->drowsy = n == -ETIMEDOUT && left > most;
	if (a->drowsy && !c->until)
		c->until = later(belay_now(), left - most);
	return n;
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
static ssize_t fill_first(struct belay__awake *a)
{
	struct belay__connection *c = a->c;
	const struct belay_server_options *options = belay__options_of(c);
	ssize_t n = belay__h1_fill(a, c->quiet, c->served ? options->idle_time
							  : options->header_time);

	if (n < 0 && !a->drowsy && !c->served && belay__is_stopping(c) && belay_err(c->ctx) == 0)
		n = belay__wire_fill(c->ctx, &a->wire, options->header_size, BELAY__FAREWELL);
	return n;
}

/* By empty lines alone no connection is held open for ever. A shutdown lets go on what has been
 * looked at before it. */
int belay__h1_await(struct belay__awake *a)
{
	struct belay__connection *c = a->c;

	while (!has_input(&a->wire)) {
		ssize_t n = c->blanks > MOST_BLANKS ? -ETIMEDOUT : fill_first(a);

		if (n < 0)
			return (int)n;
		c->until = 0;
		c->blanks++;
	}
	return c->served && a->head.at == 0 && is_closing(c) ? -ECANCELED : belay_err(c->ctx);
}

/* The size of the head; 0: not all of it is there; or an error. */
static ssize_t scan_head(struct belay__awake *a)
{
	struct belay__wire *wire = &a->wire;
	ssize_t n = belay__head_scan(&a->head, wire->in + wire->start, wire->end - wire->start);

	return n > (ssize_t)belay__options_of(a->c)->header_size ? -E2BIG : n;
}

/* Reads on until all of it is there. */
static ssize_t await_head(struct belay__awake *a)
{
	int64_t time = belay__options_of(a->c)->header_time;
	ssize_t n = 0;

	if (!a->c->until)
		a->c->until = later(belay_now(), time);
	while (n == 0) {
		n = belay__h1_fill(a, a->c->ctx, time);
		if (n > 0)
			n = scan_head(a);
	}
	return n == -EMSGSIZE ? -E2BIG : n;
}

/* Most heads come whole. */
static ssize_t read_head(struct belay__awake *a)
{
	ssize_t n = scan_head(a);

	return n != 0 ? n : await_head(a);
}

/* The next head is waited for, and looked at, anew. */
static void forget_head(struct belay__awake *a)
{
	a->head = (struct belay__head){0};
	a->c->until = 0;
	a->c->blanks = 0;
}

/* Takes the next request's head off the connection. 0, or the error that it is answered with. */
static int read_request(struct belay__awake *a)
{
	const struct belay_server_options *options = belay__options_of(a->c);
	struct belay__wire *wire = &a->wire;
	ssize_t size = read_head(a);
	int r;

	if (size < 0)
		return (int)size;
	forget_head(a);
	r = belay__message_head(&wire->msg, &a->req, options->headers, wire->in + wire->start,
				(size_t)size);
	if (r < 0)
		return r;
	wire->start += (size_t)size;
	wire->body_limit = options->body_size;
	wire->pace = (struct belay__pace){options->body_rate, options->body_grace};
	a->req.source = &wire->source;
	wire->stuck = !wire->msg.chunked && wire->msg.length > wire->body_limit;
	a->req.failed = wire->stuck ? -EMSGSIZE : 0;
	return 0;
}

/* ---- Answering ------------------------------------------------------------------------------- */

static void begin(struct belay__awake *a, bool keep_alive)
{
	belay__answer_begin(&a->wire, keep_alive);
	belay__response_reset(&a->res);
	a->res.awaited = true;
}

/* A request that could not be understood. */
static void refuse(struct belay__awake *a, int err)
{
	a->sending = true;
	begin(a, false);
	a->wire.msg = (struct belay__message){.minor = 1};
	belay__exchange_refuse(a->c->ctx, belay__wire_is_gone(&a->wire), a->c->server->router,
			       &a->res, err);
}

static int run_handler(struct belay__awake *a)
{
	belay_ctx *ctx = belay_with_cancel(a->c->ctx);
	int r = belay__exchange_run(ctx, a->c->server->router, &a->req, &a->res);

	belay_unref(ctx);
	return r;
}

/* Sends what is left of the answer. True: all of it has gone out. */
static bool complete(struct belay__awake *a, int result)
{
	return belay__exchange_complete(a->c->ctx, belay__wire_is_gone(&a->wire),
					a->c->server->router, &a->req, &a->res, result);
}

static bool answer_request(struct belay__awake *a)
{
	struct belay__wire *wire = &a->wire;
	bool again;
	int r;

	begin(a, wire->msg.keep_alive);
	a->res.head_only = wire->msg.parser.method == HTTP_HEAD;
	r = run_handler(a);
	if (is_closing(a->c))
		wire->keep_alive = false;
	again = complete(a, r) && wire->keep_alive && belay__body_drain(a->c->quiet, wire);
	a->sending = !wire->msg.done || wire->start < wire->end;
	return again;
}

/* ---- For connection.c ------------------------------------------------------------------------ */

/* Serves one request. True: another one may follow. */
static bool serve_one(struct belay__awake *a)
{
	int r;

	belay__request_reset(&a->req);
	if (belay__h1_await(a) < 0)
		return false;
	r = read_request(a);
	if (a->drowsy)
		return false;
	if (r < 0) {
		refuse(a, r);
		return false;
	}
	a->c->served = true;
	return belay_err(a->c->ctx) == 0 && answer_request(a);
}

void belay__h1_serve(struct belay__awake *a)
{
	while (serve_one(a))
		;
}
