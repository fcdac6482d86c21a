/* SPDX-License-Identifier: MIT
 *
 * pidfd.h - a child by its descriptor, and by its number where the kernel has none.
 */
#ifndef BELAY_SRC_OS_PIDFD_H
#define BELAY_SRC_OS_PIDFD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How one who has nothing to wait for looks again: after 1, 2, 4 ... 64 ms. */
#define BELAY__LOOK_FIRST BELAY_MS(1)
#define BELAY__LOOK_LAST  BELAY_MS(64)

struct belay__child {
	pid_t pid;
	int fd;       /* polls readable once it has ended; -1: the kernel has none to give */
	bool group;   /* it leads a group of its own */
};

/* A child of ours that nobody has waited for. Close fd where it is not -1. Does not fail. */
void belay__child_open(struct belay__child *child, pid_t pid);

/* 0 and *ret as waitpid(2)'s status where it has ended; -EAGAIN: it has not; -ECHILD: it was waited
 * for. It stays as it is until it is reaped. */
int belay__child_look(const struct belay__child *child, int *ret);
void belay__child_reap(const struct belay__child *child);

/* Sends it and, where it has one, its group a signal: 0, -ESRCH: nobody is left; -EINVAL, -EPERM.
 * Where the kernel can't signal the group of a descriptor (before Linux 6.9) it goes by its number,
 * which is nobody else's while the child is not reaped, or somebody is left in the group. */
int belay__child_signal(const struct belay__child *child, int number);

#endif
