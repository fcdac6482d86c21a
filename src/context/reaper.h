/* SPDX-License-Identifier: MIT
 *
 * reaper.h - a thread for the clean-up of contexts whose last reference went on the clock thread.
 */
#ifndef BELAY_SRC_CONTEXT_REAPER_H
#define BELAY_SRC_CONTEXT_REAPER_H

#include <belay/context.h>

/* Hands a dead context over to be destroyed there. On the clock thread. */
void belay__reap(belay_ctx *dead);

#endif
