/* SPDX-License-Identifier: MIT
 *
 * http_events.h - server-sent events: a stream of small messages to a browser (the HTML standard,
 * section "Server-sent events").
 *
 *     static int news(belay_ctx *ctx, belay_request *req, belay_response *res)
 *     {
 *             struct item item;
 *             int r = belay_events_begin(ctx, req, res);
 *
 *             while (r == 0 && (r = belay_events_recv(ctx, res, channel, &item, BELAY_S(15))) == 0)
 *                     r = belay_events_send(ctx, res, &(struct belay_event){ .data = item.text });
 *             return r == -EPIPE ? 0 : r;
 *     }
 *
 * Each call sends what it writes at once. When the client goes away the context ends, and with it
 * every wait here. Such a route stands outside of belay_http_deadline's own limit.
 */
#ifndef BELAY_HTTP_EVENTS_H
#define BELAY_HTTP_EVENTS_H

#include <belay/chan.h>
#include <belay/http.h>

BELAY_BEGIN_DECLS

/* Zeros: not there. */
struct belay_event {
	const char *event; /* its type; NULL: "message"                                          */
	const char *data;  /* may have several lines (by LF, CR or CRLF): they arrive with LF     */
	const char *id;    /* what the client gives as its last one when it connects again       */
	int64_t retry;     /* ns until it connects again, in whole ms; 0: as it thinks           */
};

/* Begins the stream: text/event-stream, not to be cached nor held back by proxies (nginx's
 * X-Accel-Buffering), and sends the head. 0; -EALREADY: it has been sent; errors as
 * belay_response_flush(). */
BELAY_EXPORT int belay_events_begin(BELAY_BORROWED belay_ctx *ctx, belay_request *req,
				    belay_response *res);

/* Sends one event; without data it is none to the client, but sets id and retry. 0; -EINVAL: a line
 * break in event or id, or retry is negative: nothing was written; errors as
 * belay_response_flush(), after which the event may be there in part, and the client drops it. */
BELAY_EXPORT int belay_events_send(BELAY_BORROWED belay_ctx *ctx, belay_response *res,
				   const struct belay_event *event);

/* Sends a comment, which clients pass over: a heartbeat, so that what is between both ends does not
 * take the connection for dead. text may be "". Errors as above; -EINVAL: a line break in it. */
BELAY_EXPORT int belay_events_comment(BELAY_BORROWED belay_ctx *ctx, belay_response *res,
				      const char *text);

/* Receives from channel as belay_recv(), and sends a heartbeat whenever every nanoseconds have gone
 * by without an element (0: none). 0 and *element; -EPIPE: closed; the context's error; errors as
 * above; -EMSGSIZE as belay_recv(), where size is given (0: not checked). */
BELAY_EXPORT int belay_events_recv_sized(BELAY_BORROWED belay_ctx *ctx, belay_response *res,
					 belay_chan *channel, void *element, size_t size,
					 int64_t every);
#define belay_events_recv(ctx, res, channel, element, every)                                       \
	belay_events_recv_sized((ctx), (res), (channel), (element),                                \
				BELAY__SIZEOF_TARGET(element), (every))

/* The id of the last event that the client has had (Last-Event-ID): where to go on; NULL: none. */
BELAY_EXPORT const char *belay_events_last_id(const belay_request *req);

BELAY_END_DECLS

#endif
