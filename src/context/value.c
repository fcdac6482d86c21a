/* SPDX-License-Identifier: MIT
 *
 * value.c - values, and the merge of two contexts, whose values are those of both.
 *
 * Every context points to the nearest value above it (or merge of two that have values), so that a
 * look-up visits values only; and one that had to go far leaves an index behind (index.c).
 */
#include "context/node.h"

#include <errno.h>

/* ---- Values ---------------------------------------------------------------------------------- */

static belay_ctx *refuse_value(const belay_key *key, void *value, int err)
{
	if (key && key->destroy)
		key->destroy(value);
	return belay__failed_ctx(err);
}

belay_ctx *belay_with_value_at(belay_ctx *parent, const belay_key *key, void *value,
			       const struct belay_site *site)
{
	struct value *made;
	belay_ctx *ctx;

	if (!parent || !key)
		return refuse_value(key, value, -EINVAL);
	ctx = belay__ctx_new(KIND_VALUE, parent, site);
	if (!ctx)
		return refuse_value(key, value, -ENOMEM);
	made = value_of(ctx);
	made->key = key;
	made->value = value;
	ctx->depth = belay__values_depth(parent->values) + 1;
	atomic_store_explicit(&made->index, NULL, memory_order_relaxed);
	ctx->values = ctx;
	return belay__ctx_publish(ctx);
}

void belay__value_fini(struct value *value)
{
	struct value_index *index = atomic_load_explicit(&value->index, memory_order_relaxed);

	if (index)
		belay__value_index_free(index);
	if (value->key->destroy)
		value->key->destroy(value->value);
}

belay_ctx *(belay_with_value)(belay_ctx *parent, const belay_key *key, void *value)
{
	return belay_with_value_at(parent, key, value, NULL);
}

/* Costs a stack frame for each merge of two contexts with values. */
static const struct value *find(const belay_ctx *at, const belay_key *key)
{
	while (at) {
		const struct value *found;

		if (at->kind == KIND_MERGE) {
			found = find(at->parent->values, key);
			at = belay__container(at, struct merge, node.ctx)->second->values;
		} else {
			found = belay__values_find(value_of(at), key, &at);
		}
		if (found)
			return found;
	}
	return NULL;
}

void *belay_value(const belay_ctx *ctx, const belay_key *key)
{
	const struct value *found = ctx && key ? find(ctx->values, key) : NULL;

	return found ? found->value : NULL;
}

/* ---- Merge ----------------------------------------------------------------------------------- */

static int64_t earlier_deadline(const struct node *first, const struct node *second)
{
	int64_t a = first ? first->deadline : BELAY_FOREVER;
	int64_t b = second ? second->deadline : BELAY_FOREVER;

	return a < b ? a : b;
}

/* Under the lock, so that either this sees the end, or the end sees all that stands in lists. */
static bool ended_meanwhile(struct node *node)
{
	bool ended;

	belay__lock_take(&node->done.gate.lock, BELAY__RANK_NODE);
	ended = node_err(node) != 0;
	belay__lock_give(&node->done.gate.lock, BELAY__RANK_NODE);
	return ended;
}

belay_ctx *belay_with_merge_at(belay_ctx *first, belay_ctx *second, const struct belay_site *site)
{
	struct node *above, *other;
	struct merge *merge;
	belay_ctx *ctx;

	if (!first || !second)
		return belay__failed_ctx(-EINVAL);
	ctx = belay__ctx_new(KIND_MERGE, first, site);
	if (!ctx)
		return belay__failed_ctx(-ENOMEM);
	merge = belay__container(ctx, struct merge, node.ctx);
	above = nearest_node(first);
	other = nearest_node(second);
	belay__node_init(&merge->node, earlier_deadline(above, other));
	merge->second = belay_ref(second);
	belay__place_init(&merge->place, true);
	if (!first->values)
		ctx->values = second->values;
	else if (second->values && second->values != first->values)
		ctx->values = ctx;
	belay__ctx_publish(ctx);
	belay__node_join(&merge->node, &merge->node.place, above);
	if (other != above)
		belay__node_join(&merge->node, &merge->place, other);
	if (other && ended_meanwhile(&merge->node))
		belay__node_leave(&merge->node); /* the other parent's list */
	return ctx;
}

belay_ctx *(belay_with_merge)(belay_ctx *first, belay_ctx *second)
{
	return belay_with_merge_at(first, second, NULL);
}
