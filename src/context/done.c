/* SPDX-License-Identifier: MIT
 *
 * done.c - waiting for the end of a context: alone, beside other reasons, and by a descriptor.
 */
#include "base/alloc.h"
#include "context/node.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

belay_chan *belay_done(belay_ctx *ctx)
{
	return ctx && ctx->node ? &ctx->node->done : NULL;
}

belay_ctx *belay__done_ctx(belay_chan *done)
{
	return &belay__container(done, struct node, done)->ctx;
}

int belay_wait(belay_ctx *ctx)
{
	struct belay__waiter waiter;
	int err = belay_err(ctx);

	if (err != 0)
		return err;
	if (!ctx->node)
		return -EDEADLK;
	belay__waiter_init(&waiter);
	belay__block(ctx, &waiter);
	return belay_err(ctx);
}

/* Where ctx has ended meanwhile its end competes like any other reason: who claims first, wins. A
 * loser here was claimed by another, who owes the wake. */
struct belay__wait *belay__block(belay_ctx *ctx, struct belay__waiter *waiter)
{
	struct belay_chan *done = belay_done(ctx);
	struct belay__wait *winner;
	struct belay__wait end;

	if (!done)
		return belay__waiter_park(waiter);
	belay__wait_init(&end, waiter);
	if (!belay__done_join(done, &end))
		return belay__wait_claim(&end) ? NULL : belay__waiter_park(waiter);
	winner = belay__waiter_park(waiter);
	belay__done_leave(done, &end);
	return winner == &end ? NULL : winner;
}

/* ---- The descriptor -------------------------------------------------------------------------- */

/* Lives in its node, from the first belay_done_fd() on; the pointer is set once, under the lock. */
struct done_fd {
	struct belay_hook hook;
	int fd;
};

/* An eventfd that is written once can't be full. */
static void make_readable(struct belay_hook *hook)
{
	uint64_t one = 1;
	int saved = errno;

	while (write(belay__container(hook, struct done_fd, hook)->fd, &one, sizeof one) < 0 &&
	       errno == EINTR)
		;
	errno = saved;
}

static int done_fd_new(struct done_fd **ret)
{
	struct done_fd *done_fd = belay__malloc(sizeof *done_fd);
	int err;

	if (!done_fd)
		return -ENOMEM;
	done_fd->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (done_fd->fd < 0) {
		err = -errno;
		belay__free(done_fd);
		return err;
	}
	*ret = done_fd;
	return 0;
}

static void done_fd_free(struct done_fd *done_fd)
{
	close(done_fd->fd);
	belay__free(done_fd);
}

/* Makes ours the node's, unless it has one already; returns the node's. */
static struct done_fd *install(struct node *node, struct done_fd *ours)
{
	struct done_fd *installed;

	belay__lock_take(&node->done.lock, BELAY__RANK_NODE);
	if (!node->done_fd)
		node->done_fd = ours;
	installed = node->done_fd;
	belay__lock_give(&node->done.lock, BELAY__RANK_NODE);
	return installed;
}

static struct done_fd *installed(struct node *node)
{
	return install(node, NULL);
}

int belay_done_fd(belay_ctx *ctx)
{
	struct done_fd *ours = NULL, *done_fd;
	int err;

	if (!ctx)
		return -EINVAL;
	if (!ctx->node)
		return -EDEADLK;
	done_fd = installed(ctx->node);
	if (done_fd)
		return done_fd->fd;
	err = done_fd_new(&ours);
	if (err < 0)
		return err;
	done_fd = install(ctx->node, ours);
	if (done_fd != ours)
		done_fd_free(ours);
	else if (!belay__hook_add_weak(ctx->node, &ours->hook, make_readable))
		make_readable(&ours->hook);
	return done_fd->fd;
}

void belay__done_fd_close(struct node *node)
{
	if (!node->done_fd)
		return;
	belay__hook_remove_weak(node, &node->done_fd->hook);
	done_fd_free(node->done_fd);
}
