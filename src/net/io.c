/* SPDX-License-Identifier: MIT
 *
 * io.c - try, and wait where it would block.
 *
 * The try comes first: where there is something to read or room to write, no poller is asked. A
 * context that is done is seen before each try. A task waits in its worker's poller, a thread in
 * poll(2); where that fails for lack of a descriptor it waits as a task does, on its futex.
 *
 * A task whose descriptor is always ready would never wait, and keep its worker from all others:
 * after TURN tries in a row that came through it lets them run.
 */
#include "net/io.h"

#include "net/pollfd.h"
#include "net/thread.h"
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

static ssize_t come_through(ssize_t result)
{
	share_worker();
	return belay__not_the_context(result);
}

typedef int wait_fn(belay_ctx *ctx, struct belay__pollfd *record, unsigned events, uint32_t edges);

static int wait_lent(belay_ctx *ctx, struct belay__pollfd *record, unsigned events, uint32_t edges)
{
	(void)edges;
	return belay__pollfd_wait_lent(ctx, record, events);
}

static bool lacks_resources(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM;
}

/* One call's constants. */
struct io {
	belay_ctx *ctx;
	int fd;
	const unsigned *events; /* as the last try left them */
	struct belay__pollfd *record;
	wait_fn *wait;
	struct belay__input *input; /* NULL: not a read of a stream */
	size_t size;                /* of that read */
};

static int wait_for(const struct io *io, uint32_t edges)
{
	int err;

	in_a_row = 0;
	if (!belay__in_task()) {
		err = belay__thread_wait(io->ctx, io->fd, *io->events);
		if (!lacks_resources(err))
			return err;
	}
	return io->wait(io->ctx, io->record, *io->events, edges);
}

/* The end of the stream makes no edge of its own where it came with the last bytes; and before
 * urgent data a read ends early. A read of nothing waits for nothing. */
static bool is_in_vain(const struct io *io, uint32_t edges)
{
	return io->input->empty && io->input->edges == edges && io->size > 0 &&
	       !belay__pollfd_is_exceptional(io->record);
}

/* Known to be in vain only once: not every wait is for an edge. */
static ssize_t read_once(const struct io *io, uint32_t edges, belay__try_fn *try, void *arg)
{
	bool in_vain = is_in_vain(io, edges);
	ssize_t result = in_vain ? -EAGAIN : try(io->fd, arg);

	io->input->empty = io->input->tells && result > 0 && (size_t)result < io->size;
	io->input->edges = edges;
	return result;
}

static ssize_t loop(const struct io *io, belay__try_fn *try, void *arg)
{
	for (;;) {
		uint32_t edges = belay__pollfd_edges(io->record);
		ssize_t result = belay_err(io->ctx);

		if (result < 0)
			return result;
		result = io->input ? read_once(io, edges, try, arg) : try(io->fd, arg);
		if (result == -EAGAIN)
			result = wait_for(io, edges);
		else if (result != -EINTR)
			return come_through(result);
		if (result < 0 && result != -EINTR)
			return result;
	}
}

static ssize_t run(struct io io, belay__try_fn *try, void *arg)
{
	int err = belay_err(io.ctx);

	if (err < 0)
		return err;
	if (io.fd < 0)
		return -EBADF;
	io.record = belay__pollfd_of(io.fd);
	return io.record ? loop(&io, try, arg) : -ENOMEM;
}

ssize_t belay__io_owned(belay_ctx *ctx, int fd, unsigned events, belay__try_fn *try, void *arg)
{
	return run((struct io){ctx, fd, &events, .wait = belay__pollfd_wait}, try, arg);
}

ssize_t belay__io_read(belay_ctx *ctx, int fd, struct belay__input *input, size_t size,
		       belay__try_fn *try, void *arg)
{
	const unsigned events = BELAY_READABLE;

	return run((struct io){ctx, fd, &events, .wait = belay__pollfd_wait, .input = input,
			       .size = size},
		   try, arg);
}

ssize_t belay__io_lent(belay_ctx *ctx, int fd, unsigned events, belay__try_fn *try, void *arg)
{
	return run((struct io){ctx, fd, &events, .wait = wait_lent}, try, arg);
}

ssize_t belay__io_either(belay_ctx *ctx, int fd, const unsigned *events, belay__try_fn *try,
			 void *arg)
{
	return run((struct io){ctx, fd, events, .wait = belay__pollfd_wait}, try, arg);
}
