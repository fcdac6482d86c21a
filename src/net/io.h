/* SPDX-License-Identifier: MIT
 *
 * io.h - try, and wait where it would block: the one loop that every call on a descriptor goes
 * through.
 */
#ifndef BELAY_SRC_NET_IO_H
#define BELAY_SRC_NET_IO_H

#include <belay/net.h>

/* One try, which must not block: a result >= 0, or a negative errno; -EAGAIN: it would block, wait
 * and come again; -EINTR: come again at once. */
typedef ssize_t belay__try_fn(int fd, void *arg);

/* Until a try comes through: its result, the context's error (also where ctx is done on entry), or
 * a negative errno. events (BELAY_READABLE, BELAY_WRITABLE): what a try that would block waits for.
 * Owned: fd will be given to belay__pollfd_forget() before it is closed. */
ssize_t belay__io_owned(belay_ctx *ctx, int fd, unsigned events, belay__try_fn *try, void *arg);
ssize_t belay__io_lent(belay_ctx *ctx, int fd, unsigned events, belay__try_fn *try, void *arg);

/* As owned, for a try that waits for now one and now the other: *events is read after each. */
ssize_t belay__io_either(belay_ctx *ctx, int fd, const unsigned *events, belay__try_fn *try,
			 void *arg);

/* -ECANCELED and -ETIME mean the context and nothing else: what a file of the kernel's calls so
 * becomes -EIO and -ETIMEDOUT. Other results are left as they are. */
ssize_t belay__not_the_context(ssize_t result);

#endif
