/* SPDX-License-Identifier: MIT
 *
 * h2.c - whole connections of HTTP/2: what a client says, through the server, and what it hears.
 *
 * Whatever it was, what is heard are frames as RFC 9113 wants them, within the windows; each stream
 * is answered once at most; and once the connection is gone no handler of it runs.
 *
 * The client is this thread; the server's tasks run beside it. It reads where the input says so,
 * and at the end, until the server closes or has nothing more to say for a while; then it goes, and
 * whatever still runs has to end by that.
 *
 * Input       'R': the rest is said as it stands, behind the preface. Else steps: h2_said.c.
 */
#include "h2_heard.h"

#include <belay.h>
#include <belay/http.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { QUIET_MS = 2, MOST_HEARD = 1 << 21, PAUSES = 4 };

static belay_router *router;
static belay_server *server;
static belay_listener *listener;
static pthread_t thread; /* in belay_server_serve() */
static struct sockaddr_un address;
static socklen_t address_size;
static atomic_uint handled; /* requests that got to a handler        */
static atomic_uint running; /* handlers                              */
static atomic_uint begun;   /* connections that the server has taken */

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

static belay_ctx *count_connection(belay_ctx *ctx, const char *remote, void *arg)
{
	atomic_fetch_add(&begun, 1);
	return NULL;
}

static void *serve(void *arg)
{
	belay_server_serve(belay_background(), server, listener);
	return NULL;
}

static void stop(void)
{
	belay_server_shutdown(belay_background(), server);
	pthread_join(thread, NULL);
	belay_server_free(server);
	belay_router_free(router);
}

static void add_routes(void)
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

/* So little patience that a client's pauses are enough to wear it out. */
static void start(void)
{
	static const struct belay_server_options options = {
		.header_size = 1024, .headers = 16, .body_size = 65536, .streams = 8,
		.idle_time = BELAY_MS(10), .connection = count_connection};
	char name[64];

	snprintf(name, sizeof name, "unix:@belay-fuzz-%d", (int)getpid());
	address.sun_family = AF_UNIX;
	strcpy(address.sun_path + 1, name + 6);
	address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) - 5);
	router = belay_router_new();
	MUST(router != NULL);
	add_routes();
	MUST(belay_listen(belay_background(), name, &listener) == 0);
	MUST(belay_server_new(belay_background(), router, &options, &server) == 0);
	MUST(pthread_create(&thread, NULL, serve, NULL) == 0);
	atexit(stop);
}

/* ---- The client ------------------------------------------------------------------------------ */

struct client {
	int fd;
	size_t sent; /* of what was said */
	uint8_t *heard;
	size_t size;
};

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0 && connect(fd, (struct sockaddr *)&address, address_size) == 0);
	return fd;
}

/* Until the server closes or falls silent, or that is enough. */
static void listen_to(struct client *c)
{
	struct pollfd poll_fd = {c->fd, POLLIN, 0};
	ssize_t n = 1;

	while (n > 0 && c->size < MOST_HEARD && poll(&poll_fd, 1, QUIET_MS) > 0) {
		n = recv(c->fd, c->heard + c->size, MOST_HEARD - c->size, 0);
		c->size += n > 0 ? (size_t)n : 0;
	}
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
			listen_to(c);
	}
	say(c, said);
}

/* The server may not even have taken it yet, when it is busy. */
static void wait_until_it_has_gone(void)
{
	static unsigned dialled;

	dialled++;
	while (atomic_load(&begun) != dialled || belay_server_connections(server) > 0)
		sched_yield();
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static struct h2_said said;
	static uint8_t heard[MOST_HEARD];
	struct fuzz_input in = {data, size};
	struct client c = {.heard = heard};
	unsigned before = atomic_load(&handled);

	if (!server)
		start();
	c.fd = dial();
	h2_said_begin(&said);
	if (size > 0 && *data == 'R') {
		said.opaque = true;
		h2_said_raw(&said, data + 1, size - 1);
		in.size = 0;
	}
	go_through(&c, &said, &in);
	listen_to(&c);
	close(c.fd);
	wait_until_it_has_gone();
	MUST(atomic_load(&running) == 0);
	MUST(atomic_load(&handled) - before <= said.size / 12); /* HEADERS of three fields */
	h2_heard_check(heard, c.size, &said);
}
