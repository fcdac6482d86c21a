/* SPDX-License-Identifier: MIT
 *
 * stack.h - the stacks of tasks: where they are, and what is below them.
 */
#ifndef BELAY_SRC_TASK_STACK_H
#define BELAY_SRC_TASK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BELAY__STACK_GUARD = 64 << 10, /* whole pages, whatever their size */
	BELAY__STACKS = 64,            /* ordinary ones in one mapping, each above its guard */
};

/* The bytes [low, low + belay__stack_size()) may be written; BELAY__STACK_GUARD below low are the
 * guard. */
struct belay__stack {
	char *low;
	unsigned valgrind_id;
	uint32_t used : 1;   /* may have memory */
	uint32_t units : 31; /* of 4 KiB */
};

size_t belay__page_size(void);
size_t belay__stack_ordinary(void); /* what a task may write to that asked for nothing else */

static inline size_t belay__stack_size(const struct belay__stack *stack)
{
	return (size_t)stack->units << 12;
}

/* A mapping with BELAY__STACKS of them; NULL: out of memory. Not by two threads at once, as the
 * next two. */
char *belay__stacks_map(void);
void belay__stacks_unmap(char *mapping);
/* Gives back addresses that were asked for ahead, and have not been needed. */
void belay__stacks_trim(void);

/* Each of a mapping's stacks: to be made once before its use, and unmade before the unmapping. */
void belay__stack_init(struct belay__stack *stack, char *mapping, unsigned i);
void belay__stack_fini(struct belay__stack *stack);

/* A stack in a mapping of its own, of size bytes, whole pages. False: out of memory. */
bool belay__stack_map(struct belay__stack *stack, size_t size);
void belay__stack_unmap(struct belay__stack *stack);

/* Gives the memory of n <= BELAY__STACKS of them back to the system. Nobody may be on them. */
void belay__stacks_clear(struct belay__stack *const stacks[], unsigned n);

#endif
