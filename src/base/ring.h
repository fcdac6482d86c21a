/* SPDX-License-Identifier: MIT
 *
 * ring.h - a list (list.h) whose head is one pointer: to the first node, or NULL.
 *
 * For where heads are many and mostly empty. Nodes are those of a list; to take one off its ring
 * must be known.
 */
#ifndef BELAY_SRC_BASE_RING_H
#define BELAY_SRC_BASE_RING_H

#include "base/list.h"

static inline void belay__ring_append(struct belay__list **ring, struct belay__list *node)
{
	if (*ring) {
		belay__list_append(*ring, node);
	} else {
		belay__list_init(node);
		*ring = node;
	}
}

static inline void belay__ring_remove(struct belay__list **ring, struct belay__list *node)
{
	if (*ring == node)
		*ring = node->next == node ? NULL : node->next;
	belay__list_remove(node);
}

/* The first node, taken off; NULL where the ring is empty. */
static inline struct belay__list *belay__ring_pop(struct belay__list **ring)
{
	struct belay__list *first = *ring;

	if (first)
		belay__ring_remove(ring, first);
	return first;
}

#endif
