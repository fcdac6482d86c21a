/* SPDX-License-Identifier: MIT
 *
 * glib.c - GLib's GCancellable. It has no tree: a child is one that a handler of its parent's
 * "cancelled" cancels. Its deadline is a source of the main context's, as timeouts are in GLib.
 */
#include <gio/gio.h>

struct peer_ctx {
	GCancellable *self, *parent;
	gulong link;
	GSource *timeout;
};

static void cancel_child(GCancellable *parent, gpointer child)
{
	(void)parent;
	g_cancellable_cancel(child);
}

static gboolean expire(gpointer child)
{
	g_cancellable_cancel(child);
	return G_SOURCE_REMOVE;
}

static inline void peer_open(struct peer_ctx *ctx, struct peer_ctx *parent)
{
	*ctx = (struct peer_ctx){.self = g_cancellable_new()};
	if (!parent)
		return;
	ctx->parent = parent->self;
	ctx->link = g_cancellable_connect(ctx->parent, G_CALLBACK(cancel_child), ctx->self, NULL);
}

static inline void peer_open_timeout(struct peer_ctx *ctx, struct peer_ctx *parent, gint64 ns)
{
	peer_open(ctx, parent);
	ctx->timeout = g_timeout_source_new((guint)(ns / 1000000));
	g_source_set_callback(ctx->timeout, expire, ctx->self, NULL);
	g_source_attach(ctx->timeout, NULL);
}

static inline void peer_cancel(struct peer_ctx *ctx)
{
	g_cancellable_cancel(ctx->self);
}

static inline void peer_end(struct peer_ctx *ctx)
{
	if (ctx->timeout) {
		g_source_destroy(ctx->timeout);
		g_source_unref(ctx->timeout);
	}
	g_cancellable_cancel(ctx->self);
	if (ctx->link)
		g_cancellable_disconnect(ctx->parent, ctx->link);
	g_object_unref(ctx->self);
}

static inline int peer_done(struct peer_ctx *ctx)
{
	return g_cancellable_is_cancelled(ctx->self);
}

#define PEER_TIMEOUTS
#include "works.h"

int main(int argc, char **argv)
{
	static const struct bench_entry entries[] = {PEER_WORKS{NULL, NULL}};

	return bench_main(argc, argv, entries);
}
