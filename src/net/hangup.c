/* SPDX-License-Identifier: MIT
 *
 * hangup.c - a context that ends when the peer of a connection hangs up.
 *
 * The socket is watched by the clock thread for EPOLLRDHUP alone: unread data does not hide it, and
 * no worker has to be free. What the watch needs stands in the connection, which outlives the
 * context's end (its user promises that) but not the context itself. Therefore a hook takes the
 * watch off as soon as the context ends, whoever ends it.
 *
 * State       ctx stands in hangup from before the watch is added until its hook is through; so
 *             long it is alive: the one who makes it holds a reference, then the hook does.
 * Order       Somebody may see that ctx is done before its hook has run, on another thread, and
 *             close the connection or watch it again at once. Both go through belay_hook_remove(),
 *             which returns when the hook has. The watch's function is waited for by the hook,
 *             unless it is what ends ctx and thereby runs the hook; therefore it touches nothing
 *             after that.
 * Locking     lock guards ctx, so that who asks whether it is still live asks a living one.
 */
#include "base/alloc.h"
#include "context/context.h"
#include "net/conn.h"

#include <errno.h>
#include <sys/epoll.h>

static void hung_up(struct belay__watch *watch, uint32_t events)
{
	struct belay__hangup *hangup = belay__container(watch, struct belay__hangup, watch);
	belay_ctx *ctx = belay_ref(hangup->ctx);

	(void)events; /* EPOLLRDHUP, EPOLLHUP or EPOLLERR: all of them mean that nobody listens */
	belay__cancel_with(ctx, -ECANCELED, hangup->code, NULL, hangup->message);
	belay_unref(ctx);
}

static void forget(struct belay__hangup *hangup)
{
	belay__lock_take(&hangup->lock, BELAY__RANK_SYNC);
	hangup->ctx = NULL;
	belay__lock_give(&hangup->lock, BELAY__RANK_SYNC);
}

static void ended(struct belay_hook *hook)
{
	struct belay__hangup *hangup = belay__container(hook, struct belay__hangup, hook);

	belay__watch_remove(&hangup->watch);
	forget(hangup);
}

static bool is_live(struct belay__hangup *hangup)
{
	bool live;

	belay__lock_take(&hangup->lock, BELAY__RANK_SYNC);
	live = hangup->ctx && belay_err(hangup->ctx) == 0;
	belay__lock_give(&hangup->lock, BELAY__RANK_SYNC);
	return live;
}

void belay__hangup_fini(struct belay__hangup *hangup)
{
	/* True: it is ended too late, against the rule. At least nothing dangles. */
	if (hangup->used && belay_hook_remove(&hangup->hook))
		ended(&hangup->hook);
	hangup->used = false;
}

/* A context that could not be had: out of memory, or of what err says. */
static belay_ctx *failed(belay_ctx *ctx, int err)
{
	belay__cancel_with(ctx, -ENOMEM, err, NULL, NULL);
	return ctx;
}

static belay_ctx *watch_peer(belay_ctx *ctx, belay_conn *conn)
{
	struct belay__hangup *hangup = &conn->hangup;
	int err;

	hangup->ctx = ctx;
	err = belay__watch_add(&hangup->watch, conn->fd, EPOLLRDHUP | EPOLLONESHOT, hung_up);
	if (err < 0) {
		forget(hangup);
		return failed(ctx, err);
	}
	hangup->used = true;
	belay_hook_add(ctx, &hangup->hook, ended);
	return ctx;
}

belay_ctx *belay_with_hangup_at(belay_ctx *parent, belay_conn *conn, int code,
				const char *message, const struct belay_site *site)
{
	belay_ctx *ctx;

	if (!conn || is_live(&conn->hangup))
		return belay__failed_ctx(-EINVAL);
	belay__hangup_fini(&conn->hangup);
	ctx = belay_with_cancel_at(parent, site);
	if (belay_err(ctx) != 0)
		return ctx;
	conn->hangup.code = code;
	conn->hangup.message = message ? belay_strdup(ctx, message) : NULL;
	if (message && !conn->hangup.message)
		return failed(ctx, -ENOMEM);
	return watch_peer(ctx, conn);
}

belay_ctx *(belay_with_hangup)(belay_ctx *parent, belay_conn *conn, int code, const char *message)
{
	return belay_with_hangup_at(parent, conn, code, message, NULL);
}
