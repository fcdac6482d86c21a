/* SPDX-License-Identifier: MIT
 *
 * reverse_proxy.c - hands requests on to another server, with what is left of their time, and its
 * answers back as they come.
 *
 *     ./reverse_proxy http://127.0.0.1:8080 [ADDRESS]
 *     curl http://127.0.0.1:8081/hello/world
 *     curl -H 'Request-Timeout: 50ms' http://127.0.0.1:8081/slow
 *
 * One context goes through all of it: a client that goes away ends the request behind the proxy,
 * and so does its deadline, which the server there is told of. Answers are streamed, piece by
 * piece; a request's body is taken whole first (8 MiB at most): the client sends what is in memory.
 */
#include "serve.h"

#include <belay/http_client.h>

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { MOST_HEADERS = 104, PIECE = 16384 };

struct proxy {
	belay_http_client *client;
	const char *upstream;
};

/* ---- Headers (RFC 9110, section 7.6.1) ------------------------------------------------------- */

/* Whether a list ("close, X-Hop") names it. */
static bool lists(const char *list, const char *name)
{
	size_t size = strlen(name);

	while (list && *list) {
		size_t item;

		list += strspn(list, " \t,");
		item = strcspn(list, " \t,");
		if (item == size && strncasecmp(list, name, size) == 0)
			return true;
		list += item;
	}
	return false;
}

/* Those of one connection alone; connection: what its Connection header says. */
static bool is_hop(const char *name, const char *connection)
{
	return lists("Connection, Keep-Alive, Proxy-Authenticate, Proxy-Authorization, "
		     "Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade", name) ||
	       lists(connection, name);
}

/* What the client makes of the context by itself, and of the call: length, trace, time left. */
static bool is_made_anew(const char *name)
{
	return lists("Host, Content-Length, Expect, Request-Timeout, grpc-timeout, X-Trace-Id, "
		     "traceparent, tracestate, baggage", name);
}

static size_t take_headers(const belay_request *req, struct belay_http_header *ret)
{
	const char *connection = belay_request_header(req, "Connection"), *name, *value;
	size_t n = 0;

	for (size_t i = 0; belay_request_header_at(req, i, &name, &value); i++)
		if (n < MOST_HEADERS - 3 && !is_hop(name, connection) && !is_made_anew(name))
			ret[n++] = (struct belay_http_header){name, value};
	ret[n++] = (struct belay_http_header){"X-Forwarded-For", belay_request_remote(req)};
	ret[n++] = (struct belay_http_header){"X-Forwarded-Proto",
					      belay_request_is_secure(req) ? "https" : "http"};
	ret[n++] = (struct belay_http_header){"Via", "1.1 belay"};
	return n;
}

static int give_headers(belay_response *res, const belay_http_reply *reply)
{
	const char *connection = belay_http_reply_header(reply, "Connection");
	struct belay_http_header h;
	int r = belay_response_status(res, belay_http_reply_status(reply));

	for (size_t i = 0; r == 0 && belay_http_reply_header_at(reply, i, &h); i++)
		if (!is_hop(h.name, connection))
			r = strcasecmp(h.name, "X-Trace-Id") == 0
				    ? belay_response_header(res, h.name, h.value)
				    : belay_response_add_header(res, h.name, h.value);
	return r;
}

/* ---- There and back -------------------------------------------------------------------------- */

/* Each piece goes out as it comes, so that events are on time. */
static int stream(belay_ctx *ctx, belay_response *res, belay_http_reply *reply)
{
	char piece[PIECE];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = belay_http_reply_read(ctx, reply, piece, sizeof piece)) != 0) {
		r = n < 0 ? (int)n : belay_response_write(ctx, res, piece, (size_t)n);
		if (r == 0)
			r = belay_response_flush(ctx, res);
	}
	return r;
}

static int send_on(belay_ctx *ctx, belay_request *req, const struct proxy *proxy,
		   belay_http_reply **ret)
{
	char *url = belay_sprintf(ctx, "%s%s", proxy->upstream, belay_request_target(req));
	struct belay_http_header headers[MOST_HEADERS];
	struct belay_http_call call = {.method = belay_request_method(req), .url = url,
				       .headers = headers};
	const char *body;
	int r = url ? belay_request_body(ctx, req, &body, &call.body_size) : -ENOMEM;

	if (r < 0)
		return r;
	call.body = call.body_size > 0 ? body : NULL;
	call.header_count = take_headers(req, headers);
	return belay_http_send(ctx, proxy->client, &call, ret);
}

/* The server behind is to blame, but where the context has ended: that is answered for already. */
static int blame(belay_ctx *ctx, belay_request *req, belay_response *res, int err)
{
	if (err == belay_err(ctx) || err == -ENOMEM || err == -EMSGSIZE || err == -EBADMSG)
		return err;
	return belay_response_error(ctx, req, res, err == -ETIMEDOUT ? 504 : 502, "%s",
				    belay_strerror(err));
}

static int hand_on(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_http_reply *reply;
	int r;

	if (belay_request_target(req)[0] != '/')
		return belay_response_error(ctx, req, res, 400, NULL);
	r = send_on(ctx, req, belay_request_data(req), &reply);
	if (r < 0)
		return blame(ctx, req, res, r);
	r = give_headers(res, reply);
	if (r == 0)
		r = stream(ctx, res, reply);
	belay_http_reply_end(reply);
	return r;
}

/* ---- The program ----------------------------------------------------------------------------- */

static int run(struct proxy *proxy, const char *address)
{
	static const struct belay_http_limit none = {0}; /* but what the caller asks for */
	belay_router *router = serve_router();
	int r = router ? belay_router_use(router, belay_http_deadline, (void *)&none) : -ENOMEM;

	if (r == 0)
		r = belay_router_add(router, "/{path...}", hand_on, proxy);
	if (r == 0)
		r = serve(router, address);
	belay_router_free(router);
	return r;
}

int main(int argc, char **argv)
{
	const struct belay_http_client_options options = {.connect_timeout = BELAY_S(5)};
	struct proxy proxy = {.upstream = argc > 1 ? argv[1] : ""};
	int r;

	if (argc < 2) {
		fprintf(stderr, "usage: %s http://HOST:PORT [ADDRESS]\n", argv[0]);
		return 2;
	}
	r = belay_http_client_new(&options, &proxy.client);
	if (r == 0)
		r = run(&proxy, argc > 2 ? argv[2] : "127.0.0.1:8081");
	belay_http_client_close(proxy.client);
	belay_shutdown();
	return r < 0;
}
