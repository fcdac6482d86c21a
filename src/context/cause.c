/* SPDX-License-Identifier: MIT
 *
 * cause.c - why a context is done: what the one who ended it said, and how far up that was.
 */
#include "base/alloc.h"
#include "context/node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct owned *copy(const char *text)
{
	size_t size = strlen(text) + 1;
	struct owned *message = belay__owned_new(OWNED_MESSAGE, size, NULL);

	if (message)
		memcpy(belay__owned_bytes(message), text, size);
	return message;
}

/* Most messages are words alone, which need no printf(3), or short: those are formatted once. */
struct owned *belay__message_new(const char *fmt, va_list args)
{
	struct owned *message = NULL;
	char small[128];
	va_list again;
	int length;

	if (!strchr(fmt, '%'))
		return copy(fmt);
	va_copy(again, args);
	length = vsnprintf(small, sizeof small, fmt, again);
	va_end(again);
	if (length >= 0)
		message = belay__owned_new(OWNED_MESSAGE, (size_t)length + 1, NULL);
	if (message && (size_t)length < sizeof small)
		memcpy(belay__owned_bytes(message), small, (size_t)length + 1);
	else if (message)
		vsnprintf(belay__owned_bytes(message), (size_t)length + 1, fmt, args);
	return message;
}

const char *belay__cause_message(const struct node *origin)
{
	struct owned *message = belay__owned_find(&origin->ctx, OWNED_MESSAGE);

	if (message)
		return belay__owned_bytes(message);
	return origin->ctx.ended == ENDED_UNTOLD ? "(out of memory for the message)"
						 : belay_strerror(node_err(origin));
}

/* The parent through which the end came to ctx, whose node is done. */
static const belay_ctx *ended_parent(const belay_ctx *ctx, const struct node *origin)
{
	const struct merge *merge = belay__container(ctx, struct merge, node.ctx);
	struct node *first = nearest_node(ctx->parent);

	if (ctx->kind == KIND_MERGE && !(first && node_err(first) && origin_of(first) == origin))
		return merge->second;
	return ctx->parent;
}

static unsigned levels_up(const belay_ctx *ctx, const struct node *origin)
{
	unsigned levels = 0;

	for (; ctx != &origin->ctx && ctx->parent; ctx = ended_parent(ctx, origin))
		levels++;
	return levels;
}

int belay_cause_of(const belay_ctx *ctx, belay_cause *ret)
{
	const struct node *origin;
	int err = belay_err(ctx);

	if (!ctx)
		return -EINVAL;
	if (err == 0)
		return -EAGAIN;
	origin = origin_of(nearest_node(ctx));
	*ret = (belay_cause){
		.code = origin->ctx.code,
		.message = belay__cause_message(origin),
		.levels_up = levels_up(ctx, origin),
	};
	if (origin->end_site) {
		ret->file = origin->end_site->file;
		ret->func = origin->end_site->func;
		ret->line = origin->end_site->line;
	}
	return 0;
}
