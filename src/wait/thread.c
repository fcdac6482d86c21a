/* SPDX-License-Identifier: MIT
 *
 * thread.c - how a plain thread parks: on a futex of its own.
 *
 * State       token: EMPTY, or WOKEN (a wake that park has not consumed), or ASLEEP.
 * Spinning    A thread spins before it sleeps, for as long as has paid of late (wait.h). Where
 *             processors are scarce it does not: whoever it waits for may need its own.
 * Lifetime    The waker's last use of the thread's memory is the exchange that leaves WOKEN. The
 *             thread may be gone by the time of the futex call, which then wakes nobody, or
 *             somebody at a recycled address for no reason: every futex wait here and in libc
 *             loops.
 */
#include "base/futex.h"
#include "base/processors.h"
#include "wait/wait.h"

#include <belay/time.h>

enum { EMPTY, WOKEN, ASLEEP };
enum { SPINS_A_LOOK = 16 };

struct thread {
	struct belay__runner runner;
	_Atomic uint32_t token;
	struct belay__spin spin;
};

_Thread_local struct belay__runner *belay__current_task;

/* ---- Spinning -------------------------------------------------------------------------------- */

/* With one processor, whoever is waited for can't run meanwhile. Relaxed: it is the same for all
 * who ask. */
static bool have_processors(void)
{
	static _Atomic unsigned known; /* 0: not yet */
	unsigned count = atomic_load_explicit(&known, memory_order_relaxed);

	if (count == 0) {
		count = belay__processors_allowed();
		atomic_store_explicit(&known, count, memory_order_relaxed);
	}
	return count > 1;
}

void belay__spin_learn(struct belay__spin *spin, bool spun, int64_t waited)
{
	if (spun) {
		spin->ns = have_processors() ? BELAY__SPIN_LONG : BELAY__SPIN_SHORT;
		spin->penalty /= 2;
	} else if (spin->ns == BELAY__SPIN_LONG) {
		spin->ns = BELAY__SPIN_SHORT;
		spin->left = spin->penalty;
		if (spin->penalty < BELAY__SPIN_PENALTY)
			spin->penalty = (uint8_t)(2 * spin->penalty + 1);
	} else if (spin->left > 0) {
		spin->left--;
	} else if (waited < BELAY__SPIN_LONG && have_processors()) {
		spin->ns = BELAY__SPIN_LONG;
	}
}

/* ---- Parking --------------------------------------------------------------------------------- */

/* Acquire pairs with the release in wake(). */
static bool take_token(struct thread *me)
{
	uint32_t woken = WOKEN;

	return atomic_load_explicit(&me->token, memory_order_relaxed) == WOKEN &&
	       atomic_compare_exchange_strong_explicit(&me->token, &woken, EMPTY,
						       memory_order_acquire, memory_order_relaxed);
}

static bool spin(struct thread *me, int64_t until)
{
	do {
		for (int i = 0; i < SPINS_A_LOOK; i++) {
			if (take_token(me))
				return true;
			belay__cpu_relax();
		}
	} while (belay_now() < until);
	return false;
}

/* False: it is when, and no wake has come. */
static bool sleep_until(struct thread *me, int64_t when)
{
	while (!take_token(me)) {
		uint32_t empty = EMPTY;

		if (when != BELAY_FOREVER && belay_now() >= when)
			return false;
		if (atomic_compare_exchange_strong_explicit(&me->token, &empty, ASLEEP,
							    memory_order_relaxed,
							    memory_order_relaxed) ||
		    empty == ASLEEP)
			belay__futex_wait_until(&me->token, ASLEEP, when);
	}
	return true;
}

/* A wake that has been won by another is owed, and waited for, even when time is up. Otherwise
 * nobody will touch the token, which may say that its owner sleeps. */
static void sleep_until_woken(struct thread *me, struct belay__timeout *timeout)
{
	if (sleep_until(me, timeout ? timeout->when : BELAY_FOREVER))
		return;
	if (belay__wait_claim(&timeout->wait))
		atomic_store_explicit(&me->token, EMPTY, memory_order_relaxed);
	else
		sleep_until(me, BELAY_FOREVER);
}

static void park_until(struct belay__runner *runner, unsigned why, struct belay__timeout *timeout)
{
	struct thread *me = belay__container(runner, struct thread, runner);
	int64_t since, until;
	bool spun;

	if (take_token(me))
		return;
	since = belay_now();
	until = since + me->spin.ns;
	if (timeout && timeout->when < until)
		until = timeout->when;
	spun = spin(me, until);
	if (!spun)
		sleep_until_woken(me, timeout);
	belay__spin_learn(&me->spin, spun, belay_now() - since);
}

static void park(struct belay__runner *runner, unsigned why)
{
	park_until(runner, why, NULL);
}

static void wake(struct belay__runner *runner)
{
	struct thread *sleeper = belay__container(runner, struct thread, runner);

	if (atomic_exchange_explicit(&sleeper->token, WOKEN, memory_order_release) == ASLEEP)
		belay__futex_wake(&sleeper->token, 1);
}

static const struct belay__runner_ops ops = {park, park_until, wake};
static _Thread_local struct thread me = {{&ops}, EMPTY, BELAY__SPIN_INIT};

struct belay__runner *belay__self(void)
{
	return belay__current_task ? belay__current_task : &me.runner;
}
