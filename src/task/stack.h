/* SPDX-License-Identifier: MIT
 *
 * stack.h - the stacks of tasks: where they are, and what is below them.
 */
#ifndef BELAY_SRC_TASK_STACK_H
#define BELAY_SRC_TASK_STACK_H

#include <stdbool.h>
#include <stddef.h>

enum {
	BELAY__STACK_SIZE = 256 << 10, /* of addresses, the guard among them */
	BELAY__STACKS = 64,            /* in one mapping */
};

/* The bytes [low, low + belay__stack_size()) may be written; the page below low is a guard. */
struct belay__stack {
	char *low;
	unsigned valgrind_id;
	bool used; /* may have memory */
};

size_t belay__page_size(void);

static inline size_t belay__stack_size(void)
{
	return BELAY__STACK_SIZE - belay__page_size();
}

/* A mapping with BELAY__STACKS of them; NULL: out of memory. */
char *belay__stacks_map(void);
void belay__stacks_unmap(char *mapping);

/* Each of a mapping's stacks: to be made once before its use, and unmade before the unmapping. */
void belay__stack_init(struct belay__stack *stack, char *mapping, unsigned i);
void belay__stack_fini(struct belay__stack *stack);

/* Gives its memory back to the system. Nobody may be on it. */
void belay__stack_clear(struct belay__stack *stack);

#endif
