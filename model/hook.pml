/* SPDX-License-Identifier: MIT
 *
 * hook.pml - a hook that the end runs while somebody removes it and frees its memory.
 *
 * Who         Two threads end the context, both run its hooks. One removes the hook and frees it.
 *             As the run defines:
 *             INSIDE  it is removed from inside of fn instead
 *             ADDS    the remover first adds it, while the context ends
 * Checked     fn runs at most once, and has run or never will when the removal returns; exactly one
 *             of the end and the removal has it; nobody touches the hook after the removal; the
 *             context's reference is given up once; nobody waits for ever.
 * Broken      PLAIN_REMOVE    the removal looks at the state, then stores: no compare-and-swap
 *             NO_WAIT         it does not wait for an fn that runs
 *             PLAIN_FINISH    the end looks for a remover, then stores RAN, in place of an exchange
 *             TOUCH_REMOVED   the end forgets that fn may have removed its hook
 *             UNLOCKED_LIST   the removal that won does not take the node's lock
 * Mirrors     src/context/hook.c: take_hook(), run(), finish(), add(), belay_hook_remove(). The
 *             remover's wait is a bit here; waiter.pml is about waits.
 */
#define UNUSED 0
#define ADDED 1
#define RUNNING 2
#define RAN 3
#define WAITING 4 /* the address of the remover's wait */

byte state;
bit linked, lock, err, hook_freed, woken;
byte running;  /* who runs fn: an ender's number, 0: nobody */
byte ran, refs; /* the hook's reference and one that the test has */
bit removed_inside;

#define TOUCH assert(!hook_freed)
#define take atomic { !lock -> lock = 1 }
#define give atomic { assert(lock); lock = 0 }

inline unref()
{
	atomic { assert(refs > 0); refs-- }
}

/* ok: the compare-and-swap was won. */
inline change(from, to)
{
	atomic {
		TOUCH;
		if
		:: state == from -> state = to; ok = 1
		:: else -> ok = 0
		fi
	}
}

inline unlink()
{
#ifndef BROKEN_UNLOCKED_LIST
	take;
#endif
	TOUCH;
	linked = 0;
#ifndef BROKEN_UNLOCKED_LIST
	give
#endif
}

inline remove(self)
{
#ifdef BROKEN_PLAIN_REMOVE
	TOUCH;
	ok = (state == ADDED);
	if
	:: ok -> state = UNUSED
	:: else
	fi;
#else
	change(ADDED, UNUSED);
#endif
	won = ok;
	if
	:: won -> unlink(); unref()
	:: else ->
		TOUCH;
		seen = state;
		if
		:: seen == RUNNING && running == self -> removed_inside = 1
#ifndef BROKEN_NO_WAIT
		:: seen == RUNNING && running != self ->
			change(RUNNING, WAITING);
			if
			:: ok -> woken
			:: else
			fi
#endif
		:: else
		fi
	fi
}

inline fn(self)
{
	ran++;
	assert(ran == 1);
#ifdef INSIDE
	remove(self);
	assert(!won);
	hook_freed = 1
#endif
}

inline finish()
{
#ifdef BROKEN_PLAIN_FINISH
	TOUCH;
	seen = state;
	TOUCH;
	state = RAN;
#else
	atomic { TOUCH; seen = state; state = RAN };
#endif
	if
	:: seen == WAITING -> woken = 1
	:: else
	fi
}

proctype ends(byte self)
{
	bit ok, won, mine;
	byte seen;

	take;
	err = 1;
	give;
	do
	:: true ->
		take;
		mine = 0;
		if
		:: linked ->
			TOUCH;
			linked = 0;
			running = self;
			change(ADDED, RUNNING);
			mine = ok
		:: else
		fi;
		give;
		if
		:: mine ->
			fn(self);
#ifndef BROKEN_TOUCH_REMOVED
			if
			:: removed_inside
			:: else -> finish()
			fi;
#else
			finish();
#endif
			unref()
		:: else -> break
		fi
	od
}

/* fn's own call, where the context is done already, is over when the hook is added. */
inline add()
{
	refs++;
	take;
	if
	:: !err -> state = ADDED; linked = 1
	:: else -> ok = 1
	fi;
	give;
	if
	:: ok -> unref(); state = RAN; ran++
	:: else
	fi;
	ok = 0
}

proctype removes()
{
	bit ok, won;
	byte seen;

#ifdef ADDS
	add();
#endif
	remove(9);
	atomic {
		assert(!won || ran == 0);
		assert(won || ran == 1);
		assert(!linked);
		hook_freed = 1
	}
}

init
{
	atomic {
		refs = 1;
#ifndef ADDS
		state = ADDED; linked = 1; refs = 2;
#endif
		run ends(1);
		run ends(2);
#ifndef INSIDE
		run removes();
#endif
	};
	_nr_pr == 1;
	assert(refs == 1);
	assert(hook_freed)
}
