/* SPDX-License-Identifier: MIT
 *
 * view.h - a snapshot of all live contexts, for the tree and for the report at exit.
 */
#ifndef BELAY_SRC_CONTEXT_VIEW_H
#define BELAY_SRC_CONTEXT_VIEW_H

#include <belay/context.h>

#include <stddef.h>
#include <stdio.h>

/* References to all live contexts but the static ones, sorted by address; *ret_count of them. NULL
 * with *ret_count 0: there are none; with *ret_count SIZE_MAX: out of memory. */
belay_ctx **belay__view_take(size_t *ret_count);
void belay__view_give(belay_ctx **contexts, size_t count);

/* A line for each context that was never ended; how many. */
size_t belay__view_report(FILE *out);

#endif
