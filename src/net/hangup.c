/* SPDX-License-Identifier: MIT
 *
 * hangup.c - a context that ends when the peer of a connection hangs up.
 *
 * The socket is watched by the clock thread for EPOLLRDHUP alone: unread data does not hide it, and
 * no worker has to be free. What the watch needs belongs to the connection, which outlives the
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
 * State       ctx stands in the watch from before that is added until its hook is through; so long
 *             it is alive: the one who makes it holds a reference, then the hook does. The watch is
 *             freed by the one who then closes the connection, or watches it again, or lets it
 *             sleep (readable.c).
 * Order       Somebody may see that ctx is done before its hook has run, on another thread, and do
 *             one of these at once. All go through belay_hook_remove(), which returns when the hook
 *             has. The watch's function is waited for by the hook, unless it is what ends ctx and
 *             thereby runs the hook; therefore it touches nothing after that.
 * Memory      read_ends() stores reading and then asks resting, rested() stores resting and then
 *             asks reading, all of it sequentially consistent: so one of them sees the other, and a
 *             rest that has begun is not overlooked. So who finds that there is one needs no lock.
 * Locking     hangup's lock guards its watch, and of that ctx, ending, and the arming of rest: so
 *             that who asks whether ctx is still live asks a living one.
 */
#include "base/alloc.h"
#include "context/context.h"
#include "net/conn.h"
#include "wait/timer.h"
#include "wait/watch.h"

#include <errno.h>
#include <sys/epoll.h>

/* How long nobody has read before what arrives is looked at, and up to how much more. */
#define REST BELAY_MS(20)
#define STEP BELAY_MS(10)

enum {
	GONE = EPOLLRDHUP | EPOLLHUP | EPOLLERR, /* all of them mean that nobody listens */
	QUIET = EPOLLRDHUP | EPOLLONESHOT,
};

struct belay__peer_watch {
	belay_conn *conn;
	struct belay_hook hook;
	struct belay__watch watch;
	struct belay__timer rest; /* of a connection with a filter                   */
	bool ending;              /* its hook runs: rest is not to be armed any more */
	belay_ctx *ctx;           /* borrowed: alive as long as it stands here; NULL: it is over */
	int code;                 /* what ctx is to be ended with                    */
	const char *message;      /* ctx's memory                                    */
};

/* ---- Filters --------------------------------------------------------------------------------- */

/* Whether what has arrived says that the peer has ended its stream. If not, sees to what is to be
 * watched for next: where somebody reads, or has to read first, his read's end begins a new
 * rest. */
static bool has_ended(struct belay__peer_watch *watch)
{
	belay_conn *conn = watch->conn;
	int seen = conn->filter->look(conn, conn->filter_state);

	if (seen == -EAGAIN)
		belay__watch_change(&watch->watch, QUIET | EPOLLIN);
	else if (seen > 0)
		belay__watch_change(&watch->watch, QUIET);
	return seen <= 0 && seen != -EAGAIN;
}

/* On the clock thread, under its wheel's lock, which may look at nothing: has the watch called at
 * once, as a socket is writable nearly always. */
static bool rested(struct belay__timer *timer)
{
	struct belay__peer_watch *watch = belay__container(timer, struct belay__peer_watch, rest);

	atomic_store(&watch->conn->hangup.resting, false);
	if (!atomic_load(&watch->conn->hangup.reading))
		belay__watch_change(&watch->watch, QUIET | EPOLLIN | EPOLLOUT);
	return false;
}

static bool is_watching(const struct belay__peer_watch *watch)
{
	return watch && watch->ctx && !watch->ending;
}

static int64_t end_of_rest(void)
{
	return (belay__moment(REST) / STEP + 1) * STEP;
}

void belay__hangup_rest(struct belay__hangup *hangup)
{
	struct belay__peer_watch *watch;

	if (atomic_load(&hangup->resting))
		return;
	belay__lock_take(&hangup->lock, BELAY__RANK_SYNC);
	watch = hangup->watch;
	if (is_watching(watch) && !atomic_exchange(&hangup->resting, true))
		belay__timer_arm(&watch->rest, end_of_rest());
	belay__lock_give(&hangup->lock, BELAY__RANK_SYNC);
}

/* The reader has seen the end. The message is the context's. */
static void end_now(struct belay__hangup *hangup)
{
	struct belay__peer_watch copy = {0};

	belay__lock_take(&hangup->lock, BELAY__RANK_SYNC);
	if (is_watching(hangup->watch)) {
		copy.ctx = belay_ref(hangup->watch->ctx);
		copy.code = hangup->watch->code;
		copy.message = hangup->watch->message;
	}
	belay__lock_give(&hangup->lock, BELAY__RANK_SYNC);
	if (copy.ctx)
		belay__cancel_with(copy.ctx, -ECANCELED, copy.code, NULL, copy.message);
	belay_unref(copy.ctx);
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

static void noticed(struct belay__watch *embedded, uint32_t events)
{
	struct belay__peer_watch *watch =
		belay__container(embedded, struct belay__peer_watch, watch);
	belay_ctx *ctx;

	if (!(events & GONE) && !has_ended(watch))
		return;
	ctx = belay_ref(watch->ctx);
	belay__cancel_with(ctx, -ECANCELED, watch->code, NULL, watch->message);
	belay_unref(ctx);
}

static void forget(struct belay__peer_watch *watch)
{
	struct belay__lock *lock = &watch->conn->hangup.lock;

	belay__lock_take(lock, BELAY__RANK_SYNC);
	watch->ctx = NULL;
	belay__lock_give(lock, BELAY__RANK_SYNC);
}

/* The disarming waits for rested(), also where that has begun. */
static void stop_rest(struct belay__peer_watch *watch)
{
	struct belay__lock *lock = &watch->conn->hangup.lock;

	if (!watch->conn->filter)
		return;
	belay__lock_take(lock, BELAY__RANK_SYNC);
	watch->ending = true;
	belay__lock_give(lock, BELAY__RANK_SYNC);
	belay__timer_disarm(&watch->rest);
	atomic_store(&watch->conn->hangup.resting, false);
}

static void ended(struct belay_hook *hook)
{
	struct belay__peer_watch *watch = belay__container(hook, struct belay__peer_watch, hook);

	stop_rest(watch);
	belay__watch_remove(&watch->watch);
	forget(watch);
}

static bool is_live(const struct belay__peer_watch *watch)
{
	return watch->ctx && belay_err(watch->ctx) == 0;
}

/* Takes what hangup has, or only where it is not live; NULL: nothing. */
static struct belay__peer_watch *take(struct belay__hangup *hangup, bool live_too)
{
	struct belay__peer_watch *watch;

	belay__lock_take(&hangup->lock, BELAY__RANK_SYNC);
	watch = hangup->watch;
	if (watch && !live_too && is_live(watch))
		watch = NULL;
	if (watch)
		hangup->watch = NULL;
	belay__lock_give(&hangup->lock, BELAY__RANK_SYNC);
	return watch;
}

/* Where the hook can be removed ctx is ended too late, against the rule. At least nothing
 * dangles. */
static void watch_free(struct belay__peer_watch *watch)
{
	if (watch && belay_hook_remove(&watch->hook))
		ended(&watch->hook);
	belay__free(watch);
}

void belay__hangup_fini(struct belay__hangup *hangup)
{
	watch_free(take(hangup, true));
}

void belay__hangup_tidy(struct belay__hangup *hangup)
{
	watch_free(take(hangup, false));
}

/* A context that could not be had: out of memory, or of what err says. */
static belay_ctx *failed(belay_ctx *ctx, int err)
{
	belay__cancel_with(ctx, -ENOMEM, err, NULL, NULL);
	return ctx;
}

static struct belay__peer_watch *watch_new(belay_ctx *ctx, belay_conn *conn, int code,
					   const char *message)
{
	static const struct belay__timer_ops ops = {.claim = rested};
	struct belay__peer_watch *watch = belay__calloc(1, sizeof *watch);

	if (!watch)
		return NULL;
	watch->conn = conn;
	watch->ctx = ctx;
	watch->code = code;
	watch->message = message ? belay_strdup(ctx, message) : NULL;
	belay__timer_init(&watch->rest, &ops);
	if (!message || watch->message)
		return watch;
	belay__free(watch);
	return NULL;
}

static void set_watch(struct belay__hangup *hangup, struct belay__peer_watch *watch)
{
	belay__lock_take(&hangup->lock, BELAY__RANK_SYNC);
	hangup->watch = watch;
	belay__lock_give(&hangup->lock, BELAY__RANK_SYNC);
}

/* Takes the watch in any case. */
static int begin_watch(belay_conn *conn, struct belay__peer_watch *watch)
{
	int err;

	set_watch(&conn->hangup, watch);
	err = belay__watch_add(&watch->watch, conn->fd, QUIET, noticed);
	if (err == 0)
		return 0;
	stop_rest(watch);
	set_watch(&conn->hangup, NULL);
	belay__free(watch);
	return err;
}

static belay_ctx *watch_peer(belay_ctx *ctx, belay_conn *conn, int code, const char *message)
{
	int err = belay__clock_start();
	struct belay__peer_watch *watch;

	if (err < 0)
		return failed(ctx, err);
	watch = watch_new(ctx, conn, code, message);
	err = watch ? begin_watch(conn, watch) : -ENOMEM;
	if (err < 0)
		return failed(ctx, err);
	belay_hook_add(ctx, &watch->hook, ended);
	if (conn->filter)
		belay__hangup_rest(&conn->hangup);
	return ctx;
}

static bool is_watched(struct belay__hangup *hangup)
{
	bool watched;

	belay__lock_take(&hangup->lock, BELAY__RANK_SYNC);
	watched = hangup->watch != NULL;
	belay__lock_give(&hangup->lock, BELAY__RANK_SYNC);
	return watched;
}

belay_ctx *belay_with_hangup_at(belay_ctx *parent, belay_conn *conn, int code, const char *message,
				const struct belay_site *site)
{
	belay_ctx *ctx;

	if (!conn)
		return belay__failed_ctx(-EINVAL);
	belay__hangup_tidy(&conn->hangup);
	if (is_watched(&conn->hangup))
		return belay__failed_ctx(-EINVAL);
	ctx = belay_with_cancel_at(parent, site);
	return belay_err(ctx) != 0 ? ctx : watch_peer(ctx, conn, code, message);
}

belay_ctx *(belay_with_hangup)(belay_ctx *parent, belay_conn *conn, int code, const char *message)
{
	return belay_with_hangup_at(parent, conn, code, message, NULL);
}
