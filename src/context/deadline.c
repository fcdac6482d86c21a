/* SPDX-License-Identifier: MIT
 *
 * deadline.c - contexts that end by themselves at a moment.
 *
 * Lifetime    The armed timer holds no reference: a context that everybody has given up takes its
 *             timer with it. The clock takes a reference in claim(), under the wheel's lock, which
 *             the freeing thread needs to disarm the timer; so either the clock gets the reference,
 *             or it finds the last one gone and does not come back.
 * Race        A parent may end the new context before its timer is armed; the end disarms in vain
 *             then. So the maker looks at the error after arming. Both take the wheel's lock: if
 *             the end's disarm came before the arming, its error is visible to this look.
 */
#include "base/alloc.h"
#include "base/probe.h"
#include "context/node.h"

#include <errno.h>

static struct deadline *deadline_of(struct belay__timer *timer)
{
	return belay__container(timer, struct deadline, timer);
}

static void expire(struct deadline *deadline)
{
	struct ending ending = {.err = -ETIME, .code = deadline->code,
				.message = deadline->message};

	if (belay__node_end(&deadline->node, &ending))
		deadline->message = NULL; /* the node's now */
}

static bool claim(struct belay__timer *timer)
{
	return belay__try_ref(&deadline_of(timer)->node.ctx);
}

static void fire(struct belay__timer *timer)
{
	struct deadline *deadline = deadline_of(timer);

	BELAY__PROBE_DEADLINE_FIRE(deadline, belay_now() - deadline->node.deadline);
	expire(deadline);
	belay_unref(&deadline->node.ctx);
}

static const struct belay__timer_ops ops = {claim, fire};

void belay__deadline_fini(struct deadline *deadline)
{
	belay__free(deadline->message);
}

static void arm(struct deadline *deadline)
{
	belay__timer_arm(&deadline->timer, deadline->node.deadline);
	if (node_err(&deadline->node) != 0)
		belay__deadline_disarm(deadline);
}

/* Relaxed: one who does not see it asks the timer. */
void belay__deadline_disarm(struct deadline *deadline)
{
	if (!atomic_load_explicit(&deadline->disarmed, memory_order_relaxed) &&
	    belay__timer_disarm(&deadline->timer))
		atomic_store_explicit(&deadline->disarmed, true, memory_order_relaxed);
}

/* What a derivation asks for. */
struct expiry {
	int64_t when;
	bool past; /* when it asked */
	int code;
	const char *message;
	const struct belay_site *site;
};

static struct expiry at(int64_t when, const struct belay_site *site)
{
	return (struct expiry){when, when <= belay_now(), -ETIME, NULL, site};
}

/* One look at the clock is enough: what is not past now is the timer's affair. */
static struct expiry in(int64_t ns, const struct belay_site *site)
{
	return (struct expiry){belay__moment(ns), ns <= 0, -ETIME, NULL, site};
}

static struct expiry because(struct expiry expiry, int code, const char *message)
{
	expiry.code = code;
	expiry.message = message;
	return expiry;
}

/* As one that belay_cancel_cause() formats. */
static struct owned *copy_message(const char *fmt, ...)
{
	struct owned *copy;
	va_list args;

	va_start(args, fmt);
	copy = belay__message_new(fmt, args);
	va_end(args);
	return copy;
}

/* A context with a timer, not armed yet. NULL: out of memory. */
static struct deadline *deadline_new(belay_ctx *parent, const struct expiry *expiry)
{
	struct deadline *deadline;
	belay_ctx *ctx;
	struct owned *copy = expiry->message ? copy_message("%s", expiry->message) : NULL;

	if (expiry->message && !copy)
		return NULL;
	ctx = belay__ctx_new(KIND_DEADLINE, parent, expiry->site);
	if (!ctx) {
		belay__free(copy);
		return NULL;
	}
	deadline = belay__container(ctx, struct deadline, node.ctx);
	belay__node_init(&deadline->node, expiry->when);
	belay__timer_init(&deadline->timer, &ops);
	deadline->message = copy;
	deadline->code = expiry->code;
	atomic_store_explicit(&deadline->disarmed, false, memory_order_relaxed);
	belay__ctx_publish(ctx);
	return deadline;
}

static int64_t deadline_above(const struct node *above)
{
	return above ? above->deadline : BELAY_FOREVER;
}

/* The parent's deadline comes first, so that the child needs none. Not where both have passed and
 * only the clock is late: the child is promised to be done on return. */
static bool is_parents(const struct node *above, const struct expiry *expiry)
{
	return expiry->when == BELAY_FOREVER ||
	       (expiry->when >= deadline_above(above) && !expiry->past);
}

static belay_ctx *with_deadline(belay_ctx *parent, struct expiry expiry)
{
	struct deadline *deadline;
	struct node *above;

	if (!parent)
		return belay__failed_ctx(-EINVAL);
	above = nearest_node(parent);
	if (is_parents(above, &expiry))
		return belay_with_cancel_at(parent, expiry.site);
	if (belay__clock_start() < 0)
		return belay__failed_ctx(-ENOMEM);
	if (deadline_above(above) < expiry.when)
		expiry.when = deadline_above(above);
	deadline = deadline_new(parent, &expiry);
	if (!deadline)
		return belay__failed_ctx(-ENOMEM);
	belay__node_join(&deadline->node, &deadline->node.place, above);
	if (expiry.past)
		expire(deadline);
	else if (node_err(&deadline->node) == 0)
		arm(deadline);
	return &deadline->node.ctx;
}

belay_ctx *belay_with_deadline_cause_at(belay_ctx *parent, int64_t when, int code,
					const char *message, const struct belay_site *site)
{
	return with_deadline(parent, because(at(when, site), code, message));
}

belay_ctx *(belay_with_deadline_cause)(belay_ctx *parent, int64_t when, int code,
				       const char *message)
{
	return with_deadline(parent, because(at(when, NULL), code, message));
}

belay_ctx *belay_with_timeout_cause_at(belay_ctx *parent, int64_t ns, int code,
				       const char *message, const struct belay_site *site)
{
	return with_deadline(parent, because(in(ns, site), code, message));
}

belay_ctx *(belay_with_timeout_cause)(belay_ctx *parent, int64_t ns, int code,
				      const char *message)
{
	return with_deadline(parent, because(in(ns, NULL), code, message));
}

belay_ctx *belay_with_deadline_at(belay_ctx *parent, int64_t when, const struct belay_site *site)
{
	return with_deadline(parent, at(when, site));
}

belay_ctx *(belay_with_deadline)(belay_ctx *parent, int64_t when)
{
	return with_deadline(parent, at(when, NULL));
}

belay_ctx *belay_with_timeout_at(belay_ctx *parent, int64_t ns, const struct belay_site *site)
{
	return with_deadline(parent, in(ns, site));
}

belay_ctx *(belay_with_timeout)(belay_ctx *parent, int64_t ns)
{
	return with_deadline(parent, in(ns, NULL));
}

/* Immutable, so that it is the same after the end as before. */
bool belay_deadline(const belay_ctx *ctx, int64_t *when)
{
	int64_t deadline = ctx ? deadline_above(nearest_node(ctx)) : BELAY_FOREVER;

	if (when && deadline != BELAY_FOREVER)
		*when = deadline;
	return deadline != BELAY_FOREVER;
}
