/* SPDX-License-Identifier: MIT
 *
 * node.h - what a context is made of. For the files of this room only.
 *
 * Every context starts with struct belay_ctx, immutable once made but for its references and what
 * it owns. One that can end is a struct node; the others point to the nearest node above them, so
 * that whether any context is done is a load or two away, at any depth.
 *
 * A server has one or more of these for each request, so bytes count: a node has 120, a deadline
 * 176. What few contexts have (a message, a descriptor) is among what they own.
 */
#ifndef BELAY_SRC_CONTEXT_NODE_H
#define BELAY_SRC_CONTEXT_NODE_H

#include "base/list.h"
#include "context/branch.h"
#include "context/context.h"
#include "wait/gate.h"
#include "wait/timer.h"

#include <stdarg.h>
#include <stdatomic.h>

enum kind {
	KIND_WITHOUT_CANCEL,
	KIND_VALUE,
	KIND_BACKGROUND, /* from here on: static, references are not counted */
	KIND_TODO,
	KIND_ERROR,      /* from here on: nodes. The ones that stand for a failed derivation */
	KIND_CANCEL,     /* from here on: counted again */
	KIND_DEADLINE,
	KIND_MERGE,
};

/* How a node ended. */
enum ended {
	ENDED_ABOVE,   /* with an ancestor, which knows why */
	ENDED_HERE,
	ENDED_UNTOLD,  /* here, and memory ran out for the message */
};

struct belay_ctx {
	_Atomic uint32_t refs;         /* first: the slab's promise. 0: free, or dying            */
	uint8_t kind;
	uint8_t ended;                 /* a node's; written before its error                      */
	bool orphan;                   /* a node's, of its own branch: branch.c                   */
	belay_ctx *parent;             /* NULL for a root. Referenced: counted, or, of a node by a
					  node, by its place                                     */
	const belay_ctx *values;       /* the nearest value (or merge of values) at or above      */
	union {
		const struct belay_site *site; /* the line that made it; NULL: unknown            */
		belay_ctx *next_dead;          /* once refs is 0                                  */
	};
	_Atomic(struct owned *) owned; /* what goes with it, last in first; memory.c              */
	uint32_t born;                 /* belay__ctx_age()                                        */
	union {
		int code;              /* a node's that ended here                                */
		uint32_t depth;        /* a value's: how many there are from here up         */
	};
};

/* One that has no end of its own. */
struct plain {
	belay_ctx ctx;
	struct node *above;            /* the nearest node; NULL: it can never be done            */
};

struct value {
	struct plain plain;
	const belay_key *key;
	void *value;
	_Atomic(struct value_index *) index; /* of all from here up; NULL: none yet. index.c      */
};

struct node {
	belay_ctx ctx;
	struct belay__done done;       /* done.gate.closed is the error, done.gate.lock the
					  node's lock                                            */
	union {                        /* written before the error, by the one who ends it        */
		struct node *origin;               /* ENDED_ABOVE: who ended of itself            */
		const struct belay_site *end_site; /* else: the line that ended it; NULL: unknown */
	};
	int64_t deadline;              /* the earliest from here up; BELAY_FOREVER: none          */
	struct place place;            /* below the nearest node above                            */
	_Atomic uintptr_t children;    /* branch.c; 0: none                                       */
	struct belay__list *hooks;     /* a ring of struct belay_hook; guarded by the lock        */
};

struct deadline {
	struct node node;
	struct belay__timer timer;
	struct owned *message; /* of the cause it will have; NULL: the default */
	int code;
	_Atomic bool disarmed; /* for good; set by whoever took the timer off */
};

struct merge {
	struct node node;
	belay_ctx *second;     /* referenced */
	struct place place;    /* below second's node */
};

static inline bool is_node(const belay_ctx *ctx)
{
	return ctx->kind >= KIND_ERROR;
}

static inline bool is_static(const belay_ctx *ctx)
{
	return ctx->kind >= KIND_BACKGROUND && ctx->kind <= KIND_ERROR;
}

static inline struct node *node_of(const belay_ctx *ctx)
{
	return belay__container(ctx, struct node, ctx);
}

static inline struct value *value_of(const belay_ctx *ctx)
{
	return belay__container(ctx, struct value, plain.ctx);
}

/* The nearest node at or above ctx; NULL: it can never be done. */
static inline struct node *nearest_node(const belay_ctx *ctx)
{
	return is_node(ctx) ? node_of(ctx) : belay__container(ctx, struct plain, ctx)->above;
}

/* Acquire pairs with the release in mark(): who sees the error may read the cause. */
static inline int node_err(const struct node *node)
{
	return atomic_load_explicit(&node->done.gate.closed, memory_order_acquire);
}

/* False: none are listed, and of a node that is done or has no users none will be. True: some may
 * be, and with the node's lock held that is exact where it has one branch. Acquire: who sees that
 * they have left sees what was done to them. */
static inline bool has_children(const struct node *node)
{
	uintptr_t children = atomic_load_explicit(&node->children, memory_order_acquire);

	return children != 0 && children != BRANCH_EMPTIED;
}

/* True: some are listed, and the node has but one branch, whose lock is its own, which is held.
 * Does not look at branches, so the node may be dying. */
static inline bool has_own_children(const struct node *node)
{
	uintptr_t children = atomic_load_explicit(&node->children, memory_order_relaxed);

	return children != 0 && !(children & (BRANCHES_MANY | BRANCH_EMPTIED));
}

/* Of a node that is done: where its end began. */
static inline struct node *origin_of(struct node *node)
{
	return node->ctx.ended == ENDED_ABOVE ? node->origin : node;
}

/* ---- tree.c: making and freeing -------------------------------------------------------------- */

/* Memory for a context of kind, its common part filled in; not visible to anybody before
 * belay__ctx_publish(). Of a node below a node the reference to parent is still to come, with its
 * place: belay__node_join(). All others have it. NULL: out of memory. */
belay_ctx *belay__ctx_new(enum kind kind, belay_ctx *parent, const struct belay_site *site);
belay_ctx *belay__ctx_publish(belay_ctx *ctx);
void belay__node_init(struct node *node, int64_t deadline);

/* How long ago it was made, in nanoseconds, give or take 17 ms: for people's eyes. */
int64_t belay__ctx_age(const belay_ctx *ctx);

/* Destroys the contexts linked from dead through next_dead, and what that kills. */
void belay__ctx_destroy_all(belay_ctx *dead);

/* True where the caller's is the only reference and there is nothing that an end of ctx would tell:
 * no children ever, no hooks, no deferred calls. Acquire pairs with those who gave up theirs. */
bool belay__ctx_is_private(const belay_ctx *ctx);

/* ---- end.c: how an end travels --------------------------------------------------------------- */

/* Hangs node below parent, or, where parent is done, ends it in the same way. NULL: nothing to
 * do. */
void belay__node_join(struct node *node, struct place *place, struct node *parent);

/* Takes node, which is done and has nothing below it, off its parents' lists. */
void belay__node_leave(struct node *node);

/* ---- cause.c: what is said of an end --------------------------------------------------------- */

struct owned *belay__message_new(const char *fmt, va_list args); /* NULL: out of memory */
/* Of a node that ended of itself; never NULL. */
const char *belay__cause_message(const struct node *origin);

/* Why and where. message, which may be NULL, is from belay__message_new(). */
struct ending {
	int err, code;
	bool untold; /* there should be a message, but memory ran out */
	struct owned *message;
	const struct belay_site *site;
};

/* Ends node and all below it. The message becomes the node's where it returns true. */
bool belay__node_end(struct node *node, const struct ending *ending);

/* ---- memory.c: what a context owns ----------------------------------------------------------- */

enum owned_kind {
	OWNED_MEMORY,
	OWNED_CALL,       /* the user's */
	OWNED_LAST_CALL,  /* a room's: context.h */
	OWNED_MESSAGE,    /* of its cause */
	OWNED_DESCRIPTOR, /* done.c */
};

/* size bytes of a kind, not owned by any context yet, zeroed. fn, which may be NULL, is called with
 * the bytes before they are freed. NULL: out of memory. belay__free() frees what was not pushed. */
struct owned *belay__owned_new(enum owned_kind kind, size_t size, void (*fn)(void *bytes));
void *belay__owned_bytes(struct owned *owned);
void belay__owned_push(belay_ctx *ctx, struct owned *owned);
/* The last of a kind; NULL: none. */
struct owned *belay__owned_find(const belay_ctx *ctx, enum owned_kind kind);
/* Calls of the user's that have not run; who asks, or runs them, has the only reference, or got it
 * last. They run last in first out, and then those that were deferred meanwhile. */
bool belay__owned_has_calls(const belay_ctx *ctx);
void belay__owned_run_calls(belay_ctx *ctx);
/* All of it, once they have run and the last reference has gone. */
void belay__owned_free(belay_ctx *ctx);

/* ---- hook.c, deadline.c ---------------------------------------------------------------------- */

void belay__hooks_run(struct node *node);
/* A hook that keeps no reference; for those that live in the context itself. */
bool belay__hook_add_weak(struct node *node, struct belay_hook *hook,
			  void (*fn)(struct belay_hook *hook));
void belay__hook_remove_weak(struct node *node, struct belay_hook *hook);
/* The clock will not end it, or is about to. */
void belay__deadline_disarm(struct deadline *deadline);
void belay__deadline_fini(struct deadline *deadline);

/* ---- index.c: long chains of values ---------------------------------------------------------- */

/* The nearest value for key from start up to the end of its chain of values, which a merge ends
 * too: *ret_rest is that merge, or NULL. */
const struct value *belay__values_find(const struct value *start, const belay_key *key,
				       const belay_ctx **ret_rest);
uint32_t belay__values_depth(const belay_ctx *at);
void belay__value_index_free(struct value_index *index);
void belay__value_fini(struct value *value); /* value.c */

/* ---- For describe.c and view.c --------------------------------------------------------------- */

const char *belay__kind_name(const belay_ctx *ctx);
const char *belay__value_name(const belay_ctx *ctx);
/* Lets a value print itself into buf, which holds 256 bytes; how many it wrote. 0: it can't. */
size_t belay__value_format(const belay_ctx *ctx, char *buf);
/* Calls visit(arg, slot) for every slot, free or not, under the slab's lock: visit may do no more
 * than belay__try_ref() it. And an upper bound of how many can be alive. */
void belay__ctx_visit(void (*visit)(void *arg, void *slot), void *arg);
size_t belay__ctx_most(void);

#endif
