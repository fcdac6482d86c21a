/* SPDX-License-Identifier: MIT
 *
 * trace_id.c - on whose behalf: the trace id that a context carries.
 */
#include "base/alloc.h"
#include "context/context.h"

#include <belay/log.h>

#include <errno.h>
#include <stdio.h>

static int print(const void *value, char *buf, size_t size)
{
	return snprintf(buf, size, "%s", (const char *)value);
}

static const belay_key key = {
	.name = "trace_id",
	.destroy = belay__free,
	.format = print,
};

belay_ctx *belay_with_trace_id_at(belay_ctx *parent, const char *id, const struct belay_site *site)
{
	char *copy;

	if (!id)
		return belay__failed_ctx(-EINVAL);
	copy = belay__strdup(id);
	return copy ? belay_with_value_at(parent, &key, copy, site) : belay__failed_ctx(-ENOMEM);
}

belay_ctx *(belay_with_trace_id)(belay_ctx *parent, const char *id)
{
	return belay_with_trace_id_at(parent, id, NULL);
}

const char *belay_trace_id(const belay_ctx *ctx)
{
	return belay_value(ctx, &key);
}
