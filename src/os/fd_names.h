/* SPDX-License-Identifier: MIT
 *
 * fd_names.h - what a command's environment says of the descriptors that have names.
 */
#ifndef BELAY_SRC_OS_FD_NAMES_H
#define BELAY_SRC_OS_FD_NAMES_H

#include <belay/process.h>

/* LISTEN_FDS, LISTEN_FDNAMES, BELAY_LISTEN_PPID; and LISTEN_PID, which is taken away. */
enum { BELAY__FD_ENTRIES = 4 };

struct belay__fd_names {
	const char *entries[BELAY__FD_ENTRIES + 1]; /* ends with NULL; none: nothing is said */
	char *names;
	char count[32], parent[32];
};

/* 0, and it is to be given to belay__fd_names_fini(); -EINVAL: a name that is none; -ENOMEM. */
int belay__fd_names_init(struct belay__fd_names *fds, const struct belay_command *command);
void belay__fd_names_fini(struct belay__fd_names *fds);

#endif
