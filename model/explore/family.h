/* SPDX-License-Identifier: MIT
 *
 * family.h - contexts that scenarios share, what threads do with them, and what is so after it.
 */
#ifndef BELAY_MODEL_FAMILY_H
#define BELAY_MODEL_FAMILY_H

#include "explore.h"

#include <belay/context.h>

/* Each below the one before; late is whatever comes besides. */
extern belay_ctx *parent, *child, *grandchild, *late;
extern bool won[THREADS_MAX]; /* whose cancel it was */

bool is_done(const belay_ctx *ctx);
void make_family(void);
void unref_all(void);
void cancel_parent(void);
void cancel_child(void);
void end_parent(void);
void end_child(void);
void end_grandchild(void);
void unref_child(void);
void derive_and_end(void);
void all_done(void);
void child_has_gone(void);
void only_grandchild_left(void);
void only_parent_left(void);
void grandchild_left_done(void);
void cancel_parent_alone(void);
void parent_left_done(void);
void only_parent(void);

#endif
