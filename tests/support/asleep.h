/* SPDX-License-Identifier: MIT
 *
 * asleep.h - waits until a thread sleeps in the kernel: for tests of what wakes it, which would
 * else pass also where it had not yet begun to wait.
 */
#ifndef BELAY_TESTS_SUPPORT_ASLEEP_H
#define BELAY_TESTS_SUPPORT_ASLEEP_H

#include "check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What the kernel says: S, sleeping. The name before the state is in brackets and may hold any. */
static inline bool asleep(pid_t tid)
{
	char path[48], line[256], *name_end = NULL;
	FILE *stat;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
	stat = fopen(path, "r");
	if (!stat)
		return false;
	if (fgets(line, sizeof line, stat))
		name_end = strrchr(line, ')');
	fclose(stat);
	return name_end && name_end[1] == ' ' && name_end[2] == 'S';
}

/* A thread stores gettid() just before the call that blocks; true once it is seen to sleep there.
 * It may have slept for something else before, so this makes a test strict, not right. */
static inline bool check_until_asleep(atomic_int *tid)
{
	return check_until(atomic_load(tid) != 0 && asleep(atomic_load(tid)));
}

#endif
