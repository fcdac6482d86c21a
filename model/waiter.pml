/* SPDX-License-Identifier: MIT
 *
 * waiter.pml - one who waits for two reasons, and two wakers who each bring one: claim, park, wake.
 *
 * Who         The sleeper waits twice, each time with a new waiter that stands in two queues (say,
 *             a channel's and a context's done channel). Two wakers each take whatever comes into
 *             one queue. The sleeper is a thread with a futex that also wakes for no reason; or, as
 *             the run defines:
 *             TASK    a task: a park leaves, a wake queues, and its worker runs what is queued
 *             SOLE    the sleeper has one reason, which is claimed by a plain store under its
 *                     queue's lock
 * Checked     Each wait ends with exactly one claim and one wake; nobody touches a wait, or its
 *             waiter, after the sleeper has returned from it; a wake that comes before the park is
 *             not lost, nor found by the next wait; nobody waits for ever; a task is queued once.
 * Broken      LEAVE_LATE   the sleeper does not take its other wait off that queue
 *             WAKE_LOSER   a waker whose claim was lost wakes as well
 *             SOLE_OF_TWO  a reason is taken for the sole one while there is another
 *             PLAIN_CLAIM  the claim looks, then stores, in place of compare-and-swap
 *             PLAIN_PARK   the park stores that it sleeps, in place of compare-and-swap
 *             PLAIN_WAKE   the wake looks whether somebody sleeps, then stores, in place of an
 *                          exchange
 * Mirrors     src/wait/wait.c; src/wait/thread.c: park(), wake(), without the spinning;
 *             src/task/worker.c: belay__worker_leave(), belay__worker_ready(); a lock of each queue
 *             as chan.c's and belay__done_leave()'s.
 */
#define EMPTY 0
#define WOKEN 1
#define ASLEEP 2
#define ROUNDS 2
#define NOBODY 2

bit lock[2];
bit queued[2];
byte round;       /* which waiter the sleeper has; ROUNDS: none any more           */
byte in_round[2]; /* which waiter the wait in that queue belongs to                */
byte winner = NOBODY;
byte token = EMPTY;
bit sleeping;     /* on the futex                                                  */
bit runnable;     /* the task stands in its worker's queue                         */
byte wakes;

/* The waiter of round r, and its waits, are still on the sleeper's stack. */
#define TOUCH(r) assert(r == round)
#define take(q) atomic { lock[q] == 0 -> lock[q] = 1 }
#define give(q) atomic { assert(lock[q]); lock[q] = 0 }

/* ok: reason q has won the waiter of round r. */
inline claim(q, r)
{
#ifdef SOLE
	TOUCH(r);
	assert(winner == NOBODY);
	winner = q;
	ok = 1
#else
#ifdef BROKEN_PLAIN_CLAIM
	TOUCH(r);
	ok = (winner == NOBODY);
	if
	:: ok -> winner = q
	:: else
	fi
#else
	atomic {
		TOUCH(r);
		ok = (winner == NOBODY);
		if
		:: ok -> winner = q
		:: else
		fi
	}
#endif
#endif
}

#ifdef TASK
inline wake()
{
	assert(!runnable);
	runnable = 1
}
#else
inline wake()
{
#ifdef BROKEN_PLAIN_WAKE
	before = token;
	token = WOKEN;
#else
	atomic { before = token; token = WOKEN };
#endif
	if
	:: before == ASLEEP -> sleeping = 0 /* nobody sleeps there any more: no matter */
	:: else
	fi
}
#endif

proctype wakes_one(byte q)
{
	byte r, before;
	bit ok;

	do
	:: atomic { queued[q] && !lock[q] -> lock[q] = 1 };
		r = in_round[q];
		TOUCH(r);
		queued[q] = 0;
		claim(q, r);
		give(q);
		if
#ifdef BROKEN_WAKE_LOSER
		:: true ->
#else
		:: ok -> TOUCH(r);
#endif
			wakes++;
			wake()
		:: else
		fi
	:: round == ROUNDS -> break
	od
}

#ifdef TASK
/* The worker goes on to whatever stands in its queue. */
inline park()
{
	atomic { runnable -> runnable = 0 }
}
#else
inline park()
{
	do
	:: atomic {
			before = token;
			if
			:: before == WOKEN -> token = EMPTY
			:: else
			fi
		};
		if
		:: before == WOKEN -> break
		:: else
		fi;
#ifdef BROKEN_PLAIN_PARK
		token = ASLEEP;
		before = EMPTY;
#else
		atomic {
			before = token;
			if
			:: before == EMPTY -> token = ASLEEP
			:: else
			fi
		};
#endif
		if
		:: before == EMPTY || before == ASLEEP ->
			/* The kernel looks once more under its own lock. */
			atomic {
				if
				:: token == ASLEEP -> sleeping = 1
				:: else
				fi
			};
			!sleeping
		:: else
		fi
	od
}

/* Once for no reason. */
active proctype kernel()
{
	sleeping = 0
}
#endif

inline enqueue(q)
{
	take(q);
	queued[q] = 1;
	in_round[q] = round;
	give(q)
}

inline leave(q)
{
	take(q);
	queued[q] = 0;
	give(q)
}

proctype waits()
{
	byte before;

	do
	:: round < ROUNDS ->
		winner = NOBODY;
		enqueue(0);
#if !defined(SOLE) || defined(BROKEN_SOLE_OF_TWO)
		enqueue(1);
#endif
		park();
		atomic { assert(winner != NOBODY); assert(wakes == round + 1) };
#ifndef BROKEN_LEAVE_LATE
		leave(0);
		leave(1);
#endif
		round++
	:: else -> break
	od
}

init
{
	atomic {
		run waits();
		run wakes_one(0);
		run wakes_one(1)
	};
	round == ROUNDS;
	assert(wakes == ROUNDS)
}
