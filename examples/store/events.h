/* SPDX-License-Identifier: MIT
 *
 * events.h - who is running now, told live to all who want to watch.
 *
 * The stream is one of server-sent events, each with an object or an array of them:
 *     running  the requests that run, when the stream begins (and again where it could not keep up)
 *     begin    {"id", "method", "target", "protocol", "trace_id", "context", "age_ms",
 *               "deadline_ms"}
 *     end      {"id", "status", "error", "cause", "where", "ms"}
 */
#ifndef STORE_EVENTS_H
#define STORE_EVENTS_H

#include <belay/http.h>

struct events;

struct events *events_new(void); /* NULL: out of memory */
void events_free(struct events *events); /* when nobody streams any more; NULL is fine */

/* Ends all streams, so that a shutdown need not wait for them. */
void events_close(struct events *events);

/* Tells of the requests that pass through it; arg is the struct events. */
belay_middleware events_watch;

/* GET /events, with the struct store as data. */
belay_handler handle_events;

#endif
