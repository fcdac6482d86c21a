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
	bool touched; /* memory may be committed to it */
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

/* Gives the memory back to the system: all of it, or what lies below the topmost page. Nobody may
 * be on the stack. */
void belay__stack_clear(struct belay__stack *stack);
void belay__stack_clear_depth(struct belay__stack *stack);

#endif
