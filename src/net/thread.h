/* SPDX-License-Identifier: MIT
 *
 * thread.h - how a plain thread waits for a descriptor.
 */
#ifndef BELAY_SRC_NET_THREAD_H
#define BELAY_SRC_NET_THREAD_H

#include <belay/net.h>

/* Blocks the calling thread until fd may be ready for one of events, or ctx is done. 0; the
 * context's error; -EMFILE, -ENFILE, -ENOMEM: no eventfd(2) to be had. Not for tasks. */
int belay__thread_wait(belay_ctx *ctx, int fd, unsigned events);

#endif
