/* SPDX-License-Identifier: MIT
 *
 * cancel.c - the calls that end a context, and those that ask whether and why it ended.
 */
#include "base/alloc.h"
#include "context/node.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char lost_message[] = "(out of memory for the message)";

/* ---- Ends ------------------------------------------------------------------------------------ */

bool belay_cancel_at(belay_ctx *ctx, const struct belay_site *site)
{
	if (!ctx || !is_node(ctx))
		return false;
	return belay__node_end(node_of(ctx), -ECANCELED, -ECANCELED, site, NULL);
}

bool (belay_cancel)(belay_ctx *ctx)
{
	return belay_cancel_at(ctx, NULL);
}

/* The formatted text, lost_message, or NULL for no format. Not const: what node->message holds. */
static char *format_message(const char *fmt, va_list args)
{
	va_list again;
	char *text;
	int length;

	if (!fmt)
		return NULL;
	va_copy(again, args);
	length = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	text = length < 0 ? NULL : belay__malloc((size_t)length + 1);
	if (!text)
		return (char *)lost_message;
	vsnprintf(text, (size_t)length + 1, fmt, args);
	return text;
}

void belay__message_free(char *message)
{
	if (message != lost_message)
		belay__free(message);
}

static bool cancel_cause(belay_ctx *ctx, int code, const struct belay_site *site, const char *fmt,
			 va_list args)
{
	char *message;

	if (!ctx || !is_node(ctx) || node_err(node_of(ctx)) != 0)
		return belay_cancel_at(ctx, site);
	message = format_message(fmt, args);
	if (belay__node_end(node_of(ctx), -ECANCELED, code, site, message))
		return true;
	belay__message_free(message);
	return false;
}

bool belay_cancel_cause_at(belay_ctx *ctx, int code, const struct belay_site *site,
			   const char *fmt, ...)
{
	va_list args;
	bool won;

	va_start(args, fmt);
	won = cancel_cause(ctx, code, site, fmt, args);
	va_end(args);
	return won;
}

bool (belay_cancel_cause)(belay_ctx *ctx, int code, const char *fmt, ...)
{
	va_list args;
	bool won;

	va_start(args, fmt);
	won = cancel_cause(ctx, code, NULL, fmt, args);
	va_end(args);
	return won;
}

bool belay__cancel_with(belay_ctx *ctx, int err, int code, const struct belay_site *site,
			const char *message)
{
	char *copy;

	if (!ctx || !is_node(ctx))
		return false;
	copy = message ? belay__strdup(message) : NULL;
	if (message && !copy)
		copy = (char *)lost_message;
	if (belay__node_end(node_of(ctx), err, code, site, copy))
		return true;
	belay__message_free(copy);
	return false;
}

/* Where nobody could see the end, freeing is all there is to do: the usual fate of a request's
 * context. */
void belay_end_at(belay_ctx *ctx, const struct belay_site *site)
{
	if (ctx && !belay__ctx_is_private(ctx))
		belay_cancel_at(ctx, site);
	belay_unref(ctx);
}

void (belay_end)(belay_ctx *ctx)
{
	belay_end_at(ctx, NULL);
}

/* ---- Questions ------------------------------------------------------------------------------- */

int belay_err(const belay_ctx *ctx)
{
	if (!ctx)
		return -EINVAL;
	return ctx->node ? node_err(ctx->node) : 0;
}

const char *belay_strerror(int err)
{
	const char *text;

	if (err > 0)
		err = -err; /* this way round it can't overflow */
	if (err == -ECANCELED)
		return "context canceled";
	if (err == -ETIME)
		return "context deadline exceeded";
	text = strerrordesc_np(err == INT_MIN ? err : -err);
	return text ? text : "unknown error";
}

/* The parent through which the end came to ctx, whose node is done. */
static const belay_ctx *ended_parent(const belay_ctx *ctx, const struct node *origin)
{
	const struct merge *merge = belay__container(ctx, struct merge, node.ctx);
	const struct node *first = ctx->parent->node;

	if (ctx->kind == KIND_MERGE && !(first && node_err(first) && first->origin == origin))
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
	origin = ctx->node->origin;
	*ret = (belay_cause){
		.code = origin->code,
		.message = origin->message ? origin->message : belay_strerror(err),
		.levels_up = levels_up(ctx, origin),
	};
	if (origin->end_site) {
		ret->file = origin->end_site->file;
		ret->func = origin->end_site->func;
		ret->line = origin->end_site->line;
	}
	return 0;
}
