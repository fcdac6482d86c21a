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

static inline void belay__fiber_init(struct belay__fiber *fiber, void *low, size_t size,
				     void (*entry)(void *arg), void *arg)
{
	belay__context_init(&fiber->context, low, size, entry, arg);
#ifdef BELAY__ASAN
	fiber->low = low;
	fiber->size = size;
	fiber->fake_stack = NULL;
#endif
#ifdef BELAY__TSAN
	fiber->tsan = __tsan_create_fiber(0);
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

/* last: from will not be come back to. */
static inline void belay__fiber_switch(struct belay__fiber *from, struct belay__fiber *to, int last)
{
	(void)last;
#ifdef BELAY__ASAN
	__sanitizer_start_switch_fiber(last ? NULL : &from->fake_stack, to->low, to->size);
#endif
#ifdef BELAY__TSAN
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	belay__context_switch(&from->context, &to->context);
#ifdef BELAY__ASAN
	__sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
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
