/* SPDX-License-Identifier: MIT
 *
 * runq.h - tasks that wait for their first turn: one adds, anybody may take the oldest.
 *
 * Invariant   What stands in line are tasks[head % RUNQ .. tail % RUNQ). Only the owner adds, and
 *             only it moves tail; who moves head has taken what stood there. A slot is written only
 *             while it is outside of that range: so a taker whose slot was written over between its
 *             two looks finds that head has moved on, and has taken nothing.
 * Memory      tail is exchanged, seq_cst: it publishes the slot to those who acquire tail, and
 *             orders the push before its owner's look at who is idle (idle.c: No loss).
 *             head is moved with release, for the owner's acquire: what it writes into a slot comes
 *             after the taker's read of it.
 */
#ifndef BELAY_SRC_TASK_RUNQ_H
#define BELAY_SRC_TASK_RUNQ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct belay__task;

enum { RUNQ = 1024 }; /* a power of two: head and tail run over */

struct runq {
	_Atomic uint32_t head, tail;
	_Atomic(struct belay__task *) tasks[RUNQ];
};

/* The owner's. False: full. */
static inline bool runq_push(struct runq *runq, struct belay__task *task)
{
	uint32_t tail = atomic_load_explicit(&runq->tail, memory_order_relaxed);

	if (tail - atomic_load_explicit(&runq->head, memory_order_acquire) == RUNQ)
		return false;
	atomic_store_explicit(&runq->tasks[tail % RUNQ], task, memory_order_relaxed);
	atomic_exchange(&runq->tail, tail + 1);
	return true;
}

/* How many stood in line a moment ago; any thread. seq_cst for those who are about to sleep. */
static inline uint32_t runq_length(const struct runq *runq)
{
	uint32_t head = atomic_load(&runq->head);

	return atomic_load(&runq->tail) - head;
}

/* Takes the oldest; any thread. NULL: none is left. */
static inline struct belay__task *runq_pop(struct runq *runq)
{
	uint32_t head = atomic_load_explicit(&runq->head, memory_order_acquire);

	while (head != atomic_load_explicit(&runq->tail, memory_order_acquire)) {
		struct belay__task *task = atomic_load_explicit(&runq->tasks[head % RUNQ],
								memory_order_relaxed);

		if (atomic_compare_exchange_weak_explicit(&runq->head, &head, head + 1,
							  memory_order_acq_rel,
							  memory_order_acquire))
			return task;
	}
	return NULL;
}

#endif
