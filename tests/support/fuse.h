/* SPDX-License-Identifier: MIT
 *
 * fuse.h - makes an allocation of Belay's fail: heap, slab, stack or thread, of the core as of the
 * adapters, in whichever way they are linked. For all who link `check`.
 */
#ifndef BELAY_TESTS_SUPPORT_FUSE_H
#define BELAY_TESTS_SUPPORT_FUSE_H

#include <stdbool.h>

/* The n-th allocation from now on fails (1: the next one), and it alone; 0: none does. */
void belay__fail_nth(long n);

/* The n-th allocation from now on fails, and all after it, until the next of these calls. */
void belay__fail_from_nth(long n);

/* How many allocations are left up to the one that fails; 0 or less: it has failed, or none was
 * to. */
long belay__fail_left(void);

/* How many have failed since one of those calls. */
unsigned belay__fail_count(void);

/* The n-th allocation from now on fails and, with rest, all that come after it. For trial.c: does
 * not count as a test's own use of the fuse. */
void check_fuse_arm(long n, bool rest);

/* How often a test has used the fuse by itself. */
unsigned check_fuse_uses(void);

/* What is asked by each allocation: counts it, and says whether it fails. For those who stand
 * between Belay's libraries and theirs. */
int belay__fuse_blows(void) __attribute__((visibility("default")));

#endif
