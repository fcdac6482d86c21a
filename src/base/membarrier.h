/* SPDX-License-Identifier: MIT
 *
 * membarrier.h - a full memory barrier in every thread of the process, at the caller's expense.
 *
 * For where two sides each store and then look at what the other has stored, and one of them is
 * much more frequent: that side does with a compiler's barrier between the two, and the rare side
 * pays for both (membarrier(2)). What a thread stored before its own barrier is visible to the
 * caller; what it loads after it sees what the caller has stored before the call.
 */
#ifndef BELAY_SRC_BASE_MEMBARRIER_H
#define BELAY_SRC_BASE_MEMBARRIER_H

#include <stdbool.h>

/* Whether the kernel has it, and it has never failed: only then may the frequent side go without a
 * fence. */
bool belay__have_membarrier(void);

/* Some microseconds where other threads run. False: it works no more (a filter of system calls may
 * have come). Then it has slept instead, so long that what others had stored before is visible; but
 * of what they load nothing is known, and the frequent side is to be told to go without no more:
 * belay__have_membarrier() says so from then on. Keeps errno. */
bool belay__membarrier(void);

#endif
