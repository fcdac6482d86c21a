/* SPDX-License-Identifier: MIT
 *
 * stack_use.h - BELAY_REPORT=stacks: how much of their stacks tasks have used.
 */
#ifndef BELAY_SRC_TASK_STACK_USE_H
#define BELAY_SRC_TASK_STACK_USE_H

#include <stdbool.h>

struct belay__task;

/* The user has asked for it; constant from before main() on. */
extern bool belay__stack_use_wanted;

/* Runs what task has to do with arg, on the task's stack, and notes how much of that it used. */
void belay__stack_use_run(struct belay__task *task, void *arg);

#endif
