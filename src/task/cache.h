/* SPDX-License-Identifier: MIT
 *
 * cache.h - tasks with their stacks, used again and again. For the files of this room only.
 */
#ifndef BELAY_SRC_TASK_CACHE_H
#define BELAY_SRC_TASK_CACHE_H

#include <belay/macros.h>

#include <stddef.h>
#include <stdio.h>

struct belay__task;

/* A worker's own, which nobody else touches. Zeroed is empty. */
struct belay__cache {
	struct belay__task *free; /* the latest first, through next */
	unsigned count;
};

/* A task that counts as there from now on, with a stack of its own and otherwise as it was left.
 * cache: the calling worker's, NULL on other threads. NULL: out of memory. */
struct belay__task *belay__task_take(struct belay__cache *cache, const struct belay_site *site);
void belay__task_give(struct belay__cache *cache, struct belay__task *task);

/* Gives back all that cache holds. */
void belay__cache_flush(struct belay__cache *cache);

/* How many tasks there are; any thread. */
size_t belay__task_count(void);

/* A line to out for each of them. */
void belay__task_report(FILE *out);

/* Unmaps all, where there is no task and no cache holds one. */
void belay__tasks_trim(void);

#endif
