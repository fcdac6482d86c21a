/* SPDX-License-Identifier: MIT
 *
 * processors.h - how many processors there are. Any thread; errno is kept.
 */
#ifndef BELAY_SRC_BASE_PROCESSORS_H
#define BELAY_SRC_BASE_PROCESSORS_H

/* The machine's, with those that are offline: at least 1. Does not change, so that what is kept by
 * processor may be found by sched_getcpu() modulo this. */
unsigned belay__processors(void);

/* Those that the calling thread may run on now: at least 1. */
unsigned belay__processors_allowed(void);

#endif
