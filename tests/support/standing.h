/* SPDX-License-Identifier: MIT
 *
 * standing.h - what stands around a test: it must leave no more of it.
 */
#ifndef BELAY_TESTS_SUPPORT_STANDING_H
#define BELAY_TESTS_SUPPORT_STANDING_H

#include <stddef.h>

struct standing {
	size_t contexts, tasks;
	unsigned descriptors, threads;
};

void standing_note(struct standing *ret);

/* Waits for what goes away by itself, shuts Belay down, and fails the test where more stands around
 * than was noted. */
void standing_judge(const struct standing *before);

#endif
