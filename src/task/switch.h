/* SPDX-License-Identifier: MIT
 *
 * switch.h - from one stack to another: one implementation a processor, chosen by file.
 */
#ifndef BELAY_SRC_TASK_SWITCH_H
#define BELAY_SRC_TASK_SWITCH_H

#include <stddef.h>
#include <stdint.h>

/* What is left of a computation that has been switched away from: all else is on its stack. */
struct belay__context {
	void *sp;
};

/* The floating-point control words of the calling thread: rounding, exceptions that trap. */
struct belay__control {
	uint64_t words[4];
};

/* Saves what is running in from and goes on with to. Keeps what a called function must keep, the
 * floating-point control words among it; signal masks are left alone. */
void belay__context_switch(struct belay__context *from, struct belay__context *to);

/* Saves what is running in from and calls entry(arg) on the stack [low, low + size), with control's
 * control words. entry returns what to go on with instead of it; its own stack is left for good. */
void belay__context_start(struct belay__context *from, void *low, size_t size,
			  struct belay__context *(*entry)(void *arg), void *arg,
			  const struct belay__control *control);

void belay__control_get(struct belay__control *ret);
void belay__control_set(const struct belay__control *control);

#endif
