/* SPDX-License-Identifier: MIT
 *
 * environment.h - the environment that a command begins with.
 */
#ifndef BELAY_SRC_OS_ENVIRONMENT_H
#define BELAY_SRC_OS_ENVIRONMENT_H

#include "os/fd_names.h"

#include <belay/log.h>
#include <belay/process.h>

#define BELAY__TRACE_NAME    "TRACEPARENT"
#define BELAY__DEADLINE_NAME "BELAY_DEADLINE"

struct belay__environment {
	/* As execve(2) takes it. Its strings are the command's, the program's own environment's,
	 * and those below. */
	char **list;
	char trace[sizeof BELAY__TRACE_NAME + BELAY_TRACEPARENT_SIZE];
	char deadline[sizeof BELAY__DEADLINE_NAME + 32];
	struct belay__fd_names fds;
};

/* That of command, which is to run under ctx. 0, and it is to be given to
 * belay__environment_fini(); -ENOMEM; -EINVAL: a descriptor's name that is none. */
int belay__environment_init(struct belay__environment *environment, const belay_ctx *ctx,
			    const struct belay_command *command);
void belay__environment_fini(struct belay__environment *environment);

#endif
