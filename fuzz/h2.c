/* SPDX-License-Identifier: MIT
 *
 * h2.c - whole connections of HTTP/2: what a client says, through the server, and what it hears.
 *
 * Whatever it was, what is heard are frames as RFC 9113 wants them, within the windows; each stream
 * is answered once at most; and once the connection is gone no handler of it runs.
 *
 * The client reads where the input says so, and at the end, until the server closes or has nothing
 * more to say; then it goes, and whatever still runs has to end by that.
 *
 * Input       'R': the rest is said as it stands, behind the preface. Else steps: h2_said.c.
 */
#include "h2_heard.h"
#include "served.h"

#include <belay.h>
#include <belay/http.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PATIENCE_MS = 3, MOST_HEARD = 1 << 21, PAUSES = 4 };

static atomic_uint handled; /* requests that got to a handler */
static atomic_uint running; /* handlers                       */

/* ---- Handlers -------------------------------------------------------------------------------- */

static int hello(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "hello");
}

static int echo(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body;
	size_t size;
	int r = belay_request_body(ctx, req, &body, &size);

	return r < 0 ? r : belay_response_write(ctx, res, body, size);
}

/* Piece by piece, as it comes. */
static int stream(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char buf[100];
	ssize_t n = 1;
	int r = 0;

	while (r == 0 && n > 0) {
		n = belay_request_read(ctx, req, buf, sizeof buf);
		if (n > 0)
			r = belay_response_write(ctx, res, buf, (size_t)n);
		if (n > 0 && r == 0)
			r = belay_response_flush(ctx, res);
	}
	return n < 0 ? (int)n : r;
}

/* To the request's end, by which it has to be told. */
static int wait_for_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_wait(ctx);
	MUST(belay_err(ctx) < 0);
	return belay_err(ctx);
}

/* Far more than any window. */
static int large(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static const char piece[30000];
	int r = 0;

	for (int i = 0; i < 10 && r == 0; i++)
		r = belay_response_write(ctx, res, piece, sizeof piece);
	return r;
}

/* Less than it says, whatever it has read by then. */
static int half(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char byte;

	belay_response_header(res, "Content-Length", "10");
	belay_request_read(ctx, req, &byte, 1);
	belay_response_puts(ctx, res, "half");
	belay_response_flush(ctx, res);
	return -EIO;
}

/* The head alone, and the rest when it is too late. */
static int late(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_response_flush(ctx, res);
	belay_wait(ctx);
	MUST(belay_response_puts(ctx, res, "late") < 0);
	return 0;
}

/* Headers of the client's choice, to smuggle others in by. */
static int headers(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *name, *value;

	for (size_t i = 0; belay_request_query_at(req, i, &name, &value); i++)
		MUST((belay_response_add_header(res, "X-Value", value) == -EINVAL) ==
		     fuzz_has_control(value));
	return belay_response_puts(ctx, res, "headers");
}

static int count_handler(belay_ctx *ctx, belay_request *req, belay_response *res,
			 const belay_chain *next, void *arg)
{
	int r;

	atomic_fetch_add(&handled, 1);
	atomic_fetch_add(&running, 1);
	r = belay_next(ctx, req, res, next);
	atomic_fetch_sub(&running, 1);
	return r;
}

/* ---- The server ------------------------------------------------------------------------------ */

static void add_routes(belay_router *router)
{
	static const struct {
		const char *pattern;
		belay_handler *handler;
	} routes[] = {
		{"/{$}", hello}, {"/echo", echo}, {"/stream", stream}, {"/wait", wait_for_end},
		{"/large", large}, {"/half", half}, {"/late", late}, {"GET /headers", headers},
	};

	MUST(belay_router_use(router, count_handler, NULL) == 0);
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		MUST(belay_router_add(router, routes[i].pattern, routes[i].handler, NULL) == 0);
}

/* So little patience that a client's last pause is enough to wear it out. */
static void start(void)
{
	static const struct belay_server_options options = {
		.header_size = 1024, .headers = 16, .body_size = 65536, .streams = 8,
		.idle_time = BELAY_MS(PATIENCE_MS)};
	static belay_router *router;

	if (router)
		return;
	router = belay_router_new();
	MUST(router != NULL);
	add_routes(router);
	served_start(router, &options);
}

/* ---- The client ------------------------------------------------------------------------------ */

struct client {
	int fd;
	size_t sent; /* of what was said */
	uint8_t *heard;
	size_t size;
};

static void hear(struct client *c, bool patient)
{
	served_hear(c->fd, c->heard, MOST_HEARD, &c->size, PATIENCE_MS + 1, patient);
}

/* What it has not been told yet. A server that has closed hears no more. */
static void say(struct client *c, const struct h2_said *said)
{
	while (c->sent < said->size) {
		ssize_t n = send(c->fd, said->bytes + c->sent, said->size - c->sent, MSG_NOSIGNAL);

		c->sent = n < 0 ? said->size : c->sent + (size_t)n;
	}
}

static void go_through(struct client *c, struct h2_said *said, struct fuzz_input *in)
{
	unsigned pauses = 0;

	while (in->size > 0 && said->size < H2_MOST_SAID) {
		enum h2_step step = h2_said_next(said, in);

		if (step == H2_SAID)
			continue;
		say(c, said);
		if (step == H2_HALF_CLOSE)
			shutdown(c->fd, SHUT_WR);
		else if (pauses++ < PAUSES)
			hear(c, pauses == PAUSES);
	}
	say(c, said);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static struct h2_said said;
	static uint8_t heard[MOST_HEARD];
	struct fuzz_input in = {data, size};
	struct client c = {.heard = heard};
	unsigned before = atomic_load(&handled);

	start();
	c.fd = served_dial();
	h2_said_begin(&said);
	if (size > 0 && *data == 'R') {
		said.opaque = true;
		h2_said_raw(&said, data + 1, size - 1);
		in.size = 0;
	}
	go_through(&c, &said, &in);
	hear(&c, false);
	served_leave(c.fd);
	MUST(atomic_load(&running) == 0);
	MUST(atomic_load(&handled) - before <= said.size / 12); /* HEADERS of three fields */
	h2_heard_check(heard, c.size, &said);
}
