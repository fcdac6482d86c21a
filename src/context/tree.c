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
 *             through next_dead.
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

static belay_ctx background = {.refs = 1, .kind = KIND_BACKGROUND, .is_static = true};
static belay_ctx todo = {.refs = 1, .kind = KIND_TODO, .is_static = true};

#define FAILED(name, error)                                                                        \
	static struct node name = {                                                                \
		.ctx = {.refs = 1, .kind = KIND_ERROR, .is_static = true, .node = &name},          \
		.done = {.closed = (error),                                                        \
			 .kind = BELAY__GATE_DONE,                                                 \
			 .receivers = {&name.done.receivers, &name.done.receivers}},               \
		.origin = &name,                                                                   \
		.code = (error),                                                                   \
		.deadline = BELAY_FOREVER,                                                         \
		.hooks = {&name.hooks, &name.hooks},                                               \
	}

FAILED(out_of_memory, -ENOMEM);
FAILED(invalid, -EINVAL);

belay_ctx *belay_background(void)
{
	return &background;
}

belay_ctx *belay_todo(void)
{
	return &todo;
}

belay_ctx *belay__failed_ctx(int err)
{
	return err == -EINVAL ? &invalid.ctx : &out_of_memory.ctx;
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* A few milliseconds too coarse for anything but a person's eye, and ten times cheaper. */
static int64_t coarse_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
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
	ctx->is_static = false;
	ctx->parent = counts_parent(kind, parent) ? belay_ref(parent) : parent;
	ctx->node = parent->node;
	ctx->values = parent->values;
	ctx->site = site;
	ctx->born = coarse_now();
	atomic_store_explicit(&ctx->owned, NULL, memory_order_relaxed);
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
	node->ctx.node = node;
	node->done.kind = BELAY__GATE_DONE;
	atomic_store_explicit(&node->done.lock.word, 0, memory_order_relaxed);
	atomic_store_explicit(&node->done.closed, 0, memory_order_relaxed);
	belay__list_init(&node->done.receivers);
	node->origin = NULL;
	node->end_site = NULL;
	node->message = NULL;
	node->code = 0;
	node->deadline = deadline;
	node->place = (struct place){.node = node};
	belay__branch_init(&node->own);
	atomic_store_explicit(&node->more, NULL, memory_order_relaxed);
	atomic_store_explicit(&node->is_parent, false, memory_order_relaxed);
	belay__list_init(&node->hooks);
	node->done_fd = NULL;
}

belay_ctx *belay_with_cancel_at(belay_ctx *parent, const struct belay_site *site)
{
	belay_ctx *ctx;

	if (!parent)
		return belay__failed_ctx(-EINVAL);
	ctx = belay__ctx_new(KIND_CANCEL, parent, site);
	if (!ctx)
		return belay__failed_ctx(-ENOMEM);
	belay__node_init(node_of(ctx), parent->node ? parent->node->deadline : BELAY_FOREVER);
	belay__ctx_publish(ctx);
	belay__node_join(node_of(ctx), &node_of(ctx)->place, parent->node);
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
	ctx->node = NULL;
	return belay__ctx_publish(ctx);
}

belay_ctx *(belay_without_cancel)(belay_ctx *parent)
{
	return belay_without_cancel_at(parent, NULL);
}

/* ---- References ------------------------------------------------------------------------------ */

belay_ctx *belay_ref(belay_ctx *ctx)
{
	if (ctx && !ctx->is_static)
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

/* Gives up one reference; a context that this kills goes to the front of dead. The last user's own
 * is given up only when the lists that are not empty have theirs. */
static void give_up(belay_ctx *ctx, belay_ctx **dead)
{
	uint32_t refs;

	if (!ctx || ctx->is_static)
		return;
	/* Acquire pairs with the releases of the others, who may have left children behind. */
	refs = atomic_load_explicit(&ctx->refs, memory_order_acquire);
	while (refs > 1)
		if (atomic_compare_exchange_weak_explicit(&ctx->refs, &refs, refs - 1,
							  memory_order_release,
							  memory_order_acquire))
			return;
	if (is_node(ctx))
		belay__branches_orphan(node_of(ctx));
	/* Acquire as above; release pairs with the acquire of who is the last after all. */
	if (atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1)
		return;
	ctx->next_dead = *dead;
	*dead = ctx;
}

/* The node below which ctx is listed a second time: a merge's; NULL: none. */
static struct node *second_node(const belay_ctx *ctx)
{
	const struct merge *merge = belay__container(ctx, struct merge, node.ctx);

	return ctx->kind == KIND_MERGE && merge->second->node != ctx->parent->node
		       ? merge->second->node
		       : NULL;
}

/* What a kind has besides, once nobody can find the context any more. */
static void fini_kind(belay_ctx *ctx)
{
	if (is_node(ctx)) {
		belay__branches_free(node_of(ctx));
		belay__message_free(node_of(ctx)->message);
	}
	if (ctx->kind == KIND_DEADLINE)
		belay__deadline_fini(belay__container(ctx, struct deadline, node.ctx));
	if (ctx->kind == KIND_VALUE)
		belay__value_fini(belay__container(ctx, struct value, ctx));
}

static void destroy_plain(belay_ctx *ctx, belay_ctx **dead)
{
	belay_ctx *parent = ctx->parent;

	belay__owned_run(ctx);
	fini_kind(ctx);
	belay__slab_free(&slabs[slab_of_kind[ctx->kind]], ctx);
	give_up(parent, dead);
}

/* Its places last, since they are what keeps the parents, and with them what deferred calls may
 * use. */
static void destroy_node(belay_ctx *ctx, belay_ctx **dead)
{
	struct merge *merge = belay__container(ctx, struct merge, node.ctx);
	belay_ctx *parent = counts_parent(ctx->kind, ctx->parent) ? ctx->parent : NULL;
	belay_ctx *second = ctx->kind == KIND_MERGE ? merge->second : NULL;
	struct node *above = ctx->parent->node, *other = second_node(ctx);

	if (ctx->kind == KIND_DEADLINE)
		belay__timer_disarm(&belay__container(ctx, struct deadline, node.ctx)->timer);
	belay__done_fd_close(node_of(ctx));
	belay__owned_run(ctx);
	fini_kind(ctx);
	if (above && !belay__place_fini(&node_of(ctx)->place))
		above = NULL;
	if (other && !belay__place_fini(&merge->place))
		other = NULL;
	belay__slab_free(&slabs[slab_of_kind[ctx->kind]], ctx);
	give_up(parent, dead);
	give_up(second, dead);
	give_up(above ? &above->ctx : NULL, dead);
	give_up(other ? &other->ctx : NULL, dead);
}

static void destroy(belay_ctx *ctx, belay_ctx **dead)
{
	BELAY__PROBE_CTX_FREE(ctx);
	if (is_node(ctx))
		destroy_node(ctx, dead);
	else
		destroy_plain(ctx, dead);
}

static bool runs_foreign_code(const belay_ctx *ctx)
{
	if (atomic_load_explicit(&ctx->owned, memory_order_relaxed))
		return true;
	return ctx->kind == KIND_VALUE &&
	       belay__container(ctx, struct value, ctx)->key->destroy;
}

void belay__ctx_destroy_all(belay_ctx *dead)
{
	belay_ctx *ctx;

	while ((ctx = dead)) {
		dead = ctx->next_dead;
		if (!belay__on_clock_thread() || !runs_foreign_code(ctx) || !belay__reap(ctx))
			destroy(ctx, &dead);
	}
}

void belay_unref(belay_ctx *ctx)
{
	belay_ctx *dead = NULL;

	give_up(ctx, &dead);
	belay__ctx_destroy_all(dead);
}

/* Of hooks only those that keep no reference can be there: the descriptor's, or one in memory that
 * ctx owns. Neither is looked for in the list, which an ancestor's end may be emptying. */
bool belay__ctx_is_private(const belay_ctx *ctx)
{
	const struct node *node = node_of(ctx);

	return is_node(ctx) && !ctx->is_static &&
	       atomic_load_explicit(&ctx->refs, memory_order_acquire) == 1 &&
	       !atomic_load_explicit(&node->is_parent, memory_order_relaxed) && !node->done_fd &&
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
	belay__report_leaks(belay__view_report);
}
