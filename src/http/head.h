/* SPDX-License-Identifier: MIT
 *
 * head.h - where the head of a request ends, and whether its bytes may stand there at all.
 */
#ifndef BELAY_SRC_HTTP_HEAD_H
#define BELAY_SRC_HTTP_HEAD_H

#include <stddef.h>
#include <sys/types.h>

/* How far a head has been looked at. All zeros: not at all. */
struct belay__head {
	size_t at;   /* bytes that are known to be fine */
	size_t line; /* where the line of the next one begins */
};

/* Looks at the bytes of data[0..size) that came since the last call. The head's size, with the
 * empty line at its end; 0: there is more to come; -EBADMSG: no request has such bytes. */
ssize_t belay__head_scan(struct belay__head *head, const char *data, size_t size);

#endif
