/* SPDX-License-Identifier: MIT
 *
 * sleepers.h - tasks of a worker that wait until a moment at the most. For the files of this room
 * only.
 */
#ifndef BELAY_SRC_TASK_SLEEPERS_H
#define BELAY_SRC_TASK_SLEEPERS_H

#include "task/task.h"
#include "wait/wheel.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct worker;

/* The worker's own, which nobody else touches. */
struct sleepers {
	int64_t next;              /* when to look at the wheel; BELAY_FOREVER: never     */
	int64_t alarm;             /* what fd is set to; BELAY_FOREVER: nothing           */
	uint32_t woken;            /* how many times it has been looked at                */
	int fd;                    /* a timerfd on the worker's epoll, for when it sleeps */
	_Atomic uint32_t count;    /* of those in the wheel; for others to read           */
	struct belay__source source;
	struct belay__wheel wheel; /* of struct belay__task */
};

/* 0, or a negative errno; what was opened is closed by the other one in either case. */
int belay__sleepers_open(struct sleepers *sleepers, int epoll);
void belay__sleepers_close(struct sleepers *sleepers);

/* task, which runs and is about to park, is to be claimed for timeout at its moment. */
void belay__sleeper_add(struct sleepers *sleepers, struct belay__task *task,
			struct belay__timeout *timeout);
/* And once it goes on, for whatever reason. */
void belay__sleeper_remove(struct sleepers *sleepers, struct belay__task *task);

static inline bool belay__sleepers_are_due(const struct sleepers *sleepers, int64_t now)
{
	return now >= sleepers->next;
}

/* Makes those ready whose moment has come: all, or as many as there is time for before the next
 * look at the clock. No task runs meanwhile. */
void belay__sleepers_wake(struct worker *worker, int64_t now);

/* To be called before the worker sleeps in its poller: it is woken in time. */
void belay__sleepers_set_alarm(struct sleepers *sleepers);

#endif
