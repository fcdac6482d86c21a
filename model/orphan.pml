/* SPDX-License-Identifier: MIT
 *
 * orphan.pml - a parent whose users have all gone while children of its live on.
 *
 *     root - parent - { first, second }
 *
 * A listed child is a reference to its parent that is not counted; the last user turns the list
 * into an orphan, which is counted once and goes with its last child.
 *
 * Who         Two users give up parent, the owners of first and second give up theirs, one of them
 *             after an end of its own. As the run defines:
 *             CANCEL  one cancels and gives up root meanwhile, which walks through the orphan
 *             BOTH    parent has one user, and the owners of both children give up theirs
 * Checked     The parent is freed, once, after its last child and its last user; nothing is used
 *             later.
 * Broken      NO_ORPHAN        the last user counts nothing for the list
 *             ORPHAN_UNLOCKED  it looks at the list without its lock
 *             NO_AWAIT         it does not wait for who has emptied the list and holds its lock
 *             DROP_FOUND       it drops its reference where a walk could take one
 *             COUNT_LATE       children are listed nowhere before their references are counted
 *             ANCHOR_LATE      a walk takes its anchor once the children have gone
 * Mirrors     src/context/{tree,branch}.c: give_up(), belay__branches_orphan(),
 *             belay__place_fini(); see node.inc.
 */
#define NODES 4
#define ROOT 0
#define PARENT 1
#define FIRST 2
#define SECOND 3
#define HAS_CHILD(n) (IS_BELOW(PARENT, n) || IS_BELOW(FIRST, n) || IS_BELOW(SECOND, n))
#define NEXT(c, n) (IS_BELOW(c, n) && !IN_BATCH(c))
#define ANY_CHILD(n) (NEXT(PARENT, n) || NEXT(FIRST, n) || NEXT(SECOND, n))
#define FIRST_CHILD(kid, n) ANY_CHILD(n) ->                                     \
	kid = (NEXT(PARENT, n) -> PARENT : (NEXT(FIRST, n) -> FIRST : SECOND))

#include "node.inc"

#ifdef BOTH
#define USERS 1
#else
#define USERS 2
#endif

proctype gives_up(byte n)
{
	LOCALS;

	unref(n)
}

proctype ends(byte n)
{
	LOCALS;

	node_end(n);
	unref(n)
}

init
{
	LOCALS;

	atomic {
		par[ROOT] = NONE; par[PARENT] = ROOT; par[FIRST] = PARENT; par[SECOND] = PARENT;
		made[ROOT] = 1; made[PARENT] = 1; made[FIRST] = 1; made[SECOND] = 1;
		refs[ROOT] = 1; refs[PARENT] = USERS; refs[FIRST] = 1; refs[SECOND] = 1;
		is_parent[ROOT] = 1; is_parent[PARENT] = 1;
		listed[PARENT] = 1; listed[FIRST] = 1; listed[SECOND] = 1;
		linked[PARENT] = 1; linked[FIRST] = 1; linked[SECOND] = 1;
		run gives_up(PARENT);
		run gives_up(FIRST);
#ifdef CANCEL
		run ends(ROOT);
#else
		run ends(SECOND);
#endif
#ifdef BOTH
		run gives_up(SECOND);
#endif
#ifndef CANCEL
		run gives_up(PARENT);
#endif
	};
	_nr_pr == 1;
#ifdef CANCEL
	assert(freed[FIRST] || err[FIRST]);
	assert(freed[SECOND] || err[SECOND]);
#ifndef BOTH
	unref(PARENT);
	unref(SECOND);
#endif
#else
	unref(ROOT);
#endif
	assert(freed[ROOT] && freed[PARENT] && freed[FIRST] && freed[SECOND])
}
