/* SPDX-License-Identifier: MIT
 *
 * sized.h - tasks whose stacks have a size that was asked for. For the files of this room only.
 */
#ifndef BELAY_SRC_TASK_SIZED_H
#define BELAY_SRC_TASK_SIZED_H

#include "task/worker.h"

/* As belay__task_take(), with a stack of size bytes: whole pages, more than is ordinary. */
struct belay__task *belay__sized_take(size_t size);
void belay__sized_give(struct belay__task *task);

/* Whether a task is one of these. */
static inline bool belay__is_sized(const struct belay__task *task)
{
	return belay__stack_size(&task->stack) != belay__stack_ordinary();
}

/* As their namesakes of cache.h. */
void belay__sized_tend(void);
bool belay__sized_warm(void);
bool belay__sized_cool(void);

/* Calls visit(arg, site) for each that there is. */
void belay__sized_visit(void (*visit)(void *arg, const struct belay_site *site), void *arg);

/* Frees all. There is none of these tasks. */
void belay__sized_trim(void);

#endif
