/* SPDX-License-Identifier: MIT
 *
 * bias.pml - a lock becomes biased to one thread, which uses it on, while two others come for it.
 *
 * Who         The owner takes the lock, which is biased to it then, and enters twice more. Two
 *             others take it once each, at any moment.
 * Checked     No two are in at once; all get in and out.
 * Broken      NO_MEMBARRIER   who revokes has the owner run no barrier
 *             LOOK_FIRST      the owner looks whether it is the owner before it stores inside
 *             NO_WAIT         who revokes does not wait for the owner to be out
 *             REVOKE_UNLOCKED the bias is revoked before the lock is taken
 *             INSIDE_TELLS    who leaves takes inside for the sign of having come as the owner
 * Mirrors     src/base/bias.[ch]
 * Memory      What the owner stores stands in a buffer of its own, in order, before the others see
 *             it; an atomic operation empties that first, as does another's membarrier. So does
 *             x86 (total store order). What the others store is seen at once: between their stores
 *             and their looks stand the lock and the membarrier.
 */
#define IS_OWNED 0
#define INSIDE 1
#define WITHIN 2
#define LOCKED 3

bit state[4];
bit busy;
chan buffer = [4] of { byte, bit };

inline arrive()
{
	d_step { buffer ? what, value; state[what] = value; what = 0; value = 0 }
}

inline drain()
{
	do
	:: nempty(buffer) -> arrive()
	:: empty(buffer) -> break
	od
}

/* Stores arrive whenever they do. */
active proctype memory()
{
	byte what;
	bit value;

end:	do
	:: atomic { nempty(buffer) -> arrive() }
	od
}

inline be_in()
{
	atomic { assert(!busy); busy = 1 };
	busy = 0
}

#define is_owner (state[IS_OWNED] || buffer ?? [IS_OWNED, 1])

/* The owner's: came says that it did as such. */
inline enter()
{
	came = 0;
	owned = is_owner;
	if
	:: owned ->
		buffer ! INSIDE, 1;
#ifndef BROKEN_LOOK_FIRST
		owned = is_owner;
#endif
		if
		:: owned -> buffer ! WITHIN, 1; came = 1
		:: else -> buffer ! INSIDE, 0
		fi
	:: else
	fi
}

proctype owner()
{
	byte what, times;
	bit value, owned, came;

	atomic { !state[LOCKED] -> state[LOCKED] = 1 };
	be_in();
	buffer ! IS_OWNED, 1;
	buffer ! LOCKED, 0;
	do
	:: times < 2 ->
		times++;
		enter();
		if
		:: came ->
			be_in();
			buffer ! WITHIN, 0;
			buffer ! INSIDE, 0
		:: else ->
			atomic { !state[LOCKED] -> drain(); state[LOCKED] = 1 };
			be_in();
			buffer ! LOCKED, 0
		fi
	:: else -> break
	od
}

inline revoke()
{
	if
	:: state[IS_OWNED] ->
		state[IS_OWNED] = 0;
#ifndef BROKEN_NO_MEMBARRIER
		atomic { drain() };
#endif
#ifndef BROKEN_NO_WAIT
		!state[INSIDE]
#endif
	:: else
	fi
}

proctype other()
{
	byte what;
	bit value, came;

#ifdef BROKEN_REVOKE_UNLOCKED
	revoke();
#endif
	atomic { !state[LOCKED] -> state[LOCKED] = 1 };
#ifndef BROKEN_REVOKE_UNLOCKED
	revoke();
#endif
	be_in();
#ifdef BROKEN_INSIDE_TELLS
	came = state[INSIDE];
#else
	came = state[WITHIN];
#endif
	if
	:: came -> state[WITHIN] = 0; state[INSIDE] = 0
	:: else -> state[LOCKED] = 0
	fi
}

init
{
	atomic {
		run owner();
		run other();
		run other()
	};
	_nr_pr == 2; /* memory is one */
	empty(buffer);
	assert(!state[LOCKED] && !state[INSIDE] && !state[WITHIN])
}
