/* SPDX-License-Identifier: MIT
 *
 * spawn.h - from a command to a child.
 */
#ifndef BELAY_SRC_OS_SPAWN_H
#define BELAY_SRC_OS_SPAWN_H

#include "os/stdio.h"

/* Starts command with the descriptors that stdio has for it, told of ctx: 0 and *ret once the
 * program is loaded, or ctx's error or a negative errno and there is no child. */
int belay__spawn(belay_ctx *ctx, const struct belay_command *command,
		 const struct belay__stdio *stdio, pid_t *ret);

#endif
