/* SPDX-License-Identifier: MIT
 *
 * http_middleware.h - middlewares that keep a server standing: limits, load shedding,
 * authentication, CORS, a log in JSON, metrics, compression.
 *
 *     const struct belay_concurrency_options options = { .most = 64, .waiting = 256 };
 *     belay_concurrency_limit *limit;
 *
 *     r = belay_concurrency_limit_new(&options, &limit);
 *     if (r == 0)
 *             r = belay_router_use(router, belay_http_limit_concurrency, limit);
 *
 * Objects are made before the first request, may stand in several routers, and are freed when no
 * server uses them any more. Those that are structs are read only, and must outlive the router.
 */
#ifndef BELAY_HTTP_MIDDLEWARE_H
#define BELAY_HTTP_MIDDLEWARE_H

#include <belay/http.h>

#include <stdio.h>

BELAY_BEGIN_DECLS

/* ---- At most so many at once --------------------------------------------------------------------
 *
 * Up to most requests are let through at once; up to waiting more wait, first in, first out, each
 * under its own context; all others are answered 503 with Retry-After, at once. One whose context
 * ends in the queue leaves it, and is answered as for any other end.
 *
 * With a target the queue is a buffer for bursts and not a standing one: as long as it has been
 * empty within the last interval, a request may wait for interval; when it has not, for target
 * alone, and is then answered 503 (B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015, after CoDel,
 * RFC 8289). */

typedef struct belay_concurrency_limit belay_concurrency_limit;

struct belay_concurrency_options {
	unsigned most;        /* at once; at least 1                                      */
	unsigned waiting;     /* in the queue besides; 0: nobody waits                    */
	int64_t target;       /* ns in a queue that stands; 0: however long it takes      */
	int64_t interval;     /* ns in one that does not [100 ms]                         */
	unsigned retry_after; /* seconds, told to those who are refused [1]               */
};

/* 0 and *ret; -EINVAL: most is 0, or a time is negative; -ENOMEM. Its end: NULL is fine. */
BELAY_EXPORT int belay_concurrency_limit_new(const struct belay_concurrency_options *options,
					     belay_concurrency_limit **ret);
BELAY_EXPORT void belay_concurrency_limit_free(belay_concurrency_limit *limit);

/* How many are let through and how many wait, now. Any thread. */
BELAY_EXPORT unsigned belay_concurrency_limit_running(const belay_concurrency_limit *limit);
BELAY_EXPORT unsigned belay_concurrency_limit_waiting(const belay_concurrency_limit *limit);

BELAY_EXPORT belay_middleware belay_http_limit_concurrency; /* arg: the limit */

/* ---- So many from each client -------------------------------------------------------------------
 *
 * A token bucket for each client: requests every period, burst of them at once. Whoever has used
 * his up is answered 429 with Retry-After. A client is an IPv4 address, an IPv6 network of 64 bits
 * (what one subscriber is given), or all that come by a Unix socket; behind a proxy all are one,
 * and key has to say who is who.
 *
 * Each client takes 16 bytes of a table that never grows. Where more come than it holds, those are
 * forgotten first whose bucket is the fullest: forgetting lets through too much, and never refuses
 * anybody for what others did. */

typedef struct belay_rate_limit belay_rate_limit;

struct belay_rate_options {
	unsigned requests; /* every period; at least 1                                     */
	int64_t period;    /* ns [1 s]                                                     */
	unsigned burst;    /* at once [requests]                                           */
	unsigned clients;  /* that are known at a time; rounded up to a power of 2 [16384] */

	/* Who asks: any text, which must live as long as req; NULL: the address as above. A
	 * forwarded address is only as true as the proxy that wrote it. */
	const char *(*key)(const belay_request *req, void *arg);
	void *arg;
};

/* 0 and *ret; -EINVAL: requests is 0, period is negative, or less than a nanosecond a request;
 * -ENOMEM; -EIO: no random numbers. Its end: NULL is fine. */
BELAY_EXPORT int belay_rate_limit_new(const struct belay_rate_options *options,
				      belay_rate_limit **ret);
BELAY_EXPORT void belay_rate_limit_free(belay_rate_limit *limit);

BELAY_EXPORT belay_middleware belay_http_limit_rate; /* arg: the limit */

/* ---- What can't be done in time -----------------------------------------------------------------
 *
 * Work that will not meet its deadline is refused before it is begun (503, with Retry-After): when
 * a server is behind, what it does for those who will not wait for the answer is what keeps it
 * behind. How long a request takes is judged by the others of late: by a quantile (the median,
 * unless told otherwise: then refusing is right more often than not) of the time from here to the
 * end of the handler, over the last 5 to 10 seconds. So it stands inside of the deadline, and
 * outside of the concurrency limit, whose queue counts. While it refuses, one request every 100 ms
 * is let through all the same, so that a better time is noticed.
 *
 * Requests without a deadline are never refused. One that its deadline cut short would have taken
 * longer: it counts as twice the time it had; one that was ended otherwise is not counted. Fewer
 * than 20 requests say nothing. Times are kept to 1/8 of their size. (Refusing by what is left of a
 * deadline is what Beyer et al., "Site Reliability Engineering", 2016, chapter 22, advise.) */

typedef struct belay_shedder belay_shedder;

struct belay_shedder_options {
	double quantile;      /* between 0 and 1 [0.5]                     */
	unsigned retry_after; /* seconds, told to those who are refused [1] */
};

/* options may be NULL. 0 and *ret; -EINVAL: no such quantile; -ENOMEM. Its end: NULL is fine. */
BELAY_EXPORT int belay_shedder_new(const struct belay_shedder_options *options,
				   belay_shedder **ret);
BELAY_EXPORT void belay_shedder_free(belay_shedder *shedder);

/* How long it thinks that a request takes, in ns; 0: it can't say. Any thread. */
BELAY_EXPORT int64_t belay_shedder_estimate(belay_shedder *shedder);

BELAY_EXPORT belay_middleware belay_http_shed; /* arg: the shedder */

/* ---- Who is asking ------------------------------------------------------------------------------
 *
 * Takes the credentials of the header Authorization, and asks the program about them. Without
 * credentials that it knows a request is answered 401, with a challenge for each scheme
 * (WWW-Authenticate); the handlers behind it see the user's name. Basic (RFC 7617) sends the
 * password itself: only over TLS, or on a machine's own loopback. Stands outside of what costs
 * much, and inside of the rate limit, which also slows down guessing. */

enum belay_auth_scheme { BELAY_AUTH_BASIC = 1, BELAY_AUTH_BEARER = 2 };

struct belay_credentials {
	enum belay_auth_scheme scheme;
	const char *user;   /* basic; else "". Never with control characters */
	const char *secret; /* the password, or the token                   */
};

struct belay_http_auth {
	unsigned schemes;  /* a mask of those that are accepted        */
	const char *realm; /* what the user is asked for [restricted]  */

	/* Whether these are good: 0; -EACCES: they are not; another negative errno: it can't be
	 * said, which is answered as a handler's error is. May block under ctx. May set *ret to a
	 * context derived from ctx (belay_with_user(), a key of the program's own), under which the
	 * request goes on, and which the middleware ends. Compare secrets with
	 * belay_same_secret(), and keep passwords hashed. */
	int (*check)(belay_ctx *ctx, const struct belay_credentials *given, belay_ctx **ret,
		     void *arg);
	void *arg;
};
BELAY_EXPORT belay_middleware belay_http_authenticate; /* arg: const struct belay_http_auth */

/* A child of parent that carries a copy of the user's name, and the nearest one, borrowed (NULL:
 * none). A good check by Basic that set no context has the name that was given. */
BELAY_EXPORT belay_ctx *belay_with_user(BELAY_BORROWED belay_ctx *parent, const char *name)
	BELAY_DERIVES;
BELAY_EXPORT const char *belay_user(const belay_ctx *ctx);

/* Whether both texts are the same, in a time that depends on the length of given alone: how much of
 * it was right can't be measured. */
BELAY_EXPORT bool belay_same_secret(const char *given, const char *expected);

/* ---- Pages of other origins ---------------------------------------------------------------------
 *
 * Cross-origin resource sharing, as the Fetch standard (https://fetch.spec.whatwg.org/, section
 * "HTTP CORS protocol") has it: tells browsers which pages may read the answers, and answers their
 * preflights (OPTIONS with Origin and Access-Control-Request-Method) itself, with 204. An origin
 * that is not listed gets answers without the headers: what refuses it is the browser. This is no
 * protection from anybody but browsers. Stands outside of authentication, since preflights have no
 * credentials. Answers vary by Origin: handlers add to Vary (belay_response_add_header()). */
struct belay_cors_options {
	const char *const *origins; /* "https://a.example", exactly as browsers send it; "*": all;
				       ends with NULL                                         */
	const char *methods; /* besides GET, HEAD and POST: "PUT, DELETE"; NULL: none          */
	const char *headers; /* of requests: "Content-Type, X-Token"; NULL: the safe ones      */
	const char *exposed; /* of answers, besides the safe ones; NULL: none                  */
	bool credentials;    /* cookies and the like; never for the origin "*"                 */
	int64_t max_age;     /* ns that a preflight's answer is good for; 0: as browsers think  */
};
BELAY_EXPORT belay_middleware belay_http_cors; /* arg: const struct belay_cors_options */

/* ---- The access log, for machines ---------------------------------------------------------------
 *
 * One JSON object a request, in one line, where belay_http_access_log writes text:
 *
 *     {"time":"2026-01-31T08:15:30.123Z","trace_id":"4bf9...","remote":"[::1]:4242",
 *      "method":"GET","path":"/twins","route":"GET /twins","status":503,"ms":150.3,"bytes":21,
 *      "user":"ann","agent":"curl/8.5","cause":"context deadline exceeded"}
 *
 * A handler that failed by itself leaves "error", with its error in words, in place of "cause".
 *
 * What is not known is left out; so is the user where this stands outside of the authentication.
 * Texts are valid UTF-8 (other bytes become U+FFFD) and cut to 1,024
 * bytes, the path, or 256. Without memory of its own. */
struct belay_json_log {
	/* Gets each line, with its newline, from the request's task; several at once. */
	void (*write)(void *arg, const char *line, size_t size);
	void *arg;
};
BELAY_EXPORT belay_middleware belay_http_access_log_json; /* arg: const struct belay_json_log;
							     NULL: standard error */

/* ---- Metrics ------------------------------------------------------------------------------------
 *
 * Counts requests, for Prometheus to collect:
 *
 *     belay_router_use(router, belay_http_measure, metrics);
 *     belay_router_add(router, "GET /metrics", belay_metrics_handler, metrics);
 *
 * By route (the path of its pattern, so that there are no more of them than the program has; "": no
 * route was found), method (those of RFC 9110 and PATCH, else "other") and status class ("2xx"):
 *
 *     belay_http_requests_total, belay_http_request_bytes_total, belay_http_response_bytes_total
 *                                            of bodies: as they were read, and were written
 *     belay_http_request_duration_seconds    a histogram, from 0.5 ms to 10 s
 *
 * and altogether
 *
 *     belay_http_requests_in_flight
 *     belay_http_requests_cut_total          by cause: client_disconnected, deadline, shutdown,
 *                                            cancelled (anything else that ended the context),
 *                                            error (the handler's own)
 *     belay_http_requests_uncounted_total    there was no memory for a new combination
 *     belay_http_requests_refused_total      by code, of the whole process: what was answered 400,
 *                                            408, 417, 431, 505 or otherwise before a route was
 *                                            looked for, and so is in none of the above, nor in
 *                                            an access log
 *     belay_http_headers_dropped_total       by header, of the whole process: what should have
 *                                            carried a context and was malformed (traceparent,
 *                                            tracestate, x-trace-id, baggage, request-timeout,
 *                                            grpc-timeout)
 *
 * and, of all HTTP clients of the process,
 *
 *     belay_http_client_requests_total       calls, however often each was sent
 *     belay_http_client_retries_total        by reason, of what went before: refused, reset,
 *                                            timed_out, unreachable, 429, 503
 *     belay_http_client_retries_withheld_total  by what forbade another one: budget (used up),
 *                                            deadline (would come before the wait's end)
 *
 * Every processor has counters of its own, so that requests share none: 192 bytes a combination and
 * processor. The middleware should be the outermost. */

typedef struct belay_metrics belay_metrics;

/* NULL: out of memory; and its end: NULL is fine. */
BELAY_EXPORT belay_metrics *belay_metrics_new(void);
BELAY_EXPORT void belay_metrics_free(belay_metrics *metrics);

BELAY_EXPORT belay_middleware belay_http_measure; /* arg: the metrics */

/* Writes them to out in the text format of Prometheus, version 0.0.4. 0; -EIO: out failed. */
BELAY_EXPORT int belay_metrics_text(belay_metrics *metrics, FILE *out);

/* Answers with that, and with belay_stats_text() behind it; data: the metrics. */
BELAY_EXPORT belay_handler belay_metrics_handler;

/* ---- Compression --------------------------------------------------------------------------------
 *
 * Codes answers with zstd, br or gzip, whichever of those built in the client's Accept-Encoding
 * gives the highest q to: what is text by its Content-Type (text/..., JSON, XML, SVG, WebAssembly
 * ...) and not known to be smaller than 1,024 bytes. Left alone is what has a Content-Encoding
 * already, parts (206), and what says "Cache-Control: no-transform". A flush sends all that was
 * written so far. The entity tag becomes weak, Content-Length and Accept-Ranges go, and answers
 * that depend on it have Vary: Accept-Encoding. HEAD is answered as without compression. Where
 * memory runs out at the beginning, the answer goes as it is.
 *
 * A stream takes about 270 KB (gzip) or 1 MB (br, zstd) while it lasts. It stands inside of the
 * measurements and logs, whose bytes are those sent. Don't compress secrets together with what the
 * client chooses (the BREACH attack): leave such routes out. arg is not used. */
BELAY_EXPORT belay_middleware belay_http_compress;

/* "zstd, br, gzip": what was built in; "" where nothing was. Static. */
BELAY_EXPORT const char *belay_http_codings(void);

BELAY_END_DECLS

#endif
