/* SPDX-License-Identifier: MIT
 *
 * thread.c - how a plain thread waits for a descriptor: in poll(2), as it would without Belay.
 *
 * It needs no worker for that, and none that computes can keep it waiting. What ends the wait
 * besides is an eventfd next to the descriptor: the thread parks there instead of on its futex, as
 * a runner of its own that lasts for this wait alone. That the descriptor is ready is a reason like
 * any other, which the thread claims itself.
 *
 * Lifetime    The waker's last use of the runner is the write. Where another has claimed, the park
 *             does not end before it has read what that one writes; where the thread has, nobody
 *             writes. So an eventfd is empty when it goes back into the store.
 * Memory      write(2) and read(2) of an eventfd order what comes before and after: the kernel's
 *             lock.
 * Locking     store.lock guards the eventfds that nobody uses.
 */
#include "net/thread.h"

#include "base/stop.h"
#include "context/context.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- Eventfds -------------------------------------------------------------------------------- */

enum { STORED = 64 };

static struct {
	struct belay__lock lock;
	int fds[STORED];
	unsigned count;
} store;

static void close_stored(void)
{
	belay__lock_take(&store.lock, BELAY__RANK_LEAF);
	while (store.count > 0)
		close(store.fds[--store.count]);
	belay__lock_give(&store.lock, BELAY__RANK_LEAF);
}

static int event_take(void)
{
	static struct belay__stop at_stop = {.fn = close_stored};
	int fd = -1;

	belay__lock_take(&store.lock, BELAY__RANK_LEAF);
	if (store.count > 0)
		fd = store.fds[--store.count];
	belay__lock_give(&store.lock, BELAY__RANK_LEAF);
	if (fd >= 0)
		return fd;
	belay__stop_register(&at_stop);
	fd = eventfd(0, EFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void event_give(int fd)
{
	bool stored;

	belay__lock_take(&store.lock, BELAY__RANK_LEAF);
	stored = store.count < STORED;
	if (stored)
		store.fds[store.count++] = fd;
	belay__lock_give(&store.lock, BELAY__RANK_LEAF);
	if (!stored)
		close(fd);
}

/* ---- The runner ------------------------------------------------------------------------------ */

struct sleeper {
	struct belay__runner runner;
	struct belay__waiter waiter;
	struct belay__wait ready; /* the descriptor is; in no queue */
	struct pollfd fds[2];     /* the descriptor, and the eventfd */
};

enum { DESCRIPTOR, EVENT };

static void read_event(struct sleeper *sleeper)
{
	uint64_t count;

	while (read(sleeper->fds[EVENT].fd, &count, sizeof count) < 0 && errno == EINTR)
		;
}

/* Whatever is told of the descriptor, also that it is none, the caller's next try finds out; where
 * poll(2) itself fails that try is all that can be done. */
static void park(struct belay__runner *runner, unsigned why)
{
	struct sleeper *sleeper = belay__container(runner, struct sleeper, runner);

	for (;;) {
		if (poll(sleeper->fds, 2, -1) < 0 && errno == EINTR)
			continue;
		if (sleeper->fds[EVENT].revents)
			break;
		if (belay__wait_claim(&sleeper->ready))
			return;
		sleeper->fds[DESCRIPTOR].fd = -1; /* the other's wake is on its way */
	}
	read_event(sleeper);
}

static void wake(struct belay__runner *runner)
{
	struct sleeper *sleeper = belay__container(runner, struct sleeper, runner);
	uint64_t one = 1;
	int saved = errno;

	while (write(sleeper->fds[EVENT].fd, &one, sizeof one) < 0 && errno == EINTR)
		;
	errno = saved;
}

/* Nobody waits here until a moment: that is a context's. */
static const struct belay__runner_ops ops = {.park = park, .wake = wake};

static short poll_events(unsigned events)
{
	return (short)((events & BELAY_READABLE ? POLLIN : 0) |
		       (events & BELAY_WRITABLE ? POLLOUT : 0));
}

int belay__thread_wait(belay_ctx *ctx, int fd, unsigned events)
{
	struct sleeper sleeper = {
		.runner = {&ops},
		.fds = {{.fd = fd, .events = poll_events(events)},
			{.fd = event_take(), .events = POLLIN}},
	};
	bool ready;

	if (sleeper.fds[EVENT].fd < 0)
		return sleeper.fds[EVENT].fd;
	belay__waiter_init(&sleeper.waiter);
	sleeper.waiter.runner = &sleeper.runner;
	belay__wait_init(&sleeper.ready, &sleeper.waiter);
	ready = belay__block(ctx, &sleeper.waiter) != NULL;
	event_give(sleeper.fds[EVENT].fd);
	return ready ? 0 : belay_err(ctx);
}
