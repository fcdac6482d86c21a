/* SPDX-License-Identifier: MIT
 *
 * stack.h - the stacks of tasks, pooled.
 */
#ifndef BELAY_SRC_TASK_STACK_H
#define BELAY_SRC_TASK_STACK_H

#include <belay/macros.h>

#include <stddef.h>
#include <stdio.h>

enum { BELAY__STACK_SIZE = 256 << 10 };

/* A stack in use: the bytes [low, low + size) may be written; below low is a guard. */
struct belay__stack {
	char *low;
	size_t size;
	const struct belay_site *site; /* the line that spawned the task; guarded by the pool */
	struct belay__stack *next_free;
	unsigned valgrind_id;
	char in_use;
};

/* NULL: out of memory. */
struct belay__stack *belay__stack_take(const struct belay_site *site);
void belay__stack_give(struct belay__stack *stack);

/* How many are in use. */
size_t belay__stack_count(void);

/* A line to out for each stack in use. */
void belay__stack_report(FILE *out);

/* Unmaps all, where none is in use. */
void belay__stack_trim(void);

#endif
