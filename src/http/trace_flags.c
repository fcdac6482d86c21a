/* SPDX-License-Identifier: MIT
 *
 * trace_flags.c - the flags of the traceparent that a trace came with (W3C Trace Context Level 2,
 * section 3.2.2.5): whether it is sampled, and whether its id is random.
 *
 * Who decides nothing itself hands them on. As a tracestate they belong to one trace, and count for
 * nothing below another trace id.
 */
#include "http/trace_flags.h"

#include "base/alloc.h"

#include <belay/log.h>

#include <errno.h>
#include <string.h>

enum { FLAGS_AT = 53, KNOWN = 0x3 };

struct flags {
	unsigned flags;
	char id[];
};

BELAY_KEY(trace_flags, struct flags *, .destroy = belay__free);

/* Both are in the last digit, in lower case. */
unsigned belay__trace_flags_parse(const char *traceparent)
{
	char digit = traceparent[FLAGS_AT + 1];
	unsigned value = digit <= '9' ? (unsigned)(digit - '0') : (unsigned)(digit - 'a' + 10);

	return value & KNOWN;
}

belay_ctx *belay__with_trace_flags(belay_ctx *parent, unsigned flags)
{
	const char *id = belay_trace_id(parent);
	size_t size = id ? strlen(id) + 1 : 1;
	struct flags *made = belay__malloc(sizeof *made + size);
	belay_ctx *ctx;

	if (!made) {
		ctx = belay_with_cancel(parent);
		belay_cancel_cause_at(ctx, -ENOMEM, NULL, "out of memory for a trace's flags");
		return ctx;
	}
	made->flags = flags;
	memcpy(made->id, id ? id : "", size);
	return with_trace_flags(parent, made);
}

unsigned belay__trace_flags(const belay_ctx *ctx)
{
	const struct flags *flags = trace_flags_of(ctx);
	const char *id = belay_trace_id(ctx);

	return flags && id && strcmp(id, flags->id) == 0 ? flags->flags : BELAY__TRACE_SAMPLED;
}
