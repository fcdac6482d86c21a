/* SPDX-License-Identifier: MIT
 *
 * tree.c - how contexts are made, counted and freed.
 *
 * Lifetime    A context holds a reference to its parent (a merge to both). Where both are nodes it
 *             is the child's place in a list (branch.c), else a counted one. A list holds no
 *             references to children: a child takes itself off before it is freed, under the list's
 *             lock, so that who finds a child there, under that lock, finds valid memory.
 *             refs counts users, and from the last user's leave on the lists that are not empty.
 * Memory      refs: taking one is relaxed (the caller has one already, or belay__try_ref()
 *             acquires); giving one up releases, and who gives up the last acquires, so that
 *             everything done with the context comes before its memory is freed. publish() releases
 *             what was filled in.
 * Freeing     goes up a chain of a million parents without recursion: those that die are linked
 *             through next_dead. One that has deferred calls gets a reference again while they run,
 *             since they may use it like any other, and dies when that goes, if nobody kept one.
 */
#include "base/probe.h"
#include "base/report.h"
#include "base/slab.h"
#include "context/node.h"
#include "context/reaper.h"
#include "context/view.h"
#include "wait/clock.h"

#include <errno.h>
#include <time.h>

enum { SLAB_PLAIN, SLAB_NODE, SLAB_LARGE };

#define LARGE_SIZE                                                                                 \
	(sizeof(struct deadline) > sizeof(struct merge) ? sizeof(struct deadline)                  \
							: sizeof(struct merge))

static struct belay__slab slabs[] = {
	[SLAB_PLAIN] = {.id = SLAB_PLAIN, .size = sizeof(struct value)},
	[SLAB_NODE] = {.id = SLAB_NODE, .size = sizeof(struct node)},
	[SLAB_LARGE] = {.id = SLAB_LARGE, .size = LARGE_SIZE},
};

static const unsigned char slab_of_kind[] = {
	[KIND_WITHOUT_CANCEL] = SLAB_PLAIN, [KIND_VALUE] = SLAB_PLAIN,    [KIND_CANCEL] = SLAB_NODE,
	[KIND_DEADLINE] = SLAB_LARGE,       [KIND_MERGE] = SLAB_LARGE,
};

/* ---- The static ones ------------------------------------------------------------------------- */

static struct plain background = {.ctx = {.refs = 1, .kind = KIND_BACKGROUND}};
static struct plain todo = {.ctx = {.refs = 1, .kind = KIND_TODO}};

#define FAILED(name, error)                                                                        \
	static struct node name = {                                                                \
		.ctx = {.refs = 1, .kind = KIND_ERROR, .ended = ENDED_HERE, .code = (error)},      \
		.done = {.gate = {.closed = (error), .kind = BELAY__GATE_DONE}},                   \
		.deadline = BELAY_FOREVER,                                                         \
	}

FAILED(out_of_memory, -ENOMEM);
FAILED(invalid, -EINVAL);

belay_ctx *belay_background(void)
{
	return &background.ctx;
}

belay_ctx *belay_todo(void)
{
	return &todo.ctx;
}

belay_ctx *belay__failed_ctx(int err)
{
	return err == -EINVAL ? &invalid.ctx : &out_of_memory.ctx;
}

/* ---- Making ---------------------------------------------------------------------------------- */

enum { AGE_BITS = 24 };

/* The coarse clock, ten times cheaper than the fine one; in units of 2^24 ns, which come round
 * again after 834 days. */
static uint32_t coarse_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)(((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) >> AGE_BITS);
}

int64_t belay__ctx_age(const belay_ctx *ctx)
{
	return (int64_t)(coarse_now() - ctx->born) << AGE_BITS;
}

static bool counts_parent(enum kind kind, const belay_ctx *parent)
{
	return kind < KIND_ERROR || !is_node(parent);
}

belay_ctx *belay__ctx_new(enum kind kind, belay_ctx *parent, const struct belay_site *site)
{
	belay_ctx *ctx = belay__slab_alloc(&slabs[slab_of_kind[kind]]);

	if (!ctx)
		return NULL;
	ctx->kind = kind;
	ctx->ended = ENDED_ABOVE;
	ctx->orphan = false;
	ctx->parent = counts_parent(kind, parent) ? belay_ref(parent) : parent;
	ctx->values = parent->values;
	ctx->site = site;
	ctx->born = coarse_now();
	atomic_store_explicit(&ctx->owned, NULL, memory_order_relaxed);
	if (kind < KIND_BACKGROUND)
		belay__container(ctx, struct plain, ctx)->above = nearest_node(parent);
	return ctx;
}

/* Pairs with the acquire in belay__try_ref(), for those who find it by walking over the slab. */
belay_ctx *belay__ctx_publish(belay_ctx *ctx)
{
	atomic_store_explicit(&ctx->refs, 1, memory_order_release);
	BELAY__PROBE_CTX_NEW(ctx, ctx->parent, belay__kind_name(ctx), ctx->site);
	return ctx;
}

void belay__node_init(struct node *node, int64_t deadline)
{
	node->done.gate.kind = BELAY__GATE_DONE;
	atomic_store_explicit(&node->done.gate.lock.word, 0, memory_order_relaxed);
	atomic_store_explicit(&node->done.gate.closed, 0, memory_order_relaxed);
	node->done.receivers = NULL;
	node->origin = NULL;
	node->deadline = deadline;
	belay__place_init(&node->place, false);
	atomic_store_explicit(&node->children, 0, memory_order_relaxed);
	node->hooks = NULL;
}

belay_ctx *belay_with_cancel_at(belay_ctx *parent, const struct belay_site *site)
{
	struct node *above;
	belay_ctx *ctx;

	if (!parent)
		return belay__failed_ctx(-EINVAL);
	ctx = belay__ctx_new(KIND_CANCEL, parent, site);
	if (!ctx)
		return belay__failed_ctx(-ENOMEM);
	above = nearest_node(parent);
	belay__node_init(node_of(ctx), above ? above->deadline : BELAY_FOREVER);
	belay__ctx_publish(ctx);
	belay__node_join(node_of(ctx), &node_of(ctx)->place, above);
	return ctx;
}

belay_ctx *(belay_with_cancel)(belay_ctx *parent)
{
	return belay_with_cancel_at(parent, NULL);
}

belay_ctx *belay_without_cancel_at(belay_ctx *parent, const struct belay_site *site)
{
	belay_ctx *ctx;

	if (!parent)
		return belay__failed_ctx(-EINVAL);
	ctx = belay__ctx_new(KIND_WITHOUT_CANCEL, parent, site);
	if (!ctx)
		return belay__failed_ctx(-ENOMEM);
	belay__container(ctx, struct plain, ctx)->above = NULL;
	return belay__ctx_publish(ctx);
}

belay_ctx *(belay_without_cancel)(belay_ctx *parent)
{
	return belay_without_cancel_at(parent, NULL);
}

/* ---- References ------------------------------------------------------------------------------ */

belay_ctx *belay_ref(belay_ctx *ctx)
{
	if (ctx && !is_static(ctx))
		atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
	return ctx;
}

bool belay__try_ref(belay_ctx *ctx)
{
	uint32_t refs = atomic_load_explicit(&ctx->refs, memory_order_relaxed);

	while (refs != 0)
		if (atomic_compare_exchange_weak_explicit(&ctx->refs, &refs, refs + 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

static bool had_children(const struct node *node)
{
	return atomic_load_explicit(&node->children, memory_order_acquire) != 0;
}

/* Nothing but a visit of the slabs could find ctx and take a reference: neither the end of a
 * parent, which visits those with something to be told, nor the clock. */
static bool is_hidden(const belay_ctx *ctx)
{
	if (!is_node(ctx))
		return true;
	if (has_children(node_of(ctx)) ||
	    atomic_load_explicit(&ctx->owned, memory_order_relaxed))
		return false;
	return ctx->kind == KIND_CANCEL ||
	       (ctx->kind == KIND_DEADLINE &&
		atomic_load_explicit(&belay__container(ctx, struct deadline, node.ctx)->disarmed,
				     memory_order_relaxed));
}

/* The caller's is the only reference. True: it was the last. The last user's own is given up only
 * when the lists that are not empty have theirs. */
static bool give_up_only(belay_ctx *ctx)
{
	if (is_node(ctx) && had_children(node_of(ctx)))
		belay__branches_orphan(node_of(ctx));
	if (is_hidden(ctx) && belay__slab_drop(&ctx->refs))
		return true;
	/* Acquire pairs with the releases of the others; release, with their acquire. */
	return atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) == 1;
}

/* Gives up one reference; a context that this kills goes to the front of dead. */
static void give_up(belay_ctx *ctx, belay_ctx **dead)
{
	uint32_t refs;

	if (!ctx || is_static(ctx))
		return;
	/* Acquire pairs with the releases of the others, who may have left children behind. */
	refs = atomic_load_explicit(&ctx->refs, memory_order_acquire);
	while (refs > 1)
		if (atomic_compare_exchange_weak_explicit(&ctx->refs, &refs, refs - 1,
							  memory_order_release,
							  memory_order_acquire))
			return;
	if (!give_up_only(ctx))
		return;
	ctx->next_dead = *dead;
	*dead = ctx;
}

/* What a kind has besides, once nobody can find the context any more. */
static void fini_kind(belay_ctx *ctx)
{
	if (is_node(ctx) && had_children(node_of(ctx)))
		belay__branches_free(node_of(ctx));
	if (ctx->kind == KIND_DEADLINE)
		belay__deadline_fini(belay__container(ctx, struct deadline, node.ctx));
	if (ctx->kind == KIND_VALUE)
		belay__value_fini(value_of(ctx));
}

static bool owns_some(const belay_ctx *ctx)
{
	return atomic_load_explicit(&ctx->owned, memory_order_relaxed);
}

static void free_owned(belay_ctx *ctx)
{
	if (owns_some(ctx))
		belay__owned_free(ctx);
}

static void destroy_plain(belay_ctx *ctx, belay_ctx **dead)
{
	belay_ctx *parent = ctx->parent;

	free_owned(ctx);
	fini_kind(ctx);
	belay__slab_free(&slabs[slab_of_kind[ctx->kind]], ctx);
	give_up(parent, dead);
}

/* The node below which a merge is listed a second time; NULL: none. */
static struct node *second_node(const struct merge *merge)
{
	struct node *other = nearest_node(merge->second);

	return other == nearest_node(merge->node.ctx.parent) ? NULL : other;
}

static void leave_second(struct merge *merge, belay_ctx **dead)
{
	struct node *other = second_node(merge);

	if (other && belay__place_fini(&merge->place, other))
		give_up(&other->ctx, dead);
	give_up(merge->second, dead);
}

/* Its places last: they are what keeps the parents, and with them what the last calls may use. */
static void destroy_node(belay_ctx *ctx, belay_ctx **dead)
{
	belay_ctx *counted = counts_parent(ctx->kind, ctx->parent) ? ctx->parent : NULL;
	struct node *above = nearest_node(ctx->parent);

	if (ctx->kind == KIND_DEADLINE)
		belay__deadline_disarm(belay__container(ctx, struct deadline, node.ctx));
	free_owned(ctx);
	fini_kind(ctx);
	if (ctx->kind == KIND_MERGE)
		leave_second(belay__container(ctx, struct merge, node.ctx), dead);
	if (above && !belay__place_fini(&node_of(ctx)->place, above))
		above = NULL;
	belay__slab_free(&slabs[slab_of_kind[ctx->kind]], ctx);
	give_up(counted, dead);
	give_up(above ? &above->ctx : NULL, dead);
}

static void destroy(belay_ctx *ctx, belay_ctx **dead)
{
	BELAY__PROBE_CTX_FREE(ctx);
	if (is_node(ctx))
		destroy_node(ctx, dead);
	else
		destroy_plain(ctx, dead);
}

static bool has_calls(const belay_ctx *ctx)
{
	return owns_some(ctx) && belay__owned_has_calls(ctx);
}

/* Something in its destruction may. */
static bool may_block(const belay_ctx *ctx)
{
	if (owns_some(ctx) && belay__owned_find(ctx, OWNED_LAST_CALL))
		return true;
	return ctx->kind == KIND_VALUE && value_of(ctx)->key->destroy;
}

/* An end that found it dying has told no hook. Either that came before under the lock, and is seen
 * here; or it finds the reference that there is now. */
static void tell_hooks(struct node *node)
{
	bool untold;

	belay__lock_take(&node->done.gate.lock, BELAY__RANK_NODE);
	untold = node_err(node) != 0 && node->hooks;
	belay__lock_give(&node->done.gate.lock, BELAY__RANK_NODE);
	if (untold)
		belay__hooks_run(node);
}

/* Release pairs with the acquire in belay__try_ref(): whoever may find it, finds it whole. Which
 * line made it is not known any more: the link of the dead has stood there. */
static void run_calls(belay_ctx *ctx, belay_ctx **dead)
{
	ctx->site = NULL;
	atomic_store_explicit(&ctx->refs, 1, memory_order_release);
	if (is_node(ctx))
		tell_hooks(node_of(ctx));
	belay__owned_run_calls(ctx);
	give_up(ctx, dead);
}

void belay__ctx_destroy_all(belay_ctx *dead)
{
	belay_ctx *ctx;

	while ((ctx = dead)) {
		bool calls = has_calls(ctx);

		dead = ctx->next_dead;
		if ((calls || may_block(ctx)) && belay__on_clock_thread())
			belay__reap(ctx);
		else if (calls)
			run_calls(ctx, &dead);
		else
			destroy(ctx, &dead);
	}
}

void belay_unref(belay_ctx *ctx)
{
	belay_ctx *dead = NULL;

	give_up(ctx, &dead);
	belay__ctx_destroy_all(dead);
}

/* Of hooks only those that keep no reference can be there, and they live in memory that ctx
 * owns. */
bool belay__ctx_is_private(const belay_ctx *ctx)
{
	return ctx->kind >= KIND_CANCEL &&
	       atomic_load_explicit(&ctx->refs, memory_order_acquire) == 1 &&
	       !had_children(node_of(ctx)) &&
	       !atomic_load_explicit(&ctx->owned, memory_order_relaxed);
}

/* ---- All of them ----------------------------------------------------------------------------- */

void belay__ctx_visit(void (*visit)(void *arg, void *slot), void *arg)
{
	for (size_t i = 0; i < sizeof slabs / sizeof *slabs; i++)
		belay__slab_visit(&slabs[i], visit, arg);
}

size_t belay__ctx_most(void)
{
	size_t most = 0;

	for (size_t i = 0; i < sizeof slabs / sizeof *slabs; i++)
		most += belay__slab_total(&slabs[i]);
	return most;
}

void belay__ctx_trim(void)
{
	for (size_t i = 0; i < sizeof slabs / sizeof *slabs; i++)
		belay__slab_trim(&slabs[i]);
}

/* ---- The report at exit ---------------------------------------------------------------------- */

/* Here and not beside the printing, since every program that makes a context links this file. */
__attribute__((constructor)) static void register_report(void)
{
	belay__report("leaks", belay__view_report, BELAY__NO_LEAKS);
}
