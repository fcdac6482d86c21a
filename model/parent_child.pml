/* SPDX-License-Identifier: MIT
 *
 * parent_child.pml - a tree of three generations, ended from several sides at once.
 *
 *     root - middle - { leaf, late }
 *
 * Who         One cancels and gives up root. At the same time, as the run defines:
 *             TWICE         another does the same
 *             MIDDLE_ENDS   one does so with middle
 *             LEAF_ENDS     the owner of leaf ends it
 *             DERIVES       one derives late from middle, and gives both up
 * Checked     When a cancel returns all that is below is done. A child of a done parent is done
 *             when its derivation returns. Nothing is used after it was freed, everything is freed
 *             exactly once, nobody waits for ever.
 * Broken      NO_SECOND_LOOK  a place's list is not looked at again under its lock
 *             UNLIST_EARLY    the end takes a child off its list before what is below it is done
 *             UNLIST_LOCKED   it does so while it still holds the child's own lock
 *             JOIN_BLIND      a derivation lists its child without looking at the parent's error
 *             SECOND_RETURNS  who finds it ended returns without a look at the list
 * Mirrors     src/context/{end,branch,tree}.c; see node.inc.
 */
#define NODES 4
#define ROOT 0
#define MIDDLE 1
#define LEAF 2
#define LATE 3
#define HAS_CHILD(n) (IS_BELOW(MIDDLE, n) || IS_BELOW(LEAF, n) || IS_BELOW(LATE, n))
/* Not in the batch yet; in the order of the list: leaf was there first. */
#define NEXT(c, n) (IS_BELOW(c, n) && !IN_BATCH(c))
#define ANY_CHILD(n) (NEXT(MIDDLE, n) || NEXT(LEAF, n) || NEXT(LATE, n))
#define FIRST_CHILD(kid, n) ANY_CHILD(n) ->                                     \
	kid = (NEXT(MIDDLE, n) -> MIDDLE : (NEXT(LEAF, n) -> LEAF : LATE))

#include "node.inc"

/* Or given up by its last user, who needs no end. */
#define DONE(n) assert(refs[n] == 0 || err[n])

proctype cancels_root()
{
	LOCALS;

	node_end(ROOT);
	atomic {
		DONE(MIDDLE);
		DONE(LEAF);
		assert(!linked[LATE] || err[LATE])
	};
	unref(ROOT)
}

proctype cancels_middle()
{
	LOCALS;

	node_end(MIDDLE);
	atomic {
		DONE(LEAF);
		assert(!linked[LATE] || err[LATE])
	};
	unref(MIDDLE)
}

proctype ends_leaf()
{
	LOCALS;

	end(LEAF)
}

proctype derives()
{
	bit was_done;
	LOCALS;

	was_done = err[MIDDLE];
	derive(LATE, MIDDLE);
	assert(!was_done || err[LATE]);
	unref(MIDDLE);
	unref(LATE)
}

#ifdef TWICE
#define ROOT_USERS 2
#else
#define ROOT_USERS 1
#endif

init
{
	LOCALS;

	atomic {
		par[ROOT] = NONE; par[MIDDLE] = ROOT; par[LEAF] = MIDDLE; par[LATE] = MIDDLE;
		made[ROOT] = 1; made[MIDDLE] = 1; made[LEAF] = 1;
		refs[ROOT] = ROOT_USERS; refs[MIDDLE] = 2; refs[LEAF] = 1;
		is_parent[ROOT] = 1; is_parent[MIDDLE] = 1;
		listed[MIDDLE] = 1; listed[LEAF] = 1;
		linked[MIDDLE] = 1; linked[LEAF] = 1;
		run cancels_root();
#ifdef TWICE
		run cancels_root();
#endif
#ifdef MIDDLE_ENDS
		run cancels_middle();
#endif
#ifdef LEAF_ENDS
		run ends_leaf();
#endif
#ifdef DERIVES
		run derives();
#endif
	};
	/* What nobody has taken is given up in the end. */
	_nr_pr == 1;
#ifndef LEAF_ENDS
	unref(LEAF);
#endif
#ifndef MIDDLE_ENDS
	unref(MIDDLE);
#endif
#ifndef DERIVES
	unref(MIDDLE);
#endif
	assert(freed[ROOT] && freed[MIDDLE] && freed[LEAF] && (freed[LATE] || !made[LATE]))
}
