/* SPDX-License-Identifier: MIT
 *
 * io.c - try, and wait where it would block.
 *
 * The try comes first: where there is something to read or room to write, no poller is asked. A context
 * that is done is seen before each try.
 *
 * A task whose descriptor is always ready would never wait, and keep its worker from all others: after
 * TURN tries in a row that came through it lets them run.
 */
#include "net/io.h"

#include "net/pollfd.h"
#include "task/task.h"

#include <errno.h>

enum { TURN = 32 };

/* Since a task of this worker last waited here. Shared by the worker's tasks, like the worker. */
static _Thread_local unsigned in_a_row;

static void share_worker(void)
{
	if (!belay__in_task() || ++in_a_row < TURN)
		return;
	in_a_row = 0;
	belay_yield();
}

ssize_t belay__not_the_context(ssize_t result)
{
	if (result == -ECANCELED)
		return -EIO;
	return result == -ETIME ? -ETIMEDOUT : result;
}

typedef int wait_fn(belay_ctx *ctx, struct belay__pollfd *record, unsigned events, uint32_t edges);

static int wait_lent(belay_ctx *ctx, struct belay__pollfd *record, unsigned events, uint32_t edges)
{
	(void)edges;
	return belay__pollfd_wait_lent(ctx, record, events);
}

static ssize_t loop(belay_ctx *ctx, struct belay__pollfd *record, unsigned events, wait_fn *wait,
		    int fd, belay__try_fn *try, void *arg)
{
	for (;;) {
		uint32_t edges = belay__pollfd_edges(record);
		ssize_t result = belay_err(ctx);

		if (result < 0)
			return result;
		result = try(fd, arg);
		if (result == -EINTR)
			continue;
		if (result != -EAGAIN) {
			share_worker();
			return belay__not_the_context(result);
		}
		in_a_row = 0;
		result = wait(ctx, record, events, edges);
		if (result < 0)
			return result;
	}
}

static ssize_t run(belay_ctx *ctx, int fd, unsigned events, wait_fn *wait, belay__try_fn *try,
		   void *arg)
{
	struct belay__pollfd *record;
	int err = belay_err(ctx);

	if (err < 0)
		return err;
	if (fd < 0)
		return -EBADF;
	record = belay__pollfd_of(fd);
	return record ? loop(ctx, record, events, wait, fd, try, arg) : -ENOMEM;
}

ssize_t belay__io_owned(belay_ctx *ctx, int fd, unsigned events, belay__try_fn *try, void *arg)
{
	return run(ctx, fd, events, belay__pollfd_wait, try, arg);
}

ssize_t belay__io_lent(belay_ctx *ctx, int fd, unsigned events, belay__try_fn *try, void *arg)
{
	return run(ctx, fd, events, wait_lent, try, arg);
}
