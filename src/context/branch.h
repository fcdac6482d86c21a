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

struct branch {
	struct belay__lock lock;
	bool orphan;                  /* its node has no users left: it holds a counted reference */
	struct belay__list children;  /* struct place                                             */
};

struct place {
	struct belay__list link;
	_Atomic(struct branch *) listed; /* NULL: nowhere; then there is a counted reference to the
					    parent instead */
	struct node *node;               /* the child */
};

void belay__branch_init(struct branch *branch);
void belay__branches_free(struct node *node);

/* The node's branches, from 0 on; NULL: no more. */
struct branch *belay__branch_at(struct node *node, unsigned i);

/* Lists place below parent. False: parent is done; there is a counted reference to it instead. */
bool belay__place_join(struct place *place, struct node *parent);

/* Takes a child off, which lives on and has a counted reference to parent instead; nothing where it
 * is not listed any more. */
void belay__place_leave(struct place *place, struct node *parent);

/* The same in two steps for many children of one branch, both with it locked: each off the list,
 * then the references for count of them. The caller has one to parent. */
void belay__place_unlist(struct place *place);
void belay__branch_unlisted(struct branch *branch, struct node *parent, uint32_t count);

/* Takes a child off for good. True: a counted reference to its parent is the caller's to give
 * up. */
bool belay__place_fini(struct place *place);

/* The node's last user has gone: see branch.c. */
void belay__branches_orphan(struct node *node);

#endif
