/* SPDX-License-Identifier: MIT
 *
 * context.h - what the rooms above may use of a context's inside.
 */
#ifndef BELAY_SRC_CONTEXT_CONTEXT_H
#define BELAY_SRC_CONTEXT_CONTEXT_H

#include "wait/gate.h"

#include <belay/context.h>

/* Parks waiter, whose own reasons the caller has queued, until one of them wins or ctx is done.
 * Returns the reason that won, or NULL where it was ctx's end (err of it: belay_err(ctx)). The
 * caller then takes its own waits off their queues where they are still linked:
 *
 *     belay__lock_take(&m->lock, ...);
 *     if (free) { take it; give lock; return 0; }
 *     belay__waiter_init(&waiter);
 *     belay__wait_init(&wait, &waiter);
 *     belay__list_append(&m->queue, &wait.link);
 *     belay__lock_give(&m->lock, ...);
 *     if (belay__block(ctx, &waiter))
 *             return 0;                       // the waker claimed it for us, and unlinked it
 *     belay__lock_take(&m->lock, ...);
 *     if (belay__list_linked(&wait.link)) belay__list_remove(&wait.link);
 *     belay__lock_give(&m->lock, ...);
 *     return belay_err(ctx);
 */
struct belay__wait *belay__block(belay_ctx *ctx, struct belay__waiter *waiter);

/* The same, with timeout as one more reason. NULL: there is none. */
struct belay__wait *belay__block_until(belay_ctx *ctx, struct belay__waiter *waiter,
				       struct belay__timeout *timeout);

/* belay_cancel_cause() for the rooms' own reasons: err is what belay_err() will say (-ECANCELED or
 * -ETIME), message is copied; NULL: the default for err. */
bool belay__cancel_with(belay_ctx *ctx, int err, int code, const struct belay_site *site,
			const char *message);

/* The static context that is done with err, -ENOMEM or -EINVAL: what a derivation that failed
 * returns. Not counted. */
belay_ctx *belay__failed_ctx(int err);

/* The context whose done channel that is. */
belay_ctx *belay__done_ctx(belay_chan *done);

/* True, and one more reference, unless the last one has gone already. */
bool belay__try_ref(belay_ctx *ctx);

/* belay_hook_add() for a hook that stands in ctx's own memory (belay_alloc()): it keeps no
 * reference, so where ctx goes without an end fn never runs. False: ctx is done already, and fn was
 * not run. */
bool belay__hook_add_own(belay_ctx *ctx, struct belay_hook *hook,
			 void (*fn)(struct belay_hook *hook));

/* belay_defer() for a room's own: fn runs after the program's, when nobody can come by ctx any
 * more: so neither its end nor its hooks run beside fn. */
int belay__defer_last(belay_ctx *ctx, void (*fn)(void *arg), void *arg);

/* Gives pooled memory back where no context is alive. */
void belay__ctx_trim(void);

#endif
