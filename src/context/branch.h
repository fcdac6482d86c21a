/* SPDX-License-Identifier: MIT
 *
 * branch.h - lists of a node's children, and a child's place in one. For the files of this room
 * only.
 */
#ifndef BELAY_SRC_CONTEXT_BRANCH_H
#define BELAY_SRC_CONTEXT_BRANCH_H

#include "base/list.h"
#include "base/lock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct node;

/* What node->children holds besides a ring; see branch.c. */
enum { BRANCHES_MANY = 1, BRANCH_EMPTIED = 2 };

/* A child's place below a parent. */
struct place {
	struct belay__list link;
	_Atomic uint8_t listed;   /* 0: nowhere, then there is a counted reference to the parent
				     instead; else the number of the parent's branch, plus 1 */
	bool is_second;           /* a merge's, below the second of its parents */
};

void belay__place_init(struct place *place, bool is_second);
struct node *belay__place_node(struct place *place);

/* Lists place below parent. False: parent is done; there is a counted reference to it instead. */
bool belay__place_join(struct place *place, struct node *parent);

/* Takes a child off, which lives on and has a counted reference to parent instead; nothing where it
 * is not listed any more. */
void belay__place_leave(struct place *place, struct node *parent);

/* Takes a child off for good. True: a counted reference to its parent is the caller's to give
 * up. */
bool belay__place_fini(struct place *place, struct node *parent);

/* ---- A parent's branches, numbered from 0 on ------------------------------------------------- */

unsigned belay__branch_count(struct node *node);

/* The lock of a branch, for the four below. */
struct belay__lock *belay__branch_lock(struct node *node, unsigned branch);

/* From the first child to the last; NULL: no more. */
struct place *belay__branch_first(struct node *node, unsigned branch);
struct place *belay__branch_next(struct node *node, unsigned branch, struct place *place);

/* The first count children leave the branch and live on: each has a counted reference to node
 * instead, and no more may be done to it. The caller gets so many more; where that is none he has
 * one. */
void belay__branch_release(struct node *node, unsigned branch, uint32_t count, uint32_t more);

/* Locks the branch where place is listed, for belay__place_release(): place leaves it, and there is
 * a counted reference to parent instead. False: it is listed nowhere. */
bool belay__place_lock(struct place *place, struct node *parent, unsigned *ret_branch);
void belay__place_release(struct place *place, struct node *parent);

/* Gives node a branch for each processor, as its first contention does. */
void belay__branches_grow(struct node *node);

/* The node's last user goes, and there was a child once: see branch.c. */
void belay__branches_orphan(struct node *node);
void belay__branches_free(struct node *node);

#endif
