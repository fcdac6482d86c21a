/* SPDX-License-Identifier: MIT
 *
 * cpus.h - how many processors this process may use.
 */
#ifndef BELAY_SRC_TASK_CPUS_H
#define BELAY_SRC_TASK_CPUS_H

/* BELAY_WORKERS from the environment where it is a number from 1 to 1024, else the processors of
 * the affinity mask, cut to what the cgroup's quota pays for. At least 1. */
unsigned belay__cpus(void);

#endif
