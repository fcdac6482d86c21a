/* SPDX-License-Identifier: MIT
 *
 * stdio.h - the descriptors that a command is given.
 */
#ifndef BELAY_SRC_OS_STDIO_H
#define BELAY_SRC_OS_STDIO_H

#include <belay/process.h>

enum { BELAY__STDIO = 3 };

/* All are close-on-exec, and ours. */
struct belay__stdio {
	int *child;              /* to become 0, 1, 2 ... of the child; each is at least count */
	size_t count;
	int ours[BELAY__STDIO];  /* the other ends of pipes, in non-blocking mode; else -1 */
};

/* Opens what command says: 0, or a negative errno and nothing is open. */
int belay__stdio_open(struct belay__stdio *stdio, const struct belay_command *command);

/* Closes the child's, and frees; then ours that still are there. */
void belay__stdio_close_child(struct belay__stdio *stdio);
void belay__stdio_close_ours(struct belay__stdio *stdio);

#endif
