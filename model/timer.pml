/* SPDX-License-Identifier: MIT
 *
 * timer.pml - a context with a deadline that expires while its parent ends and its owner gives it
 * up.
 *
 * Who         The maker joins the parent, arms the timer, and later ends and gives up the context.
 *             The clock fires what is due, at any moment. One ends the parent.
 * Checked     Nothing is used after it was freed; it is freed once; no timer stays armed in freed
 *             memory, nor after the context's end was told to its owner; nobody waits for ever.
 * Broken      NO_LOOK_AGAIN    the maker does not look at the error after arming
 *             CLAIM_UNLOCKED   the clock takes its reference after giving the wheel's lock back
 *             CLAIM_BLIND      it takes one also where the last one has gone
 *             FREED_ARMED      the freeing thread does not disarm
 *             DISARMED_EARLY   the timer is said to be off for good before it is taken off
 *             DISARMED_IN_VAIN it is said to be off by one who has not found it armed
 *             DROP_ARMED       the only reference is dropped, without an atomic subtraction, where
 *                              the timer may be armed
 * Mirrors     src/context/deadline.c: claim(), fire(), arm(), belay__deadline_disarm(),
 *             with_deadline(); src/wait/clock.c: claim_batch(), belay__timer_arm(),
 *             belay__timer_disarm(); the end and the freeing of one child as in end.c, tree.c
 *             (is_hidden(), give_up_only(), belay__ctx_is_private()) and branch.c. The parent is
 *             the test's.
 */
byte refs = 1;
bit err, parent_err, listed, freed, armed;
bit disarmed; /* for good */
bit node_lock, branch_lock, wheel_lock, parent_over;

#define TOUCH assert(!freed)
#define take(lock) atomic { lock == 0 -> lock = 1 }
#define give(lock) atomic { assert(lock); lock = 0 }

inline disarm()
{
	TOUCH;
	got = disarmed;
	if
	:: !got ->
#ifdef BROKEN_DISARMED_EARLY
		disarmed = 1;
#endif
		take(wheel_lock);
		TOUCH;
		got = armed;
		armed = 0;
		give(wheel_lock);
#ifdef BROKEN_DISARMED_IN_VAIN
		got = 1;
#endif
		if
		:: got -> TOUCH; disarmed = 1
		:: else
		fi
	:: else
	fi
}

inline leave()
{
	TOUCH;
	got = listed;
	if
	:: got -> take(branch_lock); listed = 0; give(branch_lock)
	:: else
	fi
}

/* last: it was the only reference, and nothing but a visit could have found it. */
inline drop()
{
	last = 0;
	if
#ifndef BROKEN_DROP_ARMED
	:: disarmed ->
#else
	:: true ->
#endif
		atomic { TOUCH; last = (refs == 1) };
		if
		:: last -> refs = 0
		:: else
		fi
#ifndef BROKEN_DROP_ARMED
	:: else
#endif
	fi
}

inline unref()
{
	drop();
	if
	:: !last -> atomic { TOUCH; assert(refs > 0); refs--; last = (refs == 0) }
	:: else
	fi;
	if
	:: last ->
#ifndef BROKEN_FREED_ARMED
		disarm();
#endif
		leave();
		atomic { TOUCH; assert(!armed && !node_lock && !listed); freed = 1 }
	:: else
	fi
}

/* belay__node_end() of the context itself, which has no children. */
inline node_end()
{
	take(node_lock);
	TOUCH;
	won = !err;
	err = 1;
	give(node_lock);
	if
	:: won -> disarm(); leave()
	:: else
	fi
}

proctype makes()
{
	bit got, last, won;

	take(branch_lock);
	got = !parent_err;
	listed = got;
	give(branch_lock);
	if
	:: !got -> take(node_lock); err = 1; give(node_lock)
	:: else
	fi;
	if
	:: !err ->
		take(wheel_lock);
		armed = 1;
		give(wheel_lock);
#ifndef BROKEN_NO_LOOK_AGAIN
		if
		:: err -> disarm()
		:: else
		fi
#endif
	:: else
	fi;
	assert(!parent_over || !err || !armed);
	if
	:: true -> node_end()
	/* belay_end() of one who has the only reference; else he gives up without an end. */
	:: refs == 1 -> disarm()
	:: true
	fi;
	/* Not where another that has won is still on its way to the wheel. */
	assert(!won || !armed);
	unref()
}

/* end_child() with the timer; the parent itself is the test's. */
proctype ends_parent()
{
	bit got;

	take(branch_lock);
	parent_err = 1;
	give(branch_lock);
	take(branch_lock);
	if
	:: listed ->
		take(node_lock);
		TOUCH;
		if
		:: !err -> err = 1; disarm()
		:: else
		fi;
		give(node_lock);
		TOUCH;
		listed = 0
	:: else
	fi;
	atomic { give(branch_lock); parent_over = 1 }
}

active proctype clock()
{
	bit got, last, won, claimed;

end:	do
	:: take(wheel_lock);
		claimed = 0;
		if
		:: armed ->
			TOUCH;
			armed = 0;
#ifdef BROKEN_CLAIM_UNLOCKED
			give(wheel_lock);
			take(wheel_lock);
#endif
			atomic {
				TOUCH;
#ifdef BROKEN_CLAIM_BLIND
				refs++; claimed = 1
#else
				if
				:: refs > 0 -> refs++; claimed = 1
				:: else
				fi
#endif
			}
		:: else
		fi;
		give(wheel_lock);
		if
		:: claimed -> node_end(); unref()
		:: else
		fi
	od
}

init
{
	atomic { run makes(); run ends_parent() };
	_nr_pr == 2;
	freed;
	assert(!armed && !listed && refs == 0)
}
