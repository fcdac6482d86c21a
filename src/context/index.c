/* SPDX-License-Identifier: MIT
 *
 * index.c - chains of values: short ones are walked, long ones get an index.
 *
 * A chain never changes above a value, so what a look-up has learned there stays true. One that has
 * gone FAR steps and at least an eighth of the chain puts a hash table of everything above into the
 * value it began at, nearest first, so that the next look-up from there, also a vain one, is a
 * probe. So making a table costs a small multiple of the walk that called for it, and all tables of
 * a chain together take memory in proportion to its length, wherever it is looked at. Programs
 * whose chains are short never make one. Where memory runs out there is no index, nothing else.
 *
 * Memory      index is set once, by a compare-and-swap with release; look-ups acquire it. It is
 *             freed with its value.
 */
#include "base/alloc.h"
#include "context/node.h"

enum { FAR = 16, PART = 8 };

struct value_index {
	const belay_ctx *rest; /* the merge that ends the chain, or NULL */
	size_t mask;
	const struct value *slots[];
};

/* Where the chain goes on; NULL: it ends, and *ret_rest is what comes then. */
static const struct value *above(const struct value *value, const belay_ctx **ret_rest)
{
	const belay_ctx *next = value->plain.ctx.parent->values;

	if (next && next->kind == KIND_VALUE)
		return value_of(next);
	*ret_rest = next;
	return NULL;
}

/* ---- The table ------------------------------------------------------------------------------- */

/* Keys are addresses: the high bits of a product with 2^64 over the golden ratio spread them
 * (Knuth, The Art of Computer Programming 3, section 6.4). */
static size_t hash(const belay_key *key)
{
	return (size_t)(((uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

/* The slot that has key, or where it would go. The table is never full. */
static const struct value **slot_for(struct value_index *index, const belay_key *key)
{
	size_t at = hash(key) & index->mask;

	while (index->slots[at] && index->slots[at]->key != key)
		at = (at + 1) & index->mask;
	return &index->slots[at];
}

static struct value_index *index_new(const struct value *start)
{
	size_t size = 2 * FAR;
	struct value_index *index;

	while (size < 2 * (size_t)start->plain.ctx.depth)
		size *= 2;
	index = belay__calloc(1, sizeof *index + size * sizeof index->slots[0]);
	if (!index)
		return NULL;
	index->mask = size - 1;
	for (const struct value *value = start; value; value = above(value, &index->rest)) {
		const struct value **slot = slot_for(index, value->key);

		if (!*slot)
			*slot = value;
	}
	return index;
}

void belay__value_index_free(struct value_index *index)
{
	belay__free(index);
}

/* Of two that make one at once the first wins. */
static void leave_index(const struct value *start)
{
	struct value *owner = (struct value *)start;
	struct value_index *index = index_new(start), *none = NULL;

	if (index && !atomic_compare_exchange_strong_explicit(&owner->index, &none, index,
							      memory_order_release,
							      memory_order_relaxed))
		belay__value_index_free(index);
}

/* ---- The look-up ----------------------------------------------------------------------------- */

uint32_t belay__values_depth(const belay_ctx *at)
{
	return at && at->kind == KIND_VALUE ? at->depth : 0;
}

const struct value *belay__values_find(const struct value *start, const belay_key *key,
				       const belay_ctx **ret_rest)
{
	const struct value *value = start;
	struct value_index *index = NULL;
	size_t steps = 0;

	for (; value && value->key != key; steps++) {
		index = atomic_load_explicit(&value->index, memory_order_acquire);
		if (index)
			break;
		value = above(value, ret_rest);
	}
	if (steps >= FAR && steps >= start->plain.ctx.depth / PART)
		leave_index(start);
	if (!index)
		return value;
	*ret_rest = index->rest;
	return *slot_for(index, key);
}
