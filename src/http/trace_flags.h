/* SPDX-License-Identifier: MIT
 *
 * trace_flags.h - the flags of the traceparent that a trace came with.
 */
#ifndef BELAY_SRC_HTTP_TRACE_FLAGS_H
#define BELAY_SRC_HTTP_TRACE_FLAGS_H

#include <belay/context.h>

/* What a trace that begins here goes on with: sampled. */
enum { BELAY__TRACE_SAMPLED = 1 };

/* The flags of a valid traceparent that are handed on. */
unsigned belay__trace_flags_parse(const char *traceparent);

/* A child of parent that carries flags for the trace whose id parent carries. Where memory runs
 * out: one that is done. */
belay_ctx *belay__with_trace_flags(belay_ctx *parent, unsigned flags);

/* The nearest ones of ctx's trace; BELAY__TRACE_SAMPLED: there are none. */
unsigned belay__trace_flags(const belay_ctx *ctx);

#endif
