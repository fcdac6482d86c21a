/* SPDX-License-Identifier: MIT
 *
 * capture.h - what comes out of a pipe, in memory that grows as far as a bound.
 */
#ifndef BELAY_SRC_OS_CAPTURE_H
#define BELAY_SRC_OS_CAPTURE_H

#include <belay/process.h>

struct belay__intake {
	int fd;                       /* our end, in non-blocking mode; -1: closed, or not used */
	int epoll;                    /* which it stands on */
	struct belay_capture *to;     /* NULL: not used, or handed over */
	char *data;
	size_t size, room, limit;     /* room: of data, without the '\0' */
	bool cut;
};

/* Takes fd over where it does not fail, and puts it on epoll. 0; -ENOMEM; -ENOSPC. */
int belay__intake_init(struct belay__intake *intake, int fd, int epoll, struct belay_capture *to);

/* Takes what is there, but not more than a little at a time. 0; -ENOMEM: nothing was lost, come
 * again. At the end, and at an error, fd is closed. */
int belay__intake_take(struct belay__intake *intake);

/* Takes all that is there, where nobody can write any more; otherwise as above. */
int belay__intake_take_rest(struct belay__intake *intake);

/* From now on what comes is thrown away. */
void belay__intake_refuse(struct belay__intake *intake);

/* Closes fd, where it still is open: true. */
bool belay__intake_close(struct belay__intake *intake);

/* Moves what was taken to where it is wanted. */
void belay__intake_hand_over(struct belay__intake *intake);

void belay__intake_fini(struct belay__intake *intake);

#endif
