/* SPDX-License-Identifier: MIT
 *
 * cancel.c - the calls that end a context, and those that ask whether and why it ended.
 */
#include "base/alloc.h"
#include "context/node.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

/* ---- Ends ------------------------------------------------------------------------------------ */

bool belay_cancel_at(belay_ctx *ctx, const struct belay_site *site)
{
	struct ending ending = {.err = -ECANCELED, .code = -ECANCELED, .site = site};

	return ctx && is_node(ctx) && belay__node_end(node_of(ctx), &ending);
}

bool (belay_cancel)(belay_ctx *ctx)
{
	return belay_cancel_at(ctx, NULL);
}

/* Ends ctx with a message that is to be made from fmt, or none where that is NULL. */
static bool end_telling(belay_ctx *ctx, struct ending *ending, const char *fmt, va_list args)
{
	if (!ctx || !is_node(ctx))
		return false;
	if (fmt && node_err(node_of(ctx)) == 0) {
		ending->message = belay__message_new(fmt, args);
		ending->untold = !ending->message;
	}
	if (belay__node_end(node_of(ctx), ending))
		return true;
	belay__free(ending->message);
	return false;
}

bool belay_cancel_cause_at(belay_ctx *ctx, int code, const struct belay_site *site,
			   const char *fmt, ...)
{
	struct ending ending = {.err = -ECANCELED, .code = code, .site = site};
	va_list args;
	bool won;

	va_start(args, fmt);
	won = end_telling(ctx, &ending, fmt, args);
	va_end(args);
	return won;
}

bool (belay_cancel_cause)(belay_ctx *ctx, int code, const char *fmt, ...)
{
	struct ending ending = {.err = -ECANCELED, .code = code};
	va_list args;
	bool won;

	va_start(args, fmt);
	won = end_telling(ctx, &ending, fmt, args);
	va_end(args);
	return won;
}

static bool end_saying(belay_ctx *ctx, struct ending *ending, const char *fmt, ...)
{
	va_list args;
	bool won;

	va_start(args, fmt);
	won = end_telling(ctx, ending, fmt, args);
	va_end(args);
	return won;
}

bool belay__cancel_with(belay_ctx *ctx, int err, int code, const struct belay_site *site,
			const char *message)
{
	struct ending ending = {.err = err, .code = code, .site = site};

	return end_saying(ctx, &ending, message ? "%s" : NULL, message);
}

/* Where nobody could see the end, freeing is all there is to do: the usual fate of a request's
 * context. */
void belay_end_at(belay_ctx *ctx, const struct belay_site *site)
{
	if (!ctx)
		return;
	if (!belay__ctx_is_private(ctx))
		belay_cancel_at(ctx, site);
	else if (ctx->kind == KIND_DEADLINE)
		belay__deadline_disarm(belay__container(ctx, struct deadline, node.ctx));
	belay_unref(ctx);
}

void (belay_end)(belay_ctx *ctx)
{
	belay_end_at(ctx, NULL);
}

/* ---- Questions ------------------------------------------------------------------------------- */

int belay_err(const belay_ctx *ctx)
{
	const struct node *node;

	if (!ctx)
		return -EINVAL;
	node = nearest_node(ctx);
	return node ? node_err(node) : 0;
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
