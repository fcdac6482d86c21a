/* SPDX-License-Identifier: MIT
 *
 * log.h - lines for people, each with the trace id of the context it was written for.
 */
#ifndef BELAY_LOG_H
#define BELAY_LOG_H

#include <belay/context.h>

BELAY_BEGIN_DECLS

enum belay_log_level {
	BELAY_LOG_DEBUG,
	BELAY_LOG_INFO,
	BELAY_LOG_WARNING,
	BELAY_LOG_ERROR,
};

/* The request's trace id: a child of parent that carries a copy of id (NULL: done with -EINVAL, as
 * is one for which there is no memory with -ENOMEM); and the nearest one, borrowed, NULL where
 * there is none. */
BELAY_EXPORT belay_ctx *belay_with_trace_id(BELAY_BORROWED belay_ctx *parent, const char *id)
	BELAY_DERIVES;
BELAY_EXPORT belay_ctx *belay_with_trace_id_at(BELAY_BORROWED belay_ctx *parent, const char *id,
					       const struct belay_site *site) BELAY_DERIVES;
#define belay_with_trace_id(parent, ...)                                                           \
	belay_with_trace_id_at((parent), (__VA_ARGS__), BELAY_HERE)
BELAY_EXPORT const char *belay_trace_id(const belay_ctx *ctx);

/* The trace id of a W3C traceparent (Trace Context, section 3.2): 0 and its 32 digits; -EINVAL:
 * malformed, or all zeros. */
BELAY_EXPORT int belay_traceparent_parse(const char *text, char ret[33]);

/* The other way: ctx's trace id, with a new random span id, sampled. 0 and *ret; -ENOENT: ctx has
 * no trace id, or one that is not 32 hexadecimal digits in lower case, or zero; -EAGAIN: the kernel
 * has no random numbers yet. */
enum { BELAY_TRACEPARENT_SIZE = 56 };
BELAY_EXPORT int belay_traceparent_format(const belay_ctx *ctx, char ret[BELAY_TRACEPARENT_SIZE]);

/* Writes one line to standard error (or where belay_log_to() says), printf-like, with the time, the
 * level and, in brackets, ctx's trace id ("-": none) before it, in one write(2): lines of several
 * threads never mix. Control characters (C0, DEL, C1) are escaped, in the trace id too. ctx may be
 * done, or NULL. A line below the level set is not formatted; one for which there is no memory is
 * cut and ends in "...". Leaves errno alone. Blocks only as far as the write does. Any thread or
 * task:
 *
 *     2026-01-31T08:15:30.123Z INFO  [4bf92f3577b34da6a3ce929d0e0e4736] GET / 200 0.3ms */
BELAY_EXPORT void belay_log(const belay_ctx *ctx, enum belay_log_level level, const char *fmt, ...)
	BELAY_PRINTF(3, 4);

/* Lines below this level are dropped; at the start BELAY_LOG_INFO, or what BELAY_LOG in the
 * environment names (debug, info, warning, error). Any thread. */
BELAY_EXPORT void belay_log_level(enum belay_log_level least);

/* Sends each finished line (without a newline) to sink(arg, level, line) instead; NULL: standard
 * error again. sink may be called by many threads at once, and the one before it may still be
 * running in others when this returns. */
BELAY_EXPORT void belay_log_to(void (*sink)(void *arg, enum belay_log_level level,
					    const char *line),
			       void *arg);

BELAY_END_DECLS

#endif
