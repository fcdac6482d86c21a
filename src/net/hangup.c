/* SPDX-License-Identifier: MIT
 *
 * hangup.c - a context that ends when the peer of a connection hangs up.
 *
 * The socket is watched by the clock thread for EPOLLRDHUP alone: unread data does not hide it, and
 * no worker has to be free. What the watch needs stands in the connection, which outlives the
 * context's end (its user promises that) but not the context itself. Therefore a hook takes the
 * watch off as soon as the context ends, whoever ends it.
 *
 * A filter's peer may end its stream without touching the socket (TLS: close_notify), which is
 * found out by looking at what has arrived. Who reads sees it himself. Where nobody has read for
 * REST, the socket is watched for whatever arrives besides, beginning with what is there: not
 * sooner, since of the requests of a busy connection each would else wake the clock thread. And the
 * rests of all connections end together, every STEP: one by one they would wake it as often as
 * there are busy connections in a REST.
 *
 * State       ctx stands in hangup from before the watch is added until its hook is through; so
 *             long it is alive: the one who makes it holds a reference, then the hook does.
 * Order       Somebody may see that ctx is done before its hook has run, on another thread, and
 *             close the connection or watch it again at once. Both go through belay_hook_remove(),
 *             which returns when the hook has. The watch's function is waited for by the hook,
 *             unless it is what ends ctx and thereby runs the hook; therefore it touches nothing
 *             after that.
 * Memory      read_ends() stores reading and then asks resting, rested() stores resting and then
 *             asks reading, all of it sequentially consistent: so one of them sees the other, and a
 *             rest that has begun is not overlooked. So who finds that there is one needs no lock.
 * Locking     lock guards ctx, so that who asks whether it is still live asks a living one.
 */
#include "base/alloc.h"
#include "context/context.h"
#include "net/conn.h"

#include <errno.h>
#include <sys/epoll.h>

/* How long nobody has read before what arrives is looked at, and up to how much more. */
#define REST BELAY_MS(20)
#define STEP BELAY_MS(10)

enum {
	GONE = EPOLLRDHUP | EPOLLHUP | EPOLLERR, /* all of them mean that nobody listens */
	QUIET = EPOLLRDHUP | EPOLLONESHOT,
};

static void end_with(struct belay__hangup *hangup, belay_ctx *ctx)
{
	belay__cancel_with(ctx, -ECANCELED, hangup->code, NULL, hangup->message);
	belay_unref(ctx);
}

/* ---- Filters --------------------------------------------------------------------------------- */

/* Whether what has arrived says that the peer has ended its stream. If not, sees to what is to be
 * watched for next: where somebody reads, or has to read first, his read's end begins a new
 * rest. */
static bool has_ended(struct belay__hangup *hangup)
{
	belay_conn *conn = belay__container(hangup, belay_conn, hangup);
	int seen = conn->filter->look(conn, conn->filter_state);

	if (seen == -EAGAIN)
		belay__watch_change(&hangup->watch, QUIET | EPOLLIN);
	else if (seen > 0)
		belay__watch_change(&hangup->watch, QUIET);
	return seen <= 0 && seen != -EAGAIN;
}

/* On the clock thread, under its wheel's lock, which may look at nothing: has the watch called at
 * once, as a socket is writable nearly always. */
static bool rested(struct belay__timer *timer)
{
	struct belay__hangup *hangup = belay__container(timer, struct belay__hangup, rest);

	atomic_store(&hangup->resting, false);
	if (!atomic_load(&hangup->reading))
		belay__watch_change(&hangup->watch, QUIET | EPOLLIN | EPOLLOUT);
	return false;
}

static int64_t end_of_rest(void)
{
	return (belay__moment(REST) / STEP + 1) * STEP;
}

void belay__hangup_rest(struct belay__hangup *hangup)
{
	if (atomic_load(&hangup->resting))
		return;
	belay__lock_take(&hangup->lock, BELAY__RANK_SYNC);
	if (hangup->ctx && !hangup->ending && !atomic_exchange(&hangup->resting, true))
		belay__timer_arm(&hangup->rest, end_of_rest());
	belay__lock_give(&hangup->lock, BELAY__RANK_SYNC);
}

/* The reader has seen the end. */
static void end_now(struct belay__hangup *hangup)
{
	belay_ctx *ctx = NULL;

	belay__lock_take(&hangup->lock, BELAY__RANK_SYNC);
	if (hangup->ctx && !hangup->ending)
		ctx = belay_ref(hangup->ctx);
	belay__lock_give(&hangup->lock, BELAY__RANK_SYNC);
	if (ctx)
		end_with(hangup, ctx);
}

void belay__hangup_read_begins(struct belay__hangup *hangup)
{
	atomic_store(&hangup->reading, true);
}

void belay__hangup_read_ends(struct belay__hangup *hangup, ssize_t result)
{
	atomic_store(&hangup->reading, false);
	if (result == 0)
		end_now(hangup);
	else
		belay__hangup_rest(hangup);
}

/* ---- The watch ------------------------------------------------------------------------------- */

static void noticed(struct belay__watch *watch, uint32_t events)
{
	struct belay__hangup *hangup = belay__container(watch, struct belay__hangup, watch);

	if ((events & GONE) || has_ended(hangup))
		end_with(hangup, belay_ref(hangup->ctx));
}

static void forget(struct belay__hangup *hangup)
{
	belay__lock_take(&hangup->lock, BELAY__RANK_SYNC);
	hangup->ctx = NULL;
	belay__lock_give(&hangup->lock, BELAY__RANK_SYNC);
}

/* The disarming waits for rested(), also where that has begun. */
static void stop_rest(struct belay__hangup *hangup)
{
	if (!belay__container(hangup, belay_conn, hangup)->filter)
		return;
	belay__lock_take(&hangup->lock, BELAY__RANK_SYNC);
	hangup->ending = true;
	belay__lock_give(&hangup->lock, BELAY__RANK_SYNC);
	belay__timer_disarm(&hangup->rest);
	atomic_store(&hangup->resting, false);
}

static void ended(struct belay_hook *hook)
{
	struct belay__hangup *hangup = belay__container(hook, struct belay__hangup, hook);

	stop_rest(hangup);
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

static int begin_watch(belay_ctx *ctx, belay_conn *conn)
{
	static const struct belay__timer_ops ops = {.claim = rested};
	struct belay__hangup *hangup = &conn->hangup;
	int err = belay__clock_start();

	if (err < 0)
		return err;
	belay__timer_init(&hangup->rest, &ops);
	belay__lock_take(&hangup->lock, BELAY__RANK_SYNC);
	hangup->ending = false;
	hangup->ctx = ctx;
	belay__lock_give(&hangup->lock, BELAY__RANK_SYNC);
	err = belay__watch_add(&hangup->watch, conn->fd, QUIET, noticed);
	if (err < 0) {
		stop_rest(hangup);
		forget(hangup);
	}
	return err;
}

static belay_ctx *watch_peer(belay_ctx *ctx, belay_conn *conn)
{
	struct belay__hangup *hangup = &conn->hangup;
	int err = begin_watch(ctx, conn);

	if (err < 0)
		return failed(ctx, err);
	hangup->used = true;
	belay_hook_add(ctx, &hangup->hook, ended);
	if (conn->filter)
		belay__hangup_rest(hangup);
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
