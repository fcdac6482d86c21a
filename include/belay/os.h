/* SPDX-License-Identifier: MIT
 *
 * os.h - signals that end contexts. (Programs that contexts end: process.h.)
 */
#ifndef BELAY_OS_H
#define BELAY_OS_H

#include <belay/context.h>

BELAY_BEGIN_DECLS

/* A child of parent that ends, with -ECANCELED and the cause "SIGINT received" (the signal's name;
 * code -EINTR), when the process gets one of the signals listed; the list ends with 0. From then
 * on, and once the context is done or gone in any other way, those signals do again what they did
 * before: a second one ends the process as it would without Belay, even where all its threads hang.
 * Several contexts may name the same signal: all end, and the last to go gives it back. What the
 * program sets for a signal meanwhile is left in place.
 *
 * The handler restarts system calls (SA_RESTART). Any thread; does not block. Never NULL, as all
 * derivations: a signal that can't be caught, or none at all: done with -EINVAL; no memory or no
 * descriptor left: done with -ENOMEM (the cause's code says which). An error touches no signal. */
BELAY_EXPORT belay_ctx *belay_with_signal(BELAY_BORROWED belay_ctx *parent,
					  ... /* int signals, 0 */) BELAY_DERIVES;
BELAY_EXPORT belay_ctx *belay_with_signal_at(BELAY_BORROWED belay_ctx *parent,
					     const struct belay_site *site,
					     ... /* int signals, 0 */) BELAY_DERIVES;
#define belay_with_signal(parent, ...) belay_with_signal_at((parent), BELAY_HERE, __VA_ARGS__)

BELAY_END_DECLS

#endif
