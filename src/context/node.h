/* SPDX-License-Identifier: MIT
 *
 * node.h - what a context is made of. For the files of this room only.
 *
 * Every context starts with struct belay_ctx, immutable once made but for its references and what
 * it owns. One that can end is a struct node; the others point to the nearest node above them, so
 * that whether any context is done is one load away, at any depth.
 */
#ifndef BELAY_SRC_CONTEXT_NODE_H
#define BELAY_SRC_CONTEXT_NODE_H

#include "base/list.h"
#include "context/branch.h"
#include "context/context.h"
#include "wait/timer.h"
#include "wait/wait.h"

#include <stdatomic.h>

enum kind {
	KIND_BACKGROUND,
	KIND_TODO,
	KIND_WITHOUT_CANCEL,
	KIND_VALUE,
	KIND_ERROR, /* from here on: nodes. The static ones that stand for a failed derivation */
	KIND_CANCEL,
	KIND_DEADLINE,
	KIND_MERGE,
};

struct belay_ctx {
	_Atomic uint32_t refs;         /* first: the slab's promise. 0: free, or dying            */
	uint8_t kind;
	bool is_static;                /* references are not counted                              */
	belay_ctx *parent;             /* NULL for a root. Referenced: counted, or, of a node by a
					  node, by its place                                     */
	struct node *node;             /* the nearest at or above; NULL: can never be done        */
	const belay_ctx *values;       /* the nearest value (or merge of values) at or above      */
	const struct belay_site *site; /* the line that made it; NULL: unknown                    */
	_Atomic(struct owned *) owned; /* what goes with it, last in first; memory.c              */
	union {
		int64_t born;          /* on the coarse monotonic clock                           */
		belay_ctx *next_dead;  /* once refs is 0                                          */
	};
};

struct node {
	belay_ctx ctx;
	struct belay_chan done;             /* done.closed is the error; done.lock is the node's  */
	/* Written before the error, by the one who ends it; read by those who have seen the
	 * error. */
	struct node *origin;                /* where the end began: itself or an ancestor         */
	const struct belay_site *end_site;  /* the rest only where it is its own origin           */
	char *message;                      /* its own; NULL: the default                         */
	int code;
	/* Immutable. */
	int64_t deadline;                   /* the earliest from here up; BELAY_FOREVER: none     */
	struct place place;                 /* below the nearest node above                       */
	/* Children: branch.c. */
	struct branch own;
	_Atomic(struct branches *) more;    /* set once; NULL: own is enough                      */
	_Atomic bool is_parent;             /* has, or had, children; set under done.lock         */
	/* Guarded by done.lock. */
	struct belay__list hooks;           /* struct belay_hook                                  */
	struct done_fd *done_fd;
};

struct deadline {
	struct node node;
	struct belay__timer timer;
	char *message; /* of the cause it will have; NULL: the default */
	int code;
};

struct merge {
	struct node node;
	belay_ctx *second;   /* referenced */
	struct place place;  /* below second's node */
};

struct value {
	belay_ctx ctx;
	const belay_key *key;
	void *value;
	size_t depth; /* how many values from here up to the end of the chain */
	_Atomic(struct value_index *) index; /* of all from here up; NULL: none yet. index.c */
};

static inline bool is_node(const belay_ctx *ctx)
{
	return ctx->kind >= KIND_ERROR;
}

static inline struct node *node_of(const belay_ctx *ctx)
{
	return belay__container(ctx, struct node, ctx);
}

/* Acquire pairs with the release in mark(): who sees the error may read the cause. */
static inline int node_err(const struct node *node)
{
	return atomic_load_explicit(&node->done.closed, memory_order_acquire);
}

/* ---- tree.c: making and freeing -------------------------------------------------------------- */

/* Memory for a context of kind, its common part filled in; not visible to anybody before
 * belay__ctx_publish(). Of a node below a node the reference to parent is still to come, with its
 * place: belay__node_join(). All others have it. NULL: out of memory. */
belay_ctx *belay__ctx_new(enum kind kind, belay_ctx *parent, const struct belay_site *site);
belay_ctx *belay__ctx_publish(belay_ctx *ctx);
void belay__node_init(struct node *node, int64_t deadline);

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

/* Ends node and all below it. message becomes the node's where it returns true. */
bool belay__node_end(struct node *node, int err, int code, const struct belay_site *site,
		     char *message);

/* Frees a node's message, which may be a static one. */
void belay__message_free(char *message);

/* ---- hook.c, memory.c, done.c, deadline.c ---------------------------------------------------- */

void belay__hooks_run(struct node *node);
/* A hook that keeps no reference; for those that live in the context itself. */
bool belay__hook_add_weak(struct node *node, struct belay_hook *hook,
			  void (*fn)(struct belay_hook *hook));
void belay__hook_remove_weak(struct node *node, struct belay_hook *hook);
void belay__owned_run(belay_ctx *ctx);
void belay__done_fd_close(struct node *node);
void belay__deadline_fini(struct deadline *deadline);

/* ---- index.c: long chains of values ---------------------------------------------------------- */

/* The nearest value for key from start up to the end of its chain of values, which a merge ends
 * too: *ret_rest is that merge, or NULL. */
const struct value *belay__values_find(const struct value *start, const belay_key *key,
				       const belay_ctx **ret_rest);
size_t belay__values_depth(const belay_ctx *at);
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
