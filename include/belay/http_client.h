/* SPDX-License-Identifier: MIT
 *
 * http_client.h - an HTTP client whose every call takes a context.
 *
 *     belay_http_reply *reply;
 *     int err = belay_http_get(ctx, client, "https://example.org/", &reply);
 *
 *     if (err == 0) {
 *             err = belay_http_reply_read_all(ctx, reply, 1 << 20, &text, &size);
 *             belay_http_reply_end(reply);
 *     }
 *
 * The context given with the request covers the whole exchange: name look-up, connect, TLS,
 * sending, the head of the reply, and its body for as long as that is read. Where it ends first,
 * calls return its error at once and the connection is closed, never used again. The context given
 * to a read bounds that read alone.
 *
 * Link with pkg-config belay-http. HTTP/1.1 and HTTP/2 by libcurl. Everything here works from tasks
 * and from plain threads; one client may be used by any number of them at once, one reply by one at
 * a time, but for bodies that are written as they are sent.
 */
#ifndef BELAY_HTTP_CLIENT_H
#define BELAY_HTTP_CLIENT_H

#include <belay/context.h>

#include <sys/types.h>

BELAY_BEGIN_DECLS

/* ---- Clients --------------------------------------------------------------------------------- */

/* Shares connections between requests. */
typedef struct belay_http_client belay_http_client;

/* When a request is sent again, by itself: where its method is idempotent (GET, HEAD, PUT, DELETE,
 * OPTIONS, TRACE; RFC 9110, section 9.2.2) or the call says that it is repeatable, and where there
 * was no reply (-ECONNREFUSED, -ECONNRESET, -EPIPE, -ETIMEDOUT but the client's own time-out,
 * -ENETDOWN, -ENETUNREACH, -EHOSTUNREACH), or one of 429 or 503. Before that it waits: as long as
 * Retry-After says, else a time between 0 and base, 2 * base, 4 * base ... or longest. All attempts
 * stand under the same context and time-out. Where the wait would not end before their deadline
 * (without one: would be longer than longest), the last error or reply is what the call returns. So
 * it does where the client's budget is used up: it begins with burst retries, and each request adds
 * percent hundredths of one, up to burst. Zeros stand for the defaults in brackets. Apart from all
 * that, also where there are no retries, such a request is sent on another connection where one
 * that was kept from before breaks before there is an answer; all others fail with -ECONNRESET. */
struct belay_http_retry {
	unsigned most;    /* retries of one request; 0: none are made    */
	int64_t base;     /* ns [50 ms]                                  */
	int64_t longest;  /* ns [5 s]                                    */
	unsigned percent; /* of requests that may be retries, 1-100 [10] */
	unsigned burst;   /* retries beyond that, at most 1,000,000 [10] */
};

/* All zero is the default. Durations are nanoseconds. Strings are copied. */
struct belay_http_client_options {
	int64_t timeout;         /* for each whole exchange, body included; 0: none               */
	int64_t connect_timeout; /* for connect and TLS together; 0: none but the kernel's        */
	unsigned max_redirects;  /* followed for each request; 0: a redirect is a reply as others */
	unsigned max_idle;       /* connections kept for later; 0: 100                            */
	unsigned max_per_host;   /* connections to one host at once, others wait; 0: no limit     */
	const char *ca_file;     /* PEM of the authorities to trust; NULL: the system's           */
	const char *proxy;       /* "http://host:port", https:// or socks5h://, and before the host
				  * "user:password@" where it asks who you are; https:// URLs go
				  * through by CONNECT (RFC 9110, section 9.3.6); NULL: none      */
	const char *no_proxy;    /* hosts asked without it: "a.example" (and all below it),
				  * "10.0.0.0/8", "::1", with commas or spaces between; "*": all  */
	bool proxy_from_environment; /* where there is no proxy: http_proxy, https_proxy or
				  * HTTPS_PROXY, all_proxy or ALL_PROXY, and where there is no
				  * no_proxy: no_proxy or NO_PROXY; read once, by this call       */
	const char *user_agent;  /* NULL: "belay"                                                 */
	bool http2;              /* offer HTTP/2 to https:// peers, for requests without a body;
				  * else HTTP/1.1 alone                                           */
	struct belay_http_retry retry;
	uint64_t decoded_most;   /* ask for compressed bodies and decode them, to as many bytes:
				  * more are -EMSGSIZE, however few came. Up to as many wait in
				  * memory for who reads them. 0: bodies arrive as they are       */
};

/* A client with its driver, a task. options may be NULL. Does not block. 0 and *ret; -ENOMEM,
 * -EMFILE, -ENFILE, -EAGAIN (no worker thread could be started); -EINVAL: a negative duration, a
 * proxy without a port or of another kind (in the environment, too), a budget out of its bounds. To
 * be given to belay_http_client_close() before
 * belay_shutdown(). */
BELAY_EXPORT int belay_http_client_new(const struct belay_http_client_options *options,
				       belay_http_client **ret);

/* Ends what is still running with -ESHUTDOWN, closes all connections and gives up the client.
 * Replies may be read (what had arrived) and ended later. Waits for the driver to stop, which is
 * soon, so it takes no context. NULL is fine. Nobody may start a call with the client meanwhile or
 * later; those that wait for a reply return. */
BELAY_EXPORT void belay_http_client_close(belay_http_client *client);

/* ---- Requests -------------------------------------------------------------------------------- */

typedef struct belay_http_reply belay_http_reply;

struct belay_http_header {
	const char *name, *value;
};

/* Nothing in it is used after the call that it is given to has returned. */
struct belay_http_call {
	const char *method; /* NULL: GET, or POST where there is a body                           */
	const char *url;    /* http:// or https://                                                */
	const struct belay_http_header *headers; /* sent as they are; but Content-Length,
						  * Transfer-Encoding and Connection are the
						  * client's own (-EINVAL)                        */
	size_t header_count;
	const void *body; /* copied; NULL: none                                                   */
	size_t body_size;
	bool repeatable; /* may be sent more than once, though its method is not idempotent: because
			  * of an Idempotency-Key, say                                            */
	char *error; /* gets why the call failed, in words, cut to fit and without control
		      * characters; NULL: not asked for                                           */
	size_t error_size;
};

/* Sends a request and blocks until the head of the reply is there; bodies are read afterwards. A
 * status of 400 and above is a reply, not an error.
 *
 * The request carries, where ctx has them and call does not set them itself: its trace id, as
 * X-Trace-Id and (an id of 32 hexadecimal digits) as traceparent, with its tracestate; its baggage,
 * as baggage; what is left until its deadline or the client's time-out, as Request-Timeout
 * ("1500000us") and as grpc-timeout ("1500000u", at most eight digits), both cut off.
 *
 * Returns 0 and *ret, which the caller ends; the context's error; or
 *   -ETIMEDOUT         the client's time-out, or the peer's or the network's; never the context's
 *   -EINVAL            url, method or a header can't be parsed
 *   -EPROTONOSUPPORT   url is neither http:// nor https://
 *   -ENOENT            no such host
 *   -EHOSTUNREACH      the name can't be looked up for now, or as below
 *   -ECONNREFUSED, -ENETUNREACH, ...  as connect(2)
 *   -ECONNRESET        the peer closed the connection before its reply was whole
 *   -EKEYREJECTED      the peer's certificate can't be trusted
 *   -ENOKEY            the file of authorities can't be read
 *   -EPROTO            what the peer says is not HTTP, or not TLS, or its Transfer-Encoding is
 *                      anything but chunks
 *   -EMSGSIZE          the head of the reply is larger than 256 KiB, or its decoded body than
 *                      decoded_most
 *   -ELOOP             more redirects than the client follows
 *   -ESHUTDOWN         the client is being closed
 *   -ENOMEM, -EMFILE, -EIO */
BELAY_EXPORT int belay_http_send(BELAY_BORROWED belay_ctx *ctx, belay_http_client *client,
				 const struct belay_http_call *call, belay_http_reply **ret);

/* The same for a GET of url, and for a POST of a body of that type ("application/json"). */
BELAY_EXPORT int belay_http_get(BELAY_BORROWED belay_ctx *ctx, belay_http_client *client,
				const char *url, belay_http_reply **ret);
BELAY_EXPORT int belay_http_post(BELAY_BORROWED belay_ctx *ctx, belay_http_client *client,
				 const char *url, const char *content_type, const void *body,
				 size_t size, belay_http_reply **ret);

/* ---- Bodies that are written as they are sent ---------------------------------------------------
 *
 *     err = belay_http_begin(ctx, client, &call, -1, &reply);
 *     while (err == 0 && (n = next_piece(buf)) > 0)
 *             err = belay_http_write(ctx, reply, buf, n);
 *     if (err == 0)
 *             err = belay_http_finish(reply);
 *     if (err == 0 || err == -EPIPE)
 *             err = belay_http_reply_await(ctx, reply);
 *
 * One task may write while another one awaits the reply and reads it. Whoever can't go on writing
 * ends the context, with the reason as its cause, or the reply: the connection is closed, so that
 * the peer never takes what it has for the whole. */

/* Begins a request with a body of body_size bytes (its Content-Length) or, where that is -1, of any
 * number (in chunks). It goes by HTTP/1.1, also where the client offers HTTP/2, over which libcurl
 * may lose an answer that comes before the body's end. call has no body, and its method, NULL for
 * POST, is not HEAD; an Expect of "100-continue" has the body wait for the peer's word, for a
 * second at most. Blocks for the name's look-up alone. What is written is sent once and kept
 * nowhere: the request is not sent again, and a redirect is a reply as others. 0 and *ret, a reply
 * that is yet to come, which the caller ends; the context's error; -EINVAL and others as
 * belay_http_send(). */
BELAY_EXPORT int belay_http_begin(BELAY_BORROWED belay_ctx *ctx, belay_http_client *client,
				  const struct belay_http_call *call, int64_t body_size,
				  belay_http_reply **ret);

/* Appends to the body. Blocks while 64 KiB wait for the peer to take them. 0; ctx's error, or that
 * of the request's context; the exchange's, as belay_http_send(); or
 *   -EPIPE    the peer has answered and takes no more: with a status of 300 or above, or by its
 *             end; the reply can be read
 *   -EMSGSIZE more than body_size; nothing was taken
 *   -EINVAL   the body was finished, or is none that is written
 * After an error some of data may be on its way; then all that follow return the same. */
BELAY_EXPORT int belay_http_write(BELAY_BORROWED belay_ctx *ctx, belay_http_reply *reply,
				  const void *data, size_t size);

/* Says that the body is whole. Does not block: the rest of it is still on its way. 0, or an error
 * as above; -EMSGSIZE: it has less than body_size, and the exchange is over with that error. */
BELAY_EXPORT int belay_http_finish(belay_http_reply *reply);

/* Blocks until the head of a reply that was begun is there, which may be long before the body is
 * finished; nothing but belay_http_reply_read() may be asked of it before. 0; ctx's error; the
 * exchange's, as belay_http_send(). */
BELAY_EXPORT int belay_http_reply_await(BELAY_BORROWED belay_ctx *ctx, belay_http_reply *reply);

/* ---- Replies ------------------------------------------------------------------------------------
 *
 * Strings that are returned live as long as the reply. */

/* 200, 404, ... */
BELAY_EXPORT int belay_http_reply_status(const belay_http_reply *reply);

/* How often the request was sent: 1, or more (see belay_http_retry). Redirects don't count. */
BELAY_EXPORT unsigned belay_http_reply_attempts(const belay_http_reply *reply);

/* Where it came from: the request's URL, or the last redirect's. */
BELAY_EXPORT const char *belay_http_reply_url(const belay_http_reply *reply);

/* The first header of that name, in any case of letters; NULL: none. Trailers are not kept. */
BELAY_EXPORT const char *belay_http_reply_header(const belay_http_reply *reply, const char *name);

/* The i-th header in the order of arrival: true and *ret, or false past the last one. */
BELAY_EXPORT bool belay_http_reply_header_at(const belay_http_reply *reply, size_t i,
					     struct belay_http_header *ret);

/* Blocks until some of the body is there, and takes up to size bytes of it. A count; 0 at its end;
 * ctx's error, or that of the request's context; else as belay_http_send(). Bytes that arrived
 * before a failure of the peer's are handed out before the error. A peer that sends faster than
 * this is called is held back, with 80 KiB waiting here at most (HTTP/2: its window). */
BELAY_EXPORT ssize_t belay_http_reply_read(BELAY_BORROWED belay_ctx *ctx, belay_http_reply *reply,
					   void *buf, size_t size);

/* Reads what is left of the body into memory that the caller frees with free(3), with a zero byte
 * after it that *ret_size (may be NULL) does not count. 0, an error as above, or -EMSGSIZE: more
 * than limit bytes. After an error the part that was read is lost. */
BELAY_EXPORT int belay_http_reply_read_all(BELAY_BORROWED belay_ctx *ctx, belay_http_reply *reply,
					   size_t limit, char **ret_data, size_t *ret_size);

/* Why a read failed, in words; "" where none has. */
BELAY_EXPORT const char *belay_http_reply_error(const belay_http_reply *reply);

/* Gives up the reply. A connection whose body was read to its end serves the next request; one in
 * mid-body is closed. NULL is fine. Does not block. */
BELAY_EXPORT void belay_http_reply_end(belay_http_reply *reply);

/* ---- What goes along ------------------------------------------------------------------------- */

/* A child of parent that carries baggage (W3C Baggage: "key=value,key2=value2"), copied, which goes
 * with every request made under it (where memory runs out: a child that is done, with the cause
 * -ENOMEM); and the nearest one, borrowed, NULL where there is none. Malformed baggage is not sent
 * (W3C Baggage, section 3.2.1), and counted with what belay_metrics_text() shows; of what has more
 * than 64 members or 8192 bytes only the first members are. Neither blocks; any thread. */
BELAY_EXPORT belay_ctx *belay_with_baggage(BELAY_BORROWED belay_ctx *parent, const char *baggage)
	BELAY_DERIVES;
BELAY_EXPORT const char *belay_baggage(const belay_ctx *ctx);

/* A child of parent that carries a W3C tracestate ("vendor=value,other=value2"; Trace Context,
 * section 3.3), copied, of the trace whose id parent carries; it goes with that trace's traceparent
 * and ends where another trace id is derived. Done with the cause -EINVAL where parent has no trace
 * id, or text is malformed, has more than 32 members or 8 KiB, or none; with -ENOMEM. And the
 * nearest one of ctx's trace, borrowed, NULL where there is none. Neither blocks; any thread. */
BELAY_EXPORT belay_ctx *belay_with_tracestate(BELAY_BORROWED belay_ctx *parent, const char *text)
	BELAY_DERIVES;
BELAY_EXPORT const char *belay_tracestate(const belay_ctx *ctx);

BELAY_END_DECLS

#endif
