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
 * Checked     The parent is freed, once, after its last child and its last user; nothing is used
 *             later.
 * Broken      NO_ORPHAN        the last user counts nothing for the list
 *             ORPHAN_UNLOCKED  it looks at the list without its lock
 * Mirrors     src/context/{tree,branch}.c: give_up(), belay__branches_orphan(),
 *             belay__place_fini(); see node.inc.
 */
#define NODES 4
#define ROOT 0
#define PARENT 1
#define FIRST 2
#define SECOND 3
#define HAS_CHILD(n) (IS_BELOW(PARENT, n) || IS_BELOW(FIRST, n) || IS_BELOW(SECOND, n))
#define FIRST_CHILD(kid, n) HAS_CHILD(n) ->                                     \
	kid = (IS_BELOW(PARENT, n) -> PARENT : (IS_BELOW(FIRST, n) -> FIRST : SECOND))

#include "node.inc"

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
		refs[ROOT] = 1; refs[PARENT] = 2; refs[FIRST] = 1; refs[SECOND] = 1;
		is_parent[ROOT] = 1; is_parent[PARENT] = 1;
		listed[PARENT] = 1; listed[FIRST] = 1; listed[SECOND] = 1;
		run gives_up(PARENT);
		run gives_up(FIRST);
#ifdef CANCEL
		run ends(ROOT);
#else
		run gives_up(PARENT);
		run ends(SECOND);
#endif
	};
	_nr_pr == 1;
#ifdef CANCEL
	assert(freed[FIRST] || err[FIRST]);
	assert(freed[SECOND] || err[SECOND]);
	unref(PARENT);
	unref(SECOND);
#else
	unref(ROOT);
#endif
	assert(freed[ROOT] && freed[PARENT] && freed[FIRST] && freed[SECOND])
}
