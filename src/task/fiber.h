/* SPDX-License-Identifier: MIT
 *
 * fiber.h - a context switch that the sanitizers and valgrind are told of.
 *
 * The address sanitizer must know which stack is in use, the thread sanitizer which fiber; valgrind
 * learns of stacks when they are mapped (stack.c).
 */
#ifndef BELAY_SRC_TASK_FIBER_H
#define BELAY_SRC_TASK_FIBER_H

#include "base/sanitizer.h"
#include "task/switch.h"

#include <stdbool.h>

#ifdef BELAY__ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef BELAY__TSAN
#include <sanitizer/tsan_interface.h>
#endif

struct belay__fiber {
	struct belay__context context;
#ifdef BELAY__ASAN
	const void *low;
	size_t size;
	void *fake_stack;
#endif
#ifdef BELAY__TSAN
	void *tsan;
#endif
};

/* For the stack that the calling thread came with. */
static inline void belay__fiber_init_thread(struct belay__fiber *fiber)
{
	(void)fiber;
#ifdef BELAY__TSAN
	fiber->tsan = __tsan_get_current_fiber();
#endif
}

/* Not from the fiber itself. */
static inline void belay__fiber_fini(struct belay__fiber *fiber)
{
	(void)fiber;
#ifdef BELAY__TSAN
	__tsan_destroy_fiber(fiber->tsan);
#endif
}

/* What the sanitizers want to know before a switch. from: NULL where it will not be come back
 * to. */
static inline void belay__fiber_announce(struct belay__fiber *from, struct belay__fiber *to)
{
	(void)from, (void)to;
#ifdef BELAY__ASAN
	__sanitizer_start_switch_fiber(from ? &from->fake_stack : NULL, to->low, to->size);
#endif
#ifdef BELAY__TSAN
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
}

/* And on return to fiber. */
static inline void belay__fiber_arrive(struct belay__fiber *fiber)
{
	(void)fiber;
#ifdef BELAY__ASAN
	__sanitizer_finish_switch_fiber(fiber->fake_stack, NULL, NULL);
#endif
}

static inline void belay__fiber_switch(struct belay__fiber *from, struct belay__fiber *to)
{
	belay__fiber_announce(from, to);
	belay__context_switch(&from->context, &to->context);
	belay__fiber_arrive(from);
}

/* Leaves from for a new fiber, which begins with entry(arg) on the stack [low, low + size) and with
 * control's control words; entry returns what belay__fiber_end() does. last: from will not be come
 * back to. */
static inline void belay__fiber_start(struct belay__fiber *from, struct belay__fiber *fiber,
				      void *low, size_t size,
				      struct belay__context *(*entry)(void *arg), void *arg,
				      const struct belay__control *control, bool last)
{
	(void)last;
#ifdef BELAY__ASAN
	fiber->low = low;
	fiber->size = size;
	fiber->fake_stack = NULL;
#endif
#ifdef BELAY__TSAN
	fiber->tsan = __tsan_create_fiber(0);
#endif
	belay__fiber_announce(last ? NULL : from, fiber);
	belay__context_start(&from->context, low, size, entry, arg, control);
	belay__fiber_arrive(from);
}

/* The calling fiber, which is from, ends before to: what its entry is to return. The sanitizers
 * keep account of calls, so under them nothing may return on a stack that they were told is
 * left. */
static inline struct belay__context *belay__fiber_end(struct belay__fiber *from,
						      struct belay__fiber *to)
{
	(void)from;
#if defined(BELAY__ASAN) || defined(BELAY__TSAN)
	belay__fiber_announce(NULL, to);
	belay__context_switch(&from->context, &to->context);
#endif
	return &to->context;
}

/* The first thing that a new fiber does; came_from: whose stack it was switched to from. */
static inline void belay__fiber_begin(struct belay__fiber *came_from)
{
	(void)came_from;
#ifdef BELAY__ASAN
	__sanitizer_finish_switch_fiber(NULL, &came_from->low, &came_from->size);
#endif
}

#endif
