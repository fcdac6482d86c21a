/* SPDX-License-Identifier: MIT
 *
 * broken.c - scenarios with an error in them that the search must find, or it could find none.
 */
#include "explore.h"

#include "base/list.h"
#include "base/lock.h"
#include "base/slab.h"
#include "wait/wait.h"

#include <stdlib.h>

static struct belay__lock first, second;
static int counter;

static void setup(void)
{
	counter = 0;
	first.word = second.word = 0;
}

static void add_unlocked(void)
{
	int before = counter;

	explore_point();
	counter = before + 1;
}

static void both_added(void)
{
	EXPECT(counter == 2);
}

static void take_both(struct belay__lock *a, struct belay__lock *b)
{
	belay__lock_take(a, BELAY__RANK_LEAF);
	belay__lock_take(b, BELAY__RANK_LEAF);
	belay__lock_give(b, BELAY__RANK_LEAF);
	belay__lock_give(a, BELAY__RANK_LEAF);
}

static void first_then_second(void)
{
	take_both(&first, &second);
}

static void second_then_first(void)
{
	take_both(&second, &first);
}

static struct belay__list queue;

static void empty_queue(void)
{
	setup();
	belay__list_init(&queue);
}

/* Looks, and queues itself in a later lock section. */
static void wait_carelessly(void)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	int seen;

	belay__lock_take(&first, BELAY__RANK_LEAF);
	seen = counter;
	belay__lock_give(&first, BELAY__RANK_LEAF);
	if (seen)
		return;
	belay__waiter_init(&waiter);
	belay__wait_init(&wait, &waiter);
	belay__lock_take(&first, BELAY__RANK_LEAF);
	belay__list_append(&queue, &wait.link);
	belay__lock_give(&first, BELAY__RANK_LEAF);
	belay__waiter_park(&waiter);
}

static void bring(void)
{
	struct belay__wait *wait;

	belay__lock_take(&first, BELAY__RANK_LEAF);
	counter = 1;
	wait = belay__queue_claim(&queue);
	belay__lock_give(&first, BELAY__RANK_LEAF);
	if (wait)
		belay__wait_wake(wait);
}

static _Atomic uint32_t refs;
static bool taken;

static void have_one_reference(void)
{
	refs = 1;
	taken = false;
}

static void drop(void)
{
	belay__slab_drop(&refs);
}

/* Does not wait for those who drop. */
static void visit_carelessly(void)
{
	uint32_t one = 1;

	atomic_fetch_add_explicit(&belay__slab_visitors, 1, memory_order_seq_cst);
	taken = atomic_compare_exchange_strong_explicit(&refs, &one, 2, memory_order_acquire,
							memory_order_relaxed);
	atomic_fetch_sub_explicit(&belay__slab_visitors, 1, memory_order_release);
}

static void taken_is_there(void)
{
	EXPECT(!taken || refs > 0);
}

const struct scenario broken_scenarios[] = {
	{"broken: an addition in two steps", setup,
	 {add_unlocked, add_unlocked}, both_added, 1, 2, true},
	{"broken: two locks in both orders", setup,
	 {first_then_second, second_then_first}, NULL, 1, 2, true},
	{"broken: a look and a wait in two lock sections", empty_queue,
	 {wait_carelessly, bring}, NULL, 1, 2, true},
	{"broken: a visit that waits for nobody", have_one_reference,
	 {drop, visit_carelessly}, taken_is_there, 1, 2, true},
	{0},
};
