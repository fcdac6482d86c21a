/* SPDX-License-Identifier: MIT
 *
 * http.h - an HTTP server (1.1 and 2) whose requests carry a context.
 *
 *     static int hello(belay_ctx *ctx, belay_request *req, belay_response *res)
 *     {
 *             const char *name = belay_request_param(req, "name");
 *
 *             return belay_response_printf(ctx, res, "hello %s\n", name);
 *     }
 *
 *     belay_router_add(router, "GET /hello/{name}", hello, NULL);
 *
 * A handler runs in the task of its connection, or, over HTTP/2, in one of its own: each stream is
 * a request. Its context is live when it starts and done once it has returned; it ends before that
 * with the cause "client disconnected" (code -ECONNRESET) as soon as the client has gone, even
 * while the handler computes without any I/O (the same code and another message: it has reset the
 * stream alone), and with the cause "server shutting down" (code -ESHUTDOWN) when a shutdown's own
 * context is done. Where memory for it, or for one that a middleware derives, was not there, the
 * handler is not asked: 503.
 *
 * Links as belay-http. What can block takes a context and returns that context's error as soon as
 * it is done; the rules of belay.h hold here too.
 */
#ifndef BELAY_HTTP_H
#define BELAY_HTTP_H

#include <belay/context.h>
#include <belay/log.h>
#include <belay/net.h>

BELAY_BEGIN_DECLS

typedef struct belay_request belay_request;
typedef struct belay_response belay_response;
typedef struct belay_router belay_router;
typedef struct belay_server belay_server;
typedef struct belay_recorder belay_recorder;

/* Answers a request. 0, or a negative errno. Where it failed before anything was sent, the answer
 * is the error page for it: 400, 408 or 413 for an error of belay_request_read()'s, 404 for
 * -ENOENT, 503 for a context's error and -ENOMEM, 500 for everything else (so don't hand on another
 * call's -ENOENT, as of a database file that is gone, for one of your own). Where it failed later
 * the connection is closed. A handler that returned 0 without writing has answered 200 with an
 * empty body; but one whose context is done, and that could not write what it wanted for that, has
 * failed with the context's error whatever it returned. */
typedef int belay_handler(belay_ctx *ctx, belay_request *req, belay_response *res);

/* ---- Requests -----------------------------------------------------------------------------------
 *
 * A request, and every string had from it, lives until its handler has returned. One task at a time
 * may use it. Nothing here blocks but reading the body. */

/* "GET"; and the target as it was sent, "/packages/0ad?limit=2". */
BELAY_EXPORT const char *belay_request_method(const belay_request *req);
BELAY_EXPORT const char *belay_request_target(const belay_request *req);

/* The target's path, percent-decoded, without the query. Never empty, never with "." or ".."
 * segments (such requests are answered 400); may hold control characters and bytes that are no
 * UTF-8. */
BELAY_EXPORT const char *belay_request_path(const belay_request *req);

/* What the route's {name} stands for in the path, decoded; NULL: it has no such parameter. */
BELAY_EXPORT const char *belay_request_param(const belay_request *req, const char *name);

/* The first query parameter of that name, decoded ("+" is a space); "" where it has no value; NULL:
 * none. And all of them in turn: false past the last one. */
BELAY_EXPORT const char *belay_request_query(const belay_request *req, const char *name);
BELAY_EXPORT bool belay_request_query_at(const belay_request *req, size_t index,
					 const char **ret_name, const char **ret_value);

/* The first header of that name, in any case; NULL: none. And all of them in the order sent. */
BELAY_EXPORT const char *belay_request_header(const belay_request *req, const char *name);
BELAY_EXPORT bool belay_request_header_at(const belay_request *req, size_t index,
					  const char **ret_name, const char **ret_value);

/* The pattern of the route that was found, as it was added; NULL: none, or not yet. */
BELAY_EXPORT const char *belay_request_route(const belay_request *req);

/* The client's address as belay_conn_peer() writes it. */
BELAY_EXPORT const char *belay_request_remote(const belay_request *req);

/* "HTTP/1.0", "HTTP/1.1" or "HTTP/2": what the request came by, TLS or not. Static; never NULL. */
BELAY_EXPORT const char *belay_request_protocol(const belay_request *req);

/* Whether it came over TLS; and the subject of the certificate that the client has proved to own,
 * "CN=alice,O=Example", as belay_conn_peer_subject() has it. NULL: it has shown none. */
BELAY_EXPORT bool belay_request_is_secure(const belay_request *req);
BELAY_EXPORT const char *belay_request_peer_subject(const belay_request *req);

/* What belay_router_add() was given for this route; NULL outside of routes. */
BELAY_EXPORT void *belay_request_data(const belay_request *req);

/* The next bytes of the body: a count, 0 at its end, the context's error, or
 *   -EMSGSIZE    the body is longer than the server's limit;
 *   -EBADMSG     its chunked coding is broken;
 *   -ETIMEDOUT   the client sent nothing for the server's idle time;
 *   -ECONNRESET  the connection broke, and the context given has nothing to do with it;
 *   -EINVAL      belay_request_body() has read it.
 * After an error that is not the context's each further call returns the same. A client that waits
 * for "100 Continue" is sent it by the first call. */
BELAY_EXPORT ssize_t belay_request_read(BELAY_BORROWED belay_ctx *ctx, belay_request *req,
					void *buf, size_t size);

/* The whole body, for those that fit into memory: it belongs to the request, has a NUL behind it,
 * and is the same in each call. 0; belay_request_read()'s errors; -EINVAL: some of it has been read
 * by belay_request_read(); -ENOMEM. A call that failed may be tried again. ret_size may be NULL. */
BELAY_EXPORT int belay_request_body(BELAY_BORROWED belay_ctx *ctx, belay_request *req,
				    const char **ret, size_t *ret_size);

/* ---- Responses ----------------------------------------------------------------------------------
 *
 * The status line and headers are sent with the first bytes of the body that don't fit into the
 * response's buffer (16 KiB), at a flush, or at the end. A body that was still whole in the buffer
 * then gets a Content-Length, any other one chunks. Answers to HEAD, 204 and 304 have no body.
 * One task at a time may use a response. */

/* 200 to 599; 200 where it is not set. 0; -EINVAL; -EALREADY: the head has been sent. */
BELAY_EXPORT int belay_response_status(belay_response *res, int status);

/* Sets a header, in place of others of that name; or adds one more. Both strings are copied. 0;
 * -EINVAL: name is no token, or value has a control character in it (CR, LF and NUL above all: no
 * header can be smuggled in); also Transfer-Encoding, which is the server's own, and a
 * Content-Length that is no number, or less than was written; -EALREADY: the head has been sent;
 * -ENOMEM. */
BELAY_EXPORT int belay_response_header(belay_response *res, const char *name, const char *value);
BELAY_EXPORT int belay_response_add_header(belay_response *res, const char *name,
					   const char *value);

/* Appends to the body. Blocks while the client does not read. 0; the context's error, also where
 * the handler's deadline has passed and somebody else has answered for it; -EINVAL: this status has
 * no body; -EMSGSIZE: more than the Content-Length that was set; -EPIPE: the response is complete;
 * -ETIMEDOUT: within the server's idle time the client took neither all nor 256 KiB of it, or over
 * HTTP/2 nothing; -ENOMEM; -errno of the socket. */
BELAY_EXPORT int belay_response_write(BELAY_BORROWED belay_ctx *ctx, belay_response *res,
				      const void *data, size_t size);
BELAY_EXPORT int belay_response_puts(BELAY_BORROWED belay_ctx *ctx, belay_response *res,
				     const char *text);
BELAY_EXPORT int belay_response_printf(BELAY_BORROWED belay_ctx *ctx, belay_response *res,
				       const char *fmt, ...) BELAY_PRINTF(3, 4);

/* Appends size bytes of the regular file fd, from offset on; fd stays the caller's. Where a
 * Content-Length was set and the connection can, they go out without a copy in this process
 * (sendfile(2)); the disk is waited for on a blocking thread. Blocks as above, with the server's
 * idle time anew for each 256 KiB. Errors as above; -ENODATA: the file ends before that. After an
 * error some of it may have been appended. */
BELAY_EXPORT int belay_response_send_file(BELAY_BORROWED belay_ctx *ctx, belay_response *res,
					  int fd, int64_t offset, uint64_t size);

/* Sends what is in the buffer now, and the head where it has not been sent: for streams, such as
 * server-sent events. Errors as belay_response_write(). */
BELAY_EXPORT int belay_response_flush(BELAY_BORROWED belay_ctx *ctx, belay_response *res);

/* Answers with the error page for status (400 to 599) in place of what was written so far; headers
 * that were set stay, but those that describe a body. fmt (NULL: the status' own phrase) is a
 * message for the client, cut at 511 bytes. Where ctx is done, its cause is noted for the access
 * log and told the page. 0; -EALREADY: the head has been sent; -EINVAL; the context's error, where
 * somebody else has answered after the handler's deadline. */
BELAY_EXPORT int belay_response_error(BELAY_BORROWED belay_ctx *ctx, belay_request *req,
				      belay_response *res, int status, const char *fmt, ...)
	BELAY_PRINTF(5, 6);

/* The status set so far (200: none was), and whether the head has been sent. */
BELAY_EXPORT int belay_response_get_status(const belay_response *res);
BELAY_EXPORT bool belay_response_is_sent(const belay_response *res);

/* "Not Found"; never NULL. */
BELAY_EXPORT const char *belay_http_phrase(int status);

/* ---- Middlewares --------------------------------------------------------------------------------
 *
 * A function around handlers: it may answer itself, or call belay_next() once, with its own context
 * or one derived from it, and look at the response afterwards. */

typedef struct belay_chain belay_chain;
typedef int belay_middleware(belay_ctx *ctx, belay_request *req, belay_response *res,
			     const belay_chain *next, void *arg);

/* Runs what stands behind this middleware; its result. */
BELAY_EXPORT int belay_next(BELAY_BORROWED belay_ctx *ctx, belay_request *req, belay_response *res,
			    const belay_chain *next);

/* Gives the request a trace id (belay/log.h): the one of a valid W3C traceparent header, else that
 * of X-Trace-Id (up to 64 of A-Z a-z 0-9 . _ -), else a new random one. The answer carries it as
 * X-Trace-Id. The flags that came with the traceparent (whether it is sampled) and the tracestate
 * become the context's (belay_tracestate(); W3C Trace Context, section 3.3), and so does the
 * baggage (belay_baggage(); W3C Baggage), its first 64 members and 8 KiB: they go with the requests
 * that the handler makes. What is malformed is as good as not there, and counted
 * (belay_metrics_text()). arg is not used. */
BELAY_EXPORT belay_middleware belay_http_trace;

/* Logs one line a request (belay_log(), info): method, path, status, milliseconds; for those that
 * were cut short the cause, and for those whose handler failed by itself the error (with a status
 * of less than 400: in the middle of its answer, which so is not whole):
 *
 *     GET /twins 503 150.3ms cause="context deadline exceeded"
 *     GET /file 500 0.2ms error="Input/output error"
 *
 * A client that had gone before it was answered is logged as status 499. Stands inside of the
 * trace, so that its lines have the id, and outside of the deadline. arg is not used. */
BELAY_EXPORT belay_middleware belay_http_access_log;

/* Gives the handler a deadline: arg (NULL: only the caller's) says how long at most, and a caller
 * may ask for less, by the headers Request-Timeout, as belay_duration_parse() takes it, and
 * grpc-timeout ("gRPC over HTTP2": up to eight digits and n, u, m, S, M or H), or by the query
 * parameter timeout: the shortest counts. A malformed header is as good as none, and counted
 * (belay_metrics_text()); a malformed parameter is answered 400. When it passes, 503 is sent at
 * once, and the handler's own writes fail with the context's error from then on; it is waited for
 * all the same. The handler runs in a task of its own. What it had sent already can't be taken
 * back: then the connection is closed where the body stands. */
struct belay_http_limit {
	int64_t most; /* nanoseconds; 0 or BELAY_FOREVER: none of the server's own */
};
BELAY_EXPORT belay_middleware belay_http_deadline;

/* "150ms", "1.5s": digits, with a fraction or not, and a unit of ns, us, ms, s, m. 0 and *ret in
 * nanoseconds (BELAY_FOREVER where it is too long to count); -EINVAL. */
BELAY_EXPORT int belay_duration_parse(const char *text, int64_t *ret);

/* ---- Routers ------------------------------------------------------------------------------------
 *
 * Built first, then served: adding is for one thread, before the first request. */

/* NULL: out of memory; and its end: NULL is fine, nobody may be using it. */
BELAY_EXPORT belay_router *belay_router_new(void);
BELAY_EXPORT void belay_router_free(belay_router *router);

/* Requests that match pattern are handler's; data is handed out by belay_request_data(). A pattern
 * is a method, a space and a path ("GET /packages/{name}/closure"), or a path alone for all
 * methods. Its segments are text, {name} for any one segment that is not empty, or, as the last
 * one, {name...} for all that is left, slashes and all. Text wins over {name}, and that over
 * {name...}; a method over none. GET answers HEAD too, where that has no handler of its own. No
 * match: 404; one for other methods only: 405 with Allow. 0; -EINVAL: not a pattern, or none that a
 * request can match ("get /", "GET /a/../b"), or an argument is NULL; -EEXIST: there is one that
 * matches the same requests; -ENOMEM. */
BELAY_EXPORT int belay_router_add(belay_router *router, const char *pattern,
				  belay_handler *handler, void *data);

/* Puts a middleware around everything, also around 404; or around the one route that was added with
 * pattern, inside of the former. The first one added is the outermost. 0; -ENOENT: no such route;
 * -EINVAL: no router, pattern or middleware; -ENOMEM. (A middleware that lacks its arg answers 500,
 * and logs that.) */
BELAY_EXPORT int belay_router_use(belay_router *router, belay_middleware *middleware, void *arg);
BELAY_EXPORT int belay_router_use_for(belay_router *router, const char *pattern,
				      belay_middleware *middleware, void *arg);

/* What an error page is about. */
struct belay_http_error {
	int status;
	const char *message; /* never NULL                                                    */
	const char *cause;   /* why the request's context was ended; NULL: that is not the reason */
};

/* Writes an error's answer: Content-Type and body (the status is set already). ctx is live, with
 * the request's values, also where the request's own context is done. req is NULL where the request
 * could not be parsed. A page that fails leaves an empty body. Without one: a line of text. */
typedef int belay_error_page(belay_ctx *ctx, const belay_request *req, belay_response *res,
			     const struct belay_http_error *error, void *arg);
BELAY_EXPORT void belay_router_error_page(belay_router *router, belay_error_page *page, void *arg);

/* ---- Servers --------------------------------------------------------------------------------- */

/* Zeros stand for the defaults in brackets. */
struct belay_server_options {
	size_t header_size;   /* bytes of request line and headers, else 431 [65536]            */
	unsigned headers;     /* how many of them, else 431 [100]                               */
	int64_t header_time;  /* from a request's first byte to the end of its head, else 408; and
				 from the connect, over TLS with its handshake, to the first
				 byte [10 s]                                                    */
	uint64_t body_size;   /* bytes of a request's body, else 413 [8 MiB]                    */
	uint64_t body_rate;   /* bytes of it a second that a client has to send, else 408, while
				 the handler waits for them [240]                               */
	int64_t body_grace;   /* how long it may keep the handler waiting besides, in all;
				 BELAY_FOREVER: there is no such rate [20 s]                    */
	size_t drain_size;    /* of a body left unread: more than this closes the connection,
				 for less it is read and thrown away [256 KiB]                  */
	int64_t idle_time;    /* between requests; also how long one read of a body, or one write
				 (each 256 KiB of it), may wait for the client, and all of a
				 body left unread [60 s]                                        */
	unsigned connections; /* at once; more wait to be accepted [10000]                      */
	unsigned streams;     /* of an HTTP/2 connection at once, and handlers that run for it;
				 more are refused (RFC 9113, section 5.1.2) [100]               */
	bool no_http2;        /* HTTP/1.1 alone, also where HTTP/2 (RFC 9113) was built in       */

	/* Called for each connection: returns a context derived from ctx, for the connection's
	 * requests, which the server ends with the connection; or NULL for ctx itself. */
	belay_ctx *(*connection)(belay_ctx *ctx, const char *remote, void *arg);
	void *arg;
};

/* A server whose contexts descend from base; router must outlive it, options (NULL: the defaults)
 * are copied. 0 and *ret; -EINVAL: no base or router, or a time that is negative; -ENOMEM. */
BELAY_EXPORT int belay_server_new(BELAY_BORROWED belay_ctx *base, const belay_router *router,
				  const struct belay_server_options *options, belay_server **ret);

/* Accepts connections and serves them, each in a task of its own while something happens on it,
 * until ctx is done (its error), the server shuts down (0), or accepting fails for good (-errno).
 * Who has connected by then is served as well: such are taken in until none has come for 10 ms, for
 * 100 ms at most. The listener belongs to the server from the call on, and is closed on return;
 * requests that run go on. Several may serve at once. A listener of belay_tls_listen()'s makes it
 * HTTPS. */
BELAY_EXPORT int belay_server_serve(BELAY_BORROWED belay_ctx *ctx, belay_server *server,
				    belay_listener *listener);

/* Stops listening, closes idle connections (a new one a second later, if its first request does not
 * come), lets the requests that run finish and waits for that: 0. When ctx is done first, ends them
 * with the cause "server shutting down" and returns ctx's error without waiting any more. May be
 * called again. A server can't be started again. */
BELAY_EXPORT int belay_server_shutdown(BELAY_BORROWED belay_ctx *ctx, belay_server *server);

/* Ends everything that still runs as above, waits until every handler has returned and every
 * belay_server_serve() is done with the server, frees. NULL is fine. Not from a handler, not where
 * belay_server_serve() may yet be called, and not while belay_server_shutdown() runs. */
BELAY_EXPORT void belay_server_free(belay_server *server);

/* Connections open now. */
BELAY_EXPORT size_t belay_server_connections(belay_server *server);

/* ---- The recorder: a router's answer without a socket ---------------------------------------- */

/* A made-up request of HTTP/1.1 for target, from the client "recorder". NULL: out of memory, or
 * method or target are such that a server would answer 400. */
BELAY_EXPORT belay_recorder *belay_recorder_new(const char *method, const char *target);
BELAY_EXPORT void belay_recorder_free(belay_recorder *rec); /* NULL is fine */

/* Before serving. 0; -EINVAL as belay_response_header(); -ENOMEM. The body is copied. */
BELAY_EXPORT int belay_recorder_header(belay_recorder *rec, const char *name, const char *value);
BELAY_EXPORT int belay_recorder_body(belay_recorder *rec, const void *data, size_t size);

/* Runs the router, or one handler with data as its belay_request_data(), on the request with a
 * child of ctx, on the calling thread or task; once for a recorder. Returns what is left of the
 * handler's error once that has been answered for (500, say: 0), or what the outermost middleware
 * made of it; -EBADMSG: the body is less than its Content-Length. Nothing is written in its place
 * where ctx is done. */
BELAY_EXPORT int belay_recorder_serve(BELAY_BORROWED belay_ctx *ctx, belay_recorder *rec,
				      const belay_router *router);
BELAY_EXPORT int belay_recorder_run(BELAY_BORROWED belay_ctx *ctx, belay_recorder *rec,
				    belay_handler *handler, void *data);

/* What was answered: the status, 0 where nothing was written at all; a header, NULL: none; the
 * body, with a NUL behind it, and its size (ret_size may be NULL). They live as long as the
 * recorder. */
BELAY_EXPORT int belay_recorder_status(const belay_recorder *rec);
BELAY_EXPORT const char *belay_recorder_get_header(const belay_recorder *rec, const char *name);
BELAY_EXPORT const char *belay_recorder_get_body(const belay_recorder *rec, size_t *ret_size);

/* How many times the handler flushed the answer before its end: for streams. */
BELAY_EXPORT unsigned belay_recorder_flushes(const belay_recorder *rec);

/* ---- A look inside ------------------------------------------------------------------------------
 *
 * Handlers to be put where only those get to them who may know: what the process is doing in
 * numbers, as belay_stats_text() has them (for Prometheus, too), and all contexts that are alive,
 * as belay_tree() draws them. With ?format=json, or "Accept: application/json", as JSON; another
 * format is answered with 400.
 *
 *     belay_router_add(router, "GET /debug/stats", belay_stats_handler, NULL);
 */
BELAY_EXPORT belay_handler belay_stats_handler;
BELAY_EXPORT belay_handler belay_tree_handler;

BELAY_END_DECLS

#endif
