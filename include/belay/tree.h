/* SPDX-License-Identifier: MIT
 *
 * tree.h - a picture of all contexts of this process that are alive now.
 *
 * Each with its kind, age, deadline, value (where its key can format it), error and cause, and the
 * line that made it, below its parent. Taken without stopping anybody: a context that comes or goes
 * meanwhile may be in it or not. Any thread or task; blocks only as far as writing to out does.
 */
#ifndef BELAY_TREE_H
#define BELAY_TREE_H

#include <belay/macros.h>

#include <stddef.h>
#include <stdio.h>

BELAY_BEGIN_DECLS

/* As indented text, a line each; control characters in values and causes show as dots. Of what is
 * done also why, the line that ended it, and how many levels up that was. For people: the form may
 * change. 0; -ENOMEM; -EIO: out failed. */
BELAY_EXPORT int belay_tree(FILE *out);

/* As one JSON array of objects: {"id", "parent", "kind", "age_ns", "deadline_ns" (from now; null),
 * "err" (null while live), "cause", "name" and "value" (with_value), "file", "line", "func"}; once
 * it is done also "code", "levels_up", "end_file", "end_line" and "end_func", as of belay_cause. */
BELAY_EXPORT int belay_tree_json(FILE *out);

/* How many contexts are alive, roots not counted. */
BELAY_EXPORT size_t belay_tree_count(void);

BELAY_END_DECLS

#endif
