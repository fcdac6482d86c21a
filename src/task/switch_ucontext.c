/* SPDX-License-Identifier: MIT
 *
 * switch_ucontext.c - for processors without a switch of their own: POSIX's ucontext, which saves
 * the signal mask as well and so costs two system calls.
 *
 * What is saved stands in the frame of the one who switches away, or for a new stack at its top.
 */
#include "task/switch.h"

#include <fenv.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

struct beginning {
	ucontext_t context;
	struct belay__context *(*entry)(void *arg);
	void *arg;
	const struct belay__control *control;
};

/* makecontext passes ints: a pointer goes in two halves. */
static void begin(unsigned high, unsigned low)
{
	struct beginning *at = (struct beginning *)((uintptr_t)high << 16 << 16 | low);

	belay__control_set(at->control);
	setcontext(at->entry(at->arg)->sp);
}

void belay__context_start(struct belay__context *from, void *low, size_t size,
			  struct belay__context *(*entry)(void *arg), void *arg,
			  const struct belay__control *control)
{
	uintptr_t top = ((uintptr_t)low + size - sizeof(struct beginning)) & ~(uintptr_t)63;
	struct beginning *at = (struct beginning *)top;
	ucontext_t here;

	getcontext(&at->context);
	at->context.uc_stack.ss_sp = low;
	at->context.uc_stack.ss_size = top - (uintptr_t)low;
	at->context.uc_link = NULL;
	at->entry = entry;
	at->arg = arg;
	at->control = control;
	makecontext(&at->context, (void (*)(void))begin, 2, (unsigned)((uintptr_t)at >> 16 >> 16),
		    (unsigned)(uintptr_t)at);
	from->sp = &here;
	swapcontext(&here, &at->context);
}

void belay__context_switch(struct belay__context *from, struct belay__context *to)
{
	ucontext_t here;

	from->sp = &here;
	swapcontext(&here, to->sp);
}

/* The whole environment: what else is in it, the exception flags, nobody reads between tasks. */
_Static_assert(sizeof(fenv_t) <= sizeof(struct belay__control), "the environment fits");

void belay__control_get(struct belay__control *ret)
{
	fenv_t environment;

	fegetenv(&environment);
	memcpy(ret, &environment, sizeof environment);
}

void belay__control_set(const struct belay__control *control)
{
	fenv_t environment;

	memcpy(&environment, control, sizeof environment);
	fesetenv(&environment);
}
