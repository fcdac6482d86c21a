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
 * and so does its deadline, which the server there is told of. Bodies go through piece by piece,
 * both at once: who is slow on one side holds up the other, and nothing is kept.
 */
#include "serve.h"

#include <belay/http_client.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	MOST_HEADERS = 104,
	PIECE = 16384
};

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

/* Those of one connection alone, besides what its Connection headers name. */
static bool is_hop(const char *name)
{
	return lists("Connection, Keep-Alive, Proxy-Authenticate, Proxy-Authorization, "
		     "Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade",
		     name);
}

static bool request_names(const belay_request *req, const char *hop)
{
	const char *name, *value;

	for (size_t i = 0; belay_request_header_at(req, i, &name, &value); i++)
		if (strcasecmp(name, "Connection") == 0 && lists(value, hop))
			return true;
	return false;
}

static bool reply_names(const belay_http_reply *reply, const char *hop)
{
	struct belay_http_header h;

	for (size_t i = 0; belay_http_reply_header_at(reply, i, &h); i++)
		if (strcasecmp(h.name, "Connection") == 0 && lists(h.value, hop))
			return true;
	return false;
}

/* What the client makes of the context by itself, and of the call: length, trace, time left; and
 * what is ours to say. */
static bool is_made_anew(const char *name)
{
	return lists("Host, Content-Length, Expect, Request-Timeout, grpc-timeout, X-Trace-Id, "
		     "traceparent, tracestate, baggage, X-Forwarded-Proto",
		     name);
}

static size_t take_headers(const belay_request *req, struct belay_http_header *ret)
{
	const char *name, *value;
	size_t n = 0;

	for (size_t i = 0; belay_request_header_at(req, i, &name, &value); i++)
		if (n < MOST_HEADERS - 3 && !is_hop(name) && !request_names(req, name) &&
		    !is_made_anew(name))
			ret[n++] = (struct belay_http_header){name, value};
	ret[n++] = (struct belay_http_header){"X-Forwarded-For", belay_request_remote(req)};
	ret[n++] = (struct belay_http_header){"X-Forwarded-Proto",
					      belay_request_is_secure(req) ? "https" : "http"};
	ret[n++] = (struct belay_http_header){"Via", "1.1 belay"};
	return n;
}

static int give_headers(belay_response *res, const belay_http_reply *reply)
{
	struct belay_http_header h;
	int r = belay_response_status(res, belay_http_reply_status(reply));

	for (size_t i = 0; r == 0 && belay_http_reply_header_at(reply, i, &h); i++)
		if (!is_hop(h.name) && !reply_names(reply, h.name))
			r = strcasecmp(h.name, "X-Trace-Id") == 0
				    ? belay_response_header(res, h.name, h.value)
				    : belay_response_add_header(res, h.name, h.value);
	return r;
}

/* ---- There and back -------------------------------------------------------------------------- */

/* A request's body on its way. */
struct upload {
	belay_request *req;
	belay_http_reply *reply;
	ssize_t size; /* of the piece at hand */
	char piece[PIECE];
};

/* In a task of its own. It fails where the client's side does; of the other side, which takes no
 * more once it has answered, say, who awaits the reply is told. */
static int send_body(belay_ctx *ctx, void *arg)
{
	struct upload *up = arg;

	while (up->size > 0) {
		if (belay_http_write(ctx, up->reply, up->piece, (size_t)up->size) < 0)
			return 0;
		up->size = belay_request_read(ctx, up->req, up->piece, PIECE);
	}
	if (up->size == 0)
		belay_http_finish(up->reply);
	return (int)up->size;
}

/* Each piece goes out as it comes, so that events are on time. */
static int give_answer(belay_ctx *ctx, belay_response *res, belay_http_reply *reply)
{
	int r = give_headers(res, reply);
	char piece[PIECE];
	ssize_t n;

	while (r == 0 && (n = belay_http_reply_read(ctx, reply, piece, sizeof piece)) != 0) {
		r = n < 0 ? (int)n : belay_response_write(ctx, res, piece, (size_t)n);
		if (r == 0)
			r = belay_response_flush(ctx, res);
	}
	return r;
}

/* The server behind is to blame, but where the context has ended: that is answered for already. */
static int blame(belay_ctx *ctx, belay_request *req, belay_response *res, int err)
{
	if (err == belay_err(ctx) || err == -ENOMEM)
		return err;
	return belay_response_error(ctx, req, res, err == -ETIMEDOUT ? 504 : 502, "%s",
				    belay_strerror(err));
}

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res, int err,
		  belay_http_reply *reply)
{
	return err < 0 ? blame(ctx, req, res, err) : give_answer(ctx, res, reply);
}

/* Under a context that ends as soon as the body can't be read any more, and once it is answered. */
static int exchange_body(belay_ctx *ctx, const struct belay_http_call *call, struct upload *up,
			 belay_response *res)
{
	const char *length = belay_request_header(up->req, "Content-Length");
	const struct proxy *proxy = belay_request_data(up->req);
	belay_group *group = belay_group_new(ctx);
	belay_ctx *both;
	int r, sent;

	if (!group)
		return -ENOMEM;
	both = belay_group_ctx(group);
	r = belay_http_begin(both, proxy->client, call, length ? strtoll(length, NULL, 10) : -1,
			     &up->reply);
	if (r == 0)
		r = belay_group_go(group, send_body, up);
	if (r == 0)
		r = belay_http_reply_await(both, up->reply);
	if (r == 0 || belay_err(both) == 0)
		r = answer(ctx, up->req, res, r, up->reply);
	belay_cancel(both);
	sent = belay_group_wait(group);
	belay_http_reply_end(up->reply);
	return r == -ECANCELED && sent < 0 ? sent : r;
}

static int exchange(belay_ctx *ctx, const struct belay_http_call *call, belay_request *req,
		    belay_response *res)
{
	const struct proxy *proxy = belay_request_data(req);
	belay_http_reply *reply = NULL;
	int r = belay_http_send(ctx, proxy->client, call, &reply);

	r = answer(ctx, req, res, r, reply);
	belay_http_reply_end(reply);
	return r;
}

/* Whether there is a body is seen by its first piece. */
static int hand_on(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const struct proxy *proxy = belay_request_data(req);
	struct belay_http_header headers[MOST_HEADERS];
	struct belay_http_call call = {.method = belay_request_method(req), .headers = headers};
	struct upload up = {.req = req};

	if (belay_request_target(req)[0] != '/')
		return belay_response_error(ctx, req, res, 400, NULL);
	call.url = belay_sprintf(ctx, "%s%s", proxy->upstream, belay_request_target(req));
	if (!call.url)
		return -ENOMEM;
	call.header_count = take_headers(req, headers);
	up.size = belay_request_read(ctx, req, up.piece, PIECE);
	if (up.size < 0)
		return (int)up.size;
	return up.size > 0 ? exchange_body(ctx, &call, &up, res) : exchange(ctx, &call, req, res);
}

/* ---- The program ----------------------------------------------------------------------------- */

static int run(struct proxy *proxy, const char *address)
{
	static const struct belay_http_limit none = {0}; /* but what the caller asks for */
	static const struct belay_server_options any_size = {.body_size = INT64_MAX};
	belay_router *router = serve_router();
	int r = router ? belay_router_use(router, belay_http_deadline, (void *)&none) : -ENOMEM;

	if (r == 0)
		r = belay_router_add(router, "/{path...}", hand_on, proxy);
	if (r == 0)
		r = serve_with(&any_size, router, address);
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
