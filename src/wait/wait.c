/* SPDX-License-Identifier: MIT
 *
 * wait.c - waiters: one claim, one wake.
 *
 * State       A waiter's winner goes from NULL to one of its waits, once.
 * Memory      The claim is acq_rel. Its release publishes to the one who waits what the waker wrote
 *             before the claim; what is written between claim and wake is published by the wake
 *             (runner's wake() releases, park() acquires). Its acquire lets the waker read what the
 *             waits point to, although the queue's lock orders that already.
 *             A sole reason's claim is a plain store under the queue's lock, which has taken it off
 *             the queue: nobody else can find it. The one who waits reads it after the wake. (A
 *             sole time-out is claimed by the thread of the one who waits, under no lock.)
 */
#include "wait/wait.h"

/* Relaxed: only a hint that saves a vain claim; the claim decides. */
bool belay__wait_is_stale(const struct belay__wait *wait)
{
	return atomic_load_explicit(&wait->waiter->winner, memory_order_relaxed) != NULL;
}

void belay__wait_wake(struct belay__wait *wait)
{
	struct belay__runner *runner = wait->waiter->runner;

	runner->ops->wake(runner);
}

void belay__queue_claim_all(struct belay__list *queue, struct belay__list *woken)
{
	struct belay__wait *wait;

	while ((wait = belay__queue_claim(queue)))
		belay__list_append(woken, &wait->link);
}

void belay__ring_claim_all(struct belay__list **ring, struct belay__list *woken)
{
	struct belay__list *link;

	while ((link = belay__ring_pop(ring)))
		if (belay__wait_claim(belay__container(link, struct belay__wait, link)))
			belay__list_append(woken, link);
}

/* The link is taken off before the wake: after it the wait may be gone. */
void belay__wake_all(struct belay__list *woken)
{
	struct belay__list *link;

	while ((link = belay__list_pop(woken)))
		belay__wait_wake(belay__container(link, struct belay__wait, link));
}
