/* SPDX-License-Identifier: MIT
 *
 * thread.c - how a plain thread parks: on a futex of its own.
 *
 * State       token: EMPTY, or WOKEN (a wake that park has not consumed), or ASLEEP.
 * Lifetime    The waker's last use of the thread's memory is the exchange that leaves WOKEN. The
 *             thread may be gone by the time of the futex call, which then wakes nobody, or
 *             somebody at a recycled address for no reason: every futex wait here and in libc
 *             loops.
 */
#include "base/futex.h"
#include "wait/wait.h"

enum { EMPTY, WOKEN, ASLEEP };
enum { SPINS = 32 };

struct thread {
	struct belay__runner runner;
	_Atomic uint32_t token;
};

_Thread_local struct belay__runner *belay__current_task;

/* Acquire pairs with the release in wake(). */
static bool take_token(struct thread *me)
{
	uint32_t woken = WOKEN;

	return atomic_compare_exchange_strong_explicit(&me->token, &woken, EMPTY,
						       memory_order_acquire, memory_order_relaxed);
}

static void park(struct belay__runner *runner)
{
	struct thread *me = belay__container(runner, struct thread, runner);

	for (int i = 0; i < SPINS; i++) {
		if (take_token(me))
			return;
		belay__cpu_relax();
	}
	while (!take_token(me)) {
		uint32_t empty = EMPTY;

		if (atomic_compare_exchange_strong_explicit(&me->token, &empty, ASLEEP,
							    memory_order_relaxed,
							    memory_order_relaxed) ||
		    empty == ASLEEP)
			belay__futex_wait(&me->token, ASLEEP);
	}
}

static void wake(struct belay__runner *runner)
{
	struct thread *sleeper = belay__container(runner, struct thread, runner);

	if (atomic_exchange_explicit(&sleeper->token, WOKEN, memory_order_release) == ASLEEP)
		belay__futex_wake(&sleeper->token, 1);
}

static _Thread_local struct thread me = {{park, wake}, EMPTY};

struct belay__runner *belay__self(void)
{
	return belay__current_task ? belay__current_task : &me.runner;
}
