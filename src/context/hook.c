/* SPDX-License-Identifier: MIT
 *
 * hook.c - functions that run on the thread that ends a context.
 *
 * State       UNUSED -> ADDED -> RUNNING -> RAN, or ADDED -> UNUSED by a removal. While RUNNING the
 *             state may also be the address of a struct belay__wait: somebody waits for RAN.
 * Ownership   ADDED -> RUNNING and ADDED -> UNUSED are compare-and-swaps: exactly one of the end
 *             and the remover gets the hook. A registered hook holds a reference to its context,
 *             which goes to whoever got it; so a remover that won may still take the node's lock.
 * Locking     The node's lock guards the list. fn runs with none.
 * Lifetime    The end touches the hook after fn only where it was not removed from inside fn; that
 *             is told through a flag on the end's stack, to which link[0] points while fn runs
 *             (read only by the runner that is inside fn, so that the flag is alive).
 * Memory      RAN is stored with release, so that a remover's acquire sees what fn did.
 */
#include "context/node.h"

#include <errno.h>

enum { UNUSED, ADDED, RUNNING, RAN, LAST_STATE = RAN };

static _Atomic uintptr_t *state_of(struct belay_hook *hook)
{
	return (_Atomic uintptr_t *)&hook->state;
}

static struct belay__list *link_of(struct belay_hook *hook)
{
	return (struct belay__list *)hook->link;
}

static bool change(struct belay_hook *hook, uintptr_t from, uintptr_t to)
{
	return atomic_compare_exchange_strong_explicit(state_of(hook), &from, to,
						       memory_order_acq_rel, memory_order_acquire);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* The next hook of node that nobody has removed, RUNNING; NULL: none is left. */
static struct belay_hook *take_hook(struct node *node)
{
	struct belay_hook *hook;

	belay__lock_take(&node->done.gate.lock, BELAY__RANK_NODE);
	do {
		hook = (struct belay_hook *)(void *)belay__ring_pop(&node->hooks);
		if (hook)
			hook->running = belay__self();
	} while (hook && !change(hook, ADDED, RUNNING));
	belay__lock_give(&node->done.gate.lock, BELAY__RANK_NODE);
	return hook;
}

static void finish(struct belay_hook *hook)
{
	uintptr_t before = atomic_exchange_explicit(state_of(hook), RAN, memory_order_acq_rel);

	if (before > LAST_STATE) {
		struct belay__wait *remover = (struct belay__wait *)before;

		if (belay__wait_claim(remover))
			belay__wait_wake(remover);
	}
}

static void run(struct belay_hook *hook)
{
	belay_ctx *held = hook->ctx;
	bool removed = false;

	hook->link[0] = &removed;
	hook->fn(hook);
	if (!removed) {
		hook->link[0] = NULL;
		finish(hook);
	}
	belay_unref(held);
}

void belay__hooks_run(struct node *node)
{
	struct belay_hook *hook;

	while ((hook = take_hook(node)))
		run(hook);
}

/* ---- Adding and removing --------------------------------------------------------------------- */

static void prepare(struct belay_hook *hook, void (*fn)(struct belay_hook *hook))
{
	hook->link[0] = hook->link[1] = NULL;
	hook->ctx = NULL;
	hook->fn = fn;
	hook->running = NULL;
	atomic_store_explicit(state_of(hook), UNUSED, memory_order_relaxed);
}

/* False: node is done. */
static bool add(struct node *node, struct belay_hook *hook)
{
	bool live;

	belay__lock_take(&node->done.gate.lock, BELAY__RANK_NODE);
	live = node_err(node) == 0;
	if (live) {
		atomic_store_explicit(state_of(hook), ADDED, memory_order_relaxed);
		belay__ring_append(&node->hooks, link_of(hook));
	}
	belay__lock_give(&node->done.gate.lock, BELAY__RANK_NODE);
	return live;
}

static void unlink_hook(struct node *node, struct belay_hook *hook)
{
	belay__lock_take(&node->done.gate.lock, BELAY__RANK_NODE);
	if (belay__list_linked(link_of(hook)))
		belay__ring_remove(&node->hooks, link_of(hook));
	belay__lock_give(&node->done.gate.lock, BELAY__RANK_NODE);
}

bool belay__hook_add_weak(struct node *node, struct belay_hook *hook,
			  void (*fn)(struct belay_hook *hook))
{
	prepare(hook, fn);
	return add(node, hook);
}

bool belay__hook_add_own(belay_ctx *ctx, struct belay_hook *hook,
			 void (*fn)(struct belay_hook *hook))
{
	struct node *node = nearest_node(ctx);

	return !node || belay__hook_add_weak(node, hook, fn);
}

void belay__hook_remove_weak(struct node *node, struct belay_hook *hook)
{
	unlink_hook(node, hook);
}

bool belay_hook_add(belay_ctx *ctx, struct belay_hook *hook, void (*fn)(struct belay_hook *hook))
{
	struct node *node = nearest_node(ctx ? ctx : belay__failed_ctx(-EINVAL));

	prepare(hook, fn);
	if (!node)
		return true;
	hook->ctx = belay_ref(&node->ctx);
	if (add(node, hook))
		return true;
	belay_unref(&node->ctx);
	atomic_store_explicit(state_of(hook), RAN, memory_order_relaxed);
	fn(hook);
	return false;
}

/* RUNNING, and not by this runner: waits until fn is through. */
static void wait_for_fn(struct belay_hook *hook)
{
	struct belay__waiter waiter;
	struct belay__wait wait;

	belay__waiter_init(&waiter);
	belay__wait_init(&wait, &waiter);
	if (change(hook, RUNNING, (uintptr_t)&wait))
		belay__waiter_park(&waiter);
}

bool belay_hook_remove(struct belay_hook *hook)
{
	if (change(hook, ADDED, UNUSED)) {
		belay_ctx *held = hook->ctx;

		unlink_hook(node_of(held), hook);
		belay_unref(held);
		return true;
	}
	/* Acquire pairs with finish(). */
	switch (atomic_load_explicit(state_of(hook), memory_order_acquire)) {
	case UNUSED:
		return true;
	case RUNNING:
		if (hook->running == belay__self())
			*(bool *)hook->link[0] = true;
		else
			wait_for_fn(hook);
		return false;
	default:
		return false;
	}
}
