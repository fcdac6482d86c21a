/* SPDX-License-Identifier: MIT
 *
 * overflow.h - which task it was that ran out of stack. For the files of this room only.
 */
#ifndef BELAY_SRC_TASK_OVERFLOW_H
#define BELAY_SRC_TASK_OVERFLOW_H

#include <signal.h>

enum { BELAY__SIGNAL_STACK = 32 << 10 };

/* Watches for overflows from now on, and until the call of stop. Nothing is lost where it can't. */
void belay__overflow_start(void);
void belay__overflow_stop(void);

/* For the calling thread, which runs tasks: lets it take the signal, on memory of that many bytes
 * unless it has a stack for signals already; and gives it back what it had. */
void belay__overflow_enter(char memory[BELAY__SIGNAL_STACK], stack_t *ret_before);
void belay__overflow_leave(const stack_t *before);

#endif
