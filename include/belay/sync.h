/* SPDX-License-Identifier: MIT
 *
 * sync.h - locks and meeting points whose every wait takes a context.
 */
#ifndef BELAY_SYNC_H
#define BELAY_SYNC_H

#include <belay/context.h>

#endif
