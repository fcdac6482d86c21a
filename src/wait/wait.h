/* SPDX-License-Identifier: MIT
 *
 * wait.h - the one way to wait.
 *
 * Who has to wait puts a waiter on its own stack, and one wait (a reason to be woken) into each
 * queue that may wake it, then parks. Whoever wins the one compare-and-swap on the waiter, the
 * claim, has decided which reason it was, and owes exactly one wake.
 *
 * Protocol    The waker holds the queue's lock, takes the wait off the queue, claims; where it wins
 *             it may use what the wait points to until it calls belay__wait_wake(), after the lock
 *             is given back. Where it loses it must not touch the wait after giving back the lock.
 *             The one who waits: queues its waits, each under its queue's lock; parks; then takes
 *             every wait that is still linked off its queue, under that queue's lock.
 * Lifetime    The waiter and its waits stand on a stack. A winner's use of them ends before its
 *             wake, and the one who waits can't return before that wake. A loser's use ends with
 *             the queue's lock, which the one who waits takes once more before it returns, unless
 *             the wait was unlinked under that same lock already and was seen so.
 * No loss     The claim is remembered in the waiter, and the wake in the runner, so that a wake
 *             that comes before the park is found by it.
 */
#ifndef BELAY_SRC_WAIT_WAIT_H
#define BELAY_SRC_WAIT_WAIT_H

#include "base/ring.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct belay__runner;
struct belay__timeout;

/* What a kind of runner does. why is an enum belay__why. */
struct belay__runner_ops {
	void (*park)(struct belay__runner *runner, unsigned why);
	/* The same; but at its moment claims timeout, and where that wins returns unwoken. */
	void (*park_until)(struct belay__runner *runner, unsigned why,
			   struct belay__timeout *timeout);
	void (*wake)(struct belay__runner *runner);
};

/* Whoever can be parked: a thread, or a task on its worker. Each park() returns after one wake(),
 * whichever came first; nobody wakes a runner that does not park, or will. */
struct belay__runner {
	const struct belay__runner_ops *ops;
};

/* What a park waits for: for those who look at a program from outside. */
enum belay__why {
	BELAY__WHY_OTHER,
	BELAY__WHY_CHAN,
	BELAY__WHY_SELECT,
	BELAY__WHY_SLEEP,
	BELAY__WHY_DONE,     /* of a context */
	BELAY__WHY_SYNC,     /* mutex, semaphore, wait group ... */
	BELAY__WHY_GROUP,
	BELAY__WHY_IO,       /* a descriptor, a name */
	BELAY__WHY_BLOCKING, /* a function on a blocking thread */
	BELAY__WHYS,
};

/* The runner of the calling code. Never NULL. Also an identity: equal only for the same one. */
struct belay__runner *belay__self(void);

/* The port through which the task room plugs itself in: its workers set this while they run a task.
 * NULL on plain threads. A task never changes its thread, so its address may be kept. */
extern _Thread_local struct belay__runner *belay__current_task
	__attribute__((tls_model("initial-exec")));

/* How long to spin before a sleep: long where that was not in vain last time, or where the sleep
 * was so short that it need not have been. The more often a long one was in vain, the longer it is
 * not tried again: whoever is waited for may need the processor that the spin takes. */
struct belay__spin {
	int32_t ns;
	uint8_t penalty, left; /* how many waits to leave out after the next failure; from now on */
};

enum { BELAY__SPIN_SHORT = 500, BELAY__SPIN_LONG = 20000, BELAY__SPIN_PENALTY = 63 };

#define BELAY__SPIN_INIT {BELAY__SPIN_SHORT, 0, 0}

/* After a wait of that many nanoseconds in all; spun: it ended before the spin was over. */
void belay__spin_learn(struct belay__spin *spin, bool spun, int64_t waited);

struct belay__wait;

struct belay__waiter {
	_Atomic(struct belay__wait *) winner; /* the reason that won; NULL: still waiting */
	struct belay__runner *runner;
	bool sole; /* has one reason, which only one can claim at a time: whoever has the lock of
		      its queue, or, of a time-out, the one who sees to it. Set before it is
		      queued */
	uint8_t why; /* enum belay__why */
};

struct belay__wait {
	struct belay__list link; /* in its queue; guarded by the queue's lock */
	struct belay__waiter *waiter;
	void *element;           /* for the queue's owner and the one who waits to agree on */
	intptr_t result;         /* what the waker tells, written between claim and wake */
};

/* A moment as a reason to be woken. It stands in no queue: the one who waits sees to it. */
struct belay__timeout {
	struct belay__wait wait;
	int64_t when;
};

static inline void belay__waiter_init(struct belay__waiter *waiter)
{
	struct belay__runner *task = belay__current_task;

	atomic_init(&waiter->winner, NULL);
	waiter->runner = task ? task : belay__self();
	waiter->sole = false;
	waiter->why = BELAY__WHY_OTHER;
}

static inline void belay__wait_init(struct belay__wait *wait, struct belay__waiter *waiter)
{
	wait->link.next = wait->link.prev = NULL;
	wait->waiter = waiter;
	wait->element = NULL;
	wait->result = 0;
}

static inline void belay__timeout_init(struct belay__timeout *timeout, struct belay__waiter *waiter,
				       int64_t when)
{
	belay__wait_init(&timeout->wait, waiter);
	timeout->when = when;
}

/* The compare-and-swap: true where this reason, and no other, ends the wait. Acquire and release:
 * what either side wrote before is seen by the other. (Of a sole reason the queue's lock does both,
 * and of a time-out it is the same thread; and there is nothing to compare.) */
static inline bool belay__wait_claim(struct belay__wait *wait)
{
	struct belay__wait *nobody = NULL;

	if (wait->waiter->sole) {
		atomic_store_explicit(&wait->waiter->winner, wait, memory_order_relaxed);
		return true;
	}
	return atomic_compare_exchange_strong_explicit(&wait->waiter->winner, &nobody, wait,
						       memory_order_acq_rel, memory_order_relaxed);
}

/* True where somebody has won already: a stale entry, that nothing can be handed to. */
bool belay__wait_is_stale(const struct belay__wait *wait);

/* What the winner owes, with no lock held. */
void belay__wait_wake(struct belay__wait *wait);

/* Takes waits off queue (whose lock the caller holds) until one can be claimed, and returns it, to
 * be woken once the lock is given back. NULL: nobody waits there any more. */
static inline struct belay__wait *belay__queue_claim(struct belay__list *queue)
{
	struct belay__list *link;

	while ((link = belay__list_pop(queue))) {
		struct belay__wait *wait = belay__container(link, struct belay__wait, link);

		if (belay__wait_claim(wait))
			return wait;
	}
	return NULL;
}

/* Claims every waiter of queue and moves those that were won to woken; then, with no lock held,
 * belay__wake_all(woken). */
void belay__queue_claim_all(struct belay__list *queue, struct belay__list *woken);
void belay__wake_all(struct belay__list *woken);

/* Sleeps until a reason has won; returns it. Must be called exactly once for a waiter that others
 * may claim, and not where the caller itself has won the claim. */
static inline struct belay__wait *belay__waiter_park(struct belay__waiter *waiter)
{
	waiter->runner->ops->park(waiter->runner, waiter->why);
	/* Relaxed: park() has acquired what the winner's wake released. */
	return atomic_load_explicit(&waiter->winner, memory_order_relaxed);
}

/* The same, with timeout as one more reason. */
static inline struct belay__wait *belay__waiter_park_until(struct belay__waiter *waiter,
							   struct belay__timeout *timeout)
{
	waiter->runner->ops->park_until(waiter->runner, waiter->why, timeout);
	return atomic_load_explicit(&waiter->winner, memory_order_relaxed);
}

/* Claims every waiter of ring, which is empty then, and moves those that were won to woken. */
void belay__ring_claim_all(struct belay__list **ring, struct belay__list *woken);

#endif
