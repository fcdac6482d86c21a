/* SPDX-License-Identifier: MIT
 *
 * spawn.c - from a command to a child: posix_spawn(3), with all that it can set.
 *
 * The C library makes the child as vfork(2) does: in no time however large this process is, and
 * what fails in the child, the execve(2) too, is what the call says. Until then the calling thread
 * stands still, as long as a slow disk may take; so in a task a thread that may block makes the
 * call.
 */
#include "os/spawn.h"

#include "base/alloc.h"
#include "base/thread.h"
#include "net/io.h"
#include "os/environment.h"

#include <belay/task.h>

#include <errno.h>
#include <signal.h>
#include <spawn.h>

struct order {
	const struct belay_command *command;
	const char *program;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	struct belay__environment environment;
	pid_t pid;
	int err;
};

/* Its own group; all signals at their defaults; the program's mask, not that of a thread of
 * ours. */
static int set_attributes(struct order *order)
{
	posix_spawnattr_t *attributes = &order->attributes;
	short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	sigset_t all, mask;

	sigfillset(&all);
	belay__program_mask(&mask);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setsigmask(attributes, &mask);
	if (!order->command->same_group)
		flags |= POSIX_SPAWN_SETPGROUP;
	return posix_spawnattr_setflags(attributes, flags);
}

/* What is beyond those numbers is closed: this process's other descriptors, whoever opened them. */
static int add_descriptors(struct order *order, const struct belay__stdio *stdio)
{
	int err = 0;

	for (size_t i = 0; i < stdio->count && err == 0; i++)
		err = posix_spawn_file_actions_adddup2(&order->actions, stdio->child[i], (int)i);
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(&order->actions, (int)stdio->count);
	return err;
}

/* A path without a slash is one of PATH's, all others are as seen from the folder. */
static int add_folder(struct order *order)
{
	if (!order->command->dir)
		return 0;
	return posix_spawn_file_actions_addchdir_np(&order->actions, order->command->dir);
}

/* 0, or an errno. The lists are the C library's memory, which no test can keep from it. */
static int fill(struct order *order, const struct belay__stdio *stdio)
{
	int err = belay__alloc_fails() ? ENOMEM : add_descriptors(order, stdio);

	if (!err)
		err = add_folder(order);
	return err ? err : set_attributes(order);
}

static void spawn(void *arg)
{
	struct order *order = arg;

	order->err = posix_spawnp(&order->pid, order->program, &order->actions, &order->attributes,
				  (char *const *)order->command->argv, order->environment.list);
}

static int place(belay_ctx *ctx, struct order *order)
{
	int err = belay_blocking(ctx, spawn, order);

	return err < 0 ? err : (int)belay__not_the_context(-order->err);
}

static int fill_and_place(belay_ctx *ctx, struct order *order, const struct belay__stdio *stdio)
{
	int err = -posix_spawn_file_actions_init(&order->actions);

	if (err < 0)
		return err;
	err = -posix_spawnattr_init(&order->attributes);
	if (err == 0) {
		err = -fill(order, stdio);
		if (err == 0)
			err = place(ctx, order);
		posix_spawnattr_destroy(&order->attributes);
	}
	posix_spawn_file_actions_destroy(&order->actions);
	return err;
}

int belay__spawn(belay_ctx *ctx, const struct belay_command *command,
		 const struct belay__stdio *stdio, pid_t *ret)
{
	struct order order = {
		.command = command,
		.program = command->program ? command->program : command->argv[0],
	};
	int err = belay__environment_init(&order.environment, ctx, command);

	if (err < 0)
		return err;
	err = fill_and_place(ctx, &order, stdio);
	belay__environment_fini(&order.environment);
	if (err == 0)
		*ret = order.pid;
	return err;
}
