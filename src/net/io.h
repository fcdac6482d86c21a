/* SPDX-License-Identifier: MIT
 *
 * io.h - try, and wait where it would block: the one loop that every call on a descriptor goes
 * through.
 */
#ifndef BELAY_SRC_NET_IO_H
#define BELAY_SRC_NET_IO_H

#include <belay/net.h>

#include <stdbool.h>
#include <stdint.h>

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

/* What the reads of a stream have learnt of it. A read that got less than it asked for has emptied
 * the socket: then what comes makes an edge, and the next read waits for that one without a try in
 * vain. Of TCP alone: elsewhere the end of a message, or a descriptor in it, cuts reads short. */
struct belay__input {
	bool tells;     /* it is TCP                                          */
	bool empty;     /* the latest read has emptied it                     */
	uint32_t edges; /* and so many the descriptor had seen before it, or a
			   few more                                           */
};

/* As owned, for a try that reads at most size bytes; one reader at a time. */
ssize_t belay__io_read(belay_ctx *ctx, int fd, struct belay__input *input, size_t size,
		       belay__try_fn *try, void *arg);

/* -ECANCELED and -ETIME mean the context and nothing else: what a file of the kernel's calls so
 * becomes -EIO and -ETIMEDOUT. Other results are left as they are. */
ssize_t belay__not_the_context(ssize_t result);

#endif
