/* SPDX-License-Identifier: MIT
 *
 * server.c - whole connections: what a client sends, through the server, and what it gets.
 *
 * Whatever it was, the answers are ones that a reader by the book can take apart, each header in
 * them is one that the server or the handler meant, and there are no more answers than requests.
 *
 * The client sends all it has and reads until the server closes or has nothing more to say. An
 * answer that is cut off is fine.
 *
 * Input       the bytes of the connection.
 */
#include "fuzz.h"
#include "served.h"

#include <belay.h>
#include <belay/http.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MOST_MS = 4, MOST_OUTPUT = 1 << 20 };

static atomic_uint handled; /* requests that got to a handler */

/* ---- The server ------------------------------------------------------------------------------ */

/* The body back, and how long it is. */
static int echo(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body;
	size_t size;
	int r = belay_request_body(ctx, req, &body, &size);

	atomic_fetch_add(&handled, 1);
	return r < 0 ? r : belay_response_write(ctx, res, body, size);
}

/* Piece by piece, as it comes. */
static int stream(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char buf[16];
	ssize_t n = 1;
	int r = 0;

	atomic_fetch_add(&handled, 1);
	while (r == 0 && n > 0) {
		n = belay_request_read(ctx, req, buf, sizeof buf);
		if (n > 0)
			r = belay_response_write(ctx, res, buf, (size_t)n);
		if (n > 0 && r == 0)
			r = belay_response_flush(ctx, res);
	}
	return n < 0 ? (int)n : r;
}

/* Headers of the client's choice, to smuggle others in by. */
static int headers(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *name, *value;

	atomic_fetch_add(&handled, 1);
	for (size_t i = 0; belay_request_query_at(req, i, &name, &value); i++) {
		int r = belay_response_add_header(res, "X-Value", value);

		MUST((r == -EINVAL) == fuzz_has_control(value));
		belay_response_header(res, "X-Path", belay_request_path(req));
	}
	return belay_response_puts(ctx, res, "headers");
}

/* A message of the client's choice, on an error page. */
static int fail(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	atomic_fetch_add(&handled, 1);
	return belay_response_error(ctx, req, res, 418, "%s", belay_request_param(req, "why"));
}

static void add_routes(belay_router *router)
{
	MUST(belay_router_use(router, belay_http_trace, NULL) == 0);
	MUST(belay_router_add(router, "/", echo, NULL) == 0);
	MUST(belay_router_add(router, "/stream", stream, NULL) == 0);
	MUST(belay_router_add(router, "GET /headers", headers, NULL) == 0);
	MUST(belay_router_add(router, "/fail/{why...}", fail, NULL) == 0);
}

static void start(void)
{
	static const struct belay_server_options options = {
		.header_size = 1024, .headers = 16, .body_size = 512, .drain_size = 256};
	static belay_router *router;

	if (router)
		return;
	router = belay_router_new();
	MUST(router != NULL);
	add_routes(router);
	served_start(router, &options);
}

/* ---- A reader by the book -------------------------------------------------------------------- */

struct reader {
	const char *at, *end;
};

/* A line, for free(); NULL: there is no whole one. */
static char *line(struct reader *in)
{
	const char *feed = in->at < in->end ? memchr(in->at, '\n', (size_t)(in->end - in->at))
					    : NULL;
	char *text;

	if (!feed)
		return NULL;
	MUST(feed > in->at && feed[-1] == '\r');
	text = fuzz_copy(in->at, (size_t)(feed - 1 - in->at));
	MUST(strlen(text) == (size_t)(feed - 1 - in->at) && !fuzz_has_control(text));
	in->at = feed + 1;
	return text;
}

/* size bytes of body and, of a chunk, its end. False: it is cut off. */
static bool skip(struct reader *in, uint64_t size)
{
	if (size > (uint64_t)(in->end - in->at))
		return false;
	in->at += size;
	return true;
}

struct answer {
	int status;
	bool chunked, sized, closes;
	uint64_t size;
};

/* Nothing else may be in an answer: neither the server nor a handler says it. */
static void check_name(const char *header)
{
	static const char *const names[] = {
		"content-length:", "transfer-encoding:", "connection:", "date:", "content-type:",
		"x-trace-id:", "x-value:", "x-path:", "allow:", "x-content-type-options:"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strncasecmp(header, names[i], strlen(names[i])) == 0)
			return;
	fprintf(stderr, "unheard-of header: %s\n", header);
	abort();
}

static void take_header(struct answer *a, const char *text)
{
	check_name(text);
	if (strncasecmp(text, "content-length:", 15) == 0) {
		MUST(!a->sized);
		a->sized = true;
		a->size = strtoull(text + 15, NULL, 10);
	}
	a->chunked |= strcasecmp(text, "transfer-encoding: chunked") == 0;
	a->closes |= strcasecmp(text, "connection: close") == 0;
}

/* False: it is cut off. */
static bool head(struct reader *in, struct answer *ret)
{
	char *text = line(in);
	int minor, n = 0;
	bool whole;

	*ret = (struct answer){0};
	if (!text)
		return false;
	MUST(sscanf(text, "HTTP/1.%1d %3d %n", &minor, &ret->status, &n) == 2 && n > 0);
	MUST(ret->status >= 100 && ret->status <= 599);
	free(text);
	while ((text = line(in)) && *text) {
		take_header(ret, text);
		free(text);
	}
	whole = text != NULL;
	free(text);
	MUST(!ret->chunked || !ret->sized);
	return whole;
}

static bool chunk(struct reader *in, bool *ret_last)
{
	char *text = line(in);
	uint64_t size;

	if (!text)
		return false;
	MUST(*text && text[strspn(text, "0123456789abcdefABCDEF")] == '\0');
	size = strtoull(text, NULL, 16);
	free(text);
	*ret_last = size == 0;
	if (!skip(in, size) || !(text = line(in)))
		return false;
	MUST(*text == '\0');
	free(text);
	return true;
}

/* False: it goes to the end of the connection, whole or not. */
static bool body(struct reader *in, const struct answer *a)
{
	bool last = false;

	if (a->status < 200 || a->status == 204 || a->status == 304)
		return true;
	if (a->sized)
		return skip(in, a->size);
	while (a->chunked && !last)
		if (!chunk(in, &last))
			return false;
	return a->chunked;
}

/* How many final answers there are. Those to HEAD have no body: the input has none. */
static unsigned check_answers(const char *out, size_t size)
{
	struct reader in = {out, out + size};
	struct answer a = {0};
	unsigned n = 0;

	while (in.at < in.end && head(&in, &a)) {
		n += a.status >= 200;
		if (!body(&in, &a))
			return n;
		MUST(!a.closes || in.at == in.end);
	}
	return n;
}

/* ---- One connection -------------------------------------------------------------------------- */

/* Another protocol, and answers without a body, need another reader. */
static bool is_readable(const uint8_t *data, size_t size)
{
	return !memmem(data, size, "HEAD", 4) && !memmem(data, size, "PRI ", 4) &&
	       !memmem(data, size, "pgrade", 6);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static char out[MOST_OUTPUT];
	unsigned before = atomic_load(&handled), answers;
	size_t got = 0;
	bool closed;
	int fd;

	start();
	fd = served_dial();
	if (size > 0)
		send(fd, data, size, MSG_NOSIGNAL);
	closed = served_hear(fd, out, sizeof out, &got, MOST_MS, false);
	served_leave(fd);
	MUST(got < sizeof out);
	if (!is_readable(data, size))
		return;
	/* One more: what was no request is answered too, once. 404 and 405 get to no handler. */
	answers = check_answers(out, got);
	MUST(answers <= size / 16 + 1);
	MUST(!closed || answers + 1 >= atomic_load(&handled) - before);
}
