/* SPDX-License-Identifier: MIT
 *
 * cache.h - tasks with their stacks, used again and again. For the files of this room only.
 */
#ifndef BELAY_SRC_TASK_CACHE_H
#define BELAY_SRC_TASK_CACHE_H

#include <belay/macros.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct belay__task;

/* Free tasks, the latest first, through next. */
struct belay__batch {
	struct belay__task *first;
	unsigned count;
};

/* A worker's own, which nobody else touches. Zeroed is empty. */
struct belay__cache {
	struct belay__batch current, spare; /* spare is full, or empty */
};

/* A task with a stack of its own, otherwise as it was left. cache: the calling worker's, NULL on
 * other threads. NULL: out of memory. */
struct belay__task *belay__task_take(struct belay__cache *cache);
void belay__task_give(struct belay__cache *cache, struct belay__task *task);

/* Gives back all that cache holds. */
void belay__cache_flush(struct belay__cache *cache);

/* Gives the system back some memory of stacks that nobody has needed since the last call. A
 * worker's to call now and then while it is busy. */
void belay__tasks_tend(void);

/* True: free tasks have memory that could be given back. */
bool belay__tasks_warm(const struct belay__cache *cache);

/* Gives back some of it: true: there may be more. For one that has nothing else to do. */
bool belay__tasks_cool(struct belay__cache *cache);

/* How many tasks there are; any thread. */
size_t belay__task_count(void);

/* A line to out for each of them. */
void belay__task_report(FILE *out);

/* Unmaps all, where there is no task and no cache holds one. */
void belay__tasks_trim(void);

#endif
