/* SPDX-License-Identifier: MIT
 *
 * list.h - an intrusive, circular, doubly linked list.
 *
 * The head is a node too. A node whose next is NULL stands in no list: remove makes it so, and
 * whoever may not know asks belay__list_linked() under the lock that guards the list.
 */
#ifndef BELAY_SRC_BASE_LIST_H
#define BELAY_SRC_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define belay__container(ptr, type, member)                                                        \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct belay__list {
	struct belay__list *next, *prev;
};

static inline void belay__list_init(struct belay__list *head)
{
	head->next = head->prev = head;
}

static inline bool belay__list_empty(const struct belay__list *head)
{
	return head->next == head;
}

static inline bool belay__list_linked(const struct belay__list *node)
{
	return node->next != NULL;
}

static inline void belay__list_append(struct belay__list *head, struct belay__list *node)
{
	node->next = head;
	node->prev = head->prev;
	head->prev->next = node;
	head->prev = node;
}

static inline void belay__list_remove(struct belay__list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = NULL;
}

/* The first node, taken off; NULL where the list is empty. */
static inline struct belay__list *belay__list_pop(struct belay__list *head)
{
	struct belay__list *first = head->next;

	if (first == head)
		return NULL;
	belay__list_remove(first);
	return first;
}

/* Moves all nodes of from to the end of to. */
static inline void belay__list_splice(struct belay__list *to, struct belay__list *from)
{
	if (belay__list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	belay__list_init(from);
}

#endif
