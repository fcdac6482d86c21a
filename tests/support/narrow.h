/* SPDX-License-Identifier: MIT
 *
 * narrow.h - sockets that take little ahead of their reader.
 */
#ifndef BELAY_TESTS_SUPPORT_NARROW_H
#define BELAY_TESTS_SUPPORT_NARROW_H

#include "check.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Has a socket of TCP that is not connected yet take no more than some size bytes. They come in
 * small segments, since for a large one TCP would wait until there is room. */
static inline void make_narrow(int fd, int size)
{
	const int segment = size / 8;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment), 0);
}

#endif
