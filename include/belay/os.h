/* SPDX-License-Identifier: MIT
 *
 * os.h - signals that end contexts.
 */
#ifndef BELAY_OS_H
#define BELAY_OS_H

#include <belay/context.h>

BELAY_BEGIN_DECLS

/* A child of parent that ends, with the code -EINTR and the cause "SIGINT received" (the signal's
 * name), when the process gets one of the signals listed; the list ends with 0. From then on, and
 * once the context is done or gone in any other way, those signals do again what they did before:
 * a second one ends the process as it would without Belay. Several contexts may name the same
 * signal: all end. A signal that can't be caught, or none at
 * all: done with -EINVAL. */
BELAY_EXPORT belay_ctx *belay_with_signal(belay_ctx *parent, ... /* int signals, 0 */);
BELAY_EXPORT belay_ctx *belay_with_signal_at(belay_ctx *parent, const struct belay_site *site,
					     ... /* int signals, 0 */);
#define belay_with_signal(parent, ...) belay_with_signal_at((parent), BELAY_HERE, __VA_ARGS__)

BELAY_END_DECLS

#endif
