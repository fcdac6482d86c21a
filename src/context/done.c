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
	struct node *node = ctx ? nearest_node(ctx) : NULL;

	return node ? &node->done.gate : NULL;
}

belay_ctx *belay__done_ctx(belay_chan *done)
{
	return &belay__container(done, struct node, done.gate)->ctx;
}

int belay_wait(belay_ctx *ctx)
{
	struct belay__waiter waiter;
	int err = belay_err(ctx);

	if (err != 0)
		return err;
	if (!nearest_node(ctx))
		return -EDEADLK;
	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_DONE;
	belay__block(ctx, &waiter);
	return belay_err(ctx);
}

struct belay__wait *belay__block(belay_ctx *ctx, struct belay__waiter *waiter)
{
	return belay__block_on(belay_done(ctx), waiter, NULL);
}

struct belay__wait *belay__block_until(belay_ctx *ctx, struct belay__waiter *waiter,
				       struct belay__timeout *timeout)
{
	return belay__block_on(belay_done(ctx), waiter, timeout);
}

/* ---- The descriptor -------------------------------------------------------------------------- */

/* Owned by its node, from the first belay_done_fd() on. */
struct done_fd {
	struct belay_hook hook;
	struct node *node;
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

/* With its node. */
static void close_fd(void *arg)
{
	struct done_fd *done_fd = arg;

	belay__hook_remove_weak(done_fd->node, &done_fd->hook);
	close(done_fd->fd);
}

static struct done_fd *fd_of(struct owned *owned)
{
	return owned ? belay__owned_bytes(owned) : NULL;
}

static struct done_fd *installed(struct node *node)
{
	return fd_of(belay__owned_find(&node->ctx, OWNED_DESCRIPTOR));
}

/* A descriptor that is nobody's yet. */
static int done_fd_new(struct node *node, struct owned **ret)
{
	struct owned *owned = belay__owned_new(OWNED_DESCRIPTOR, sizeof(struct done_fd), close_fd);
	struct done_fd *done_fd = fd_of(owned);

	if (!owned)
		return -ENOMEM;
	done_fd->node = node;
	done_fd->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (done_fd->fd < 0) {
		int err = -errno;

		belay__free(owned);
		return err;
	}
	*ret = owned;
	return 0;
}

/* Of two that are made at once the first is the node's; the lock decides. */
static bool install(struct node *node, struct owned *ours)
{
	bool first;

	belay__lock_take(&node->done.gate.lock, BELAY__RANK_NODE);
	first = !installed(node);
	if (first)
		belay__owned_push(&node->ctx, ours);
	belay__lock_give(&node->done.gate.lock, BELAY__RANK_NODE);
	return first;
}

static int make_fd(struct node *node)
{
	struct owned *ours = NULL;
	int err = done_fd_new(node, &ours);

	if (err < 0)
		return err;
	if (!install(node, ours)) {
		close(fd_of(ours)->fd);
		belay__free(ours);
	} else if (!belay__hook_add_weak(node, &fd_of(ours)->hook, make_readable)) {
		make_readable(&fd_of(ours)->hook);
	}
	return 0;
}

int belay_done_fd(belay_ctx *ctx)
{
	struct node *node = ctx ? nearest_node(ctx) : NULL;
	int err = 0;

	if (!node)
		return ctx ? -EDEADLK : -EINVAL;
	if (!installed(node))
		err = make_fd(node);
	return err < 0 ? err : installed(node)->fd;
}
