/* SPDX-License-Identifier: MIT
 *
 * parallel_map.c - a function of each of many things, a few at a time, the results in their order.
 *
 *     parallel_map FILE...    how many lines each has
 *
 * A group with a limit is all it takes: belay_group_go() waits while as many tasks run as may. Each
 * writes into the item that it was given, so the results stand in order and need no lock. The first
 * error ends the group's context, and so the others that are under way.
 */
#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

enum {
	AT_ONCE = 4,
	BLOCK = 32 << 10
};

/* ---- The map --------------------------------------------------------------------------------- */

/* Calls fn(ctx, item) in a task for each of n items of size bytes, at most at_once at the same
 * time. Returns when all that began have returned: 0, the first error of an fn, or the
 * context's. */
static int parallel_map(belay_ctx *ctx, int (*fn)(belay_ctx *ctx, void *item), void *items,
			size_t size, size_t n, unsigned at_once)
{
	belay_group *group = belay_group_new(ctx);
	char *item = items;
	int err = 0, failed;

	if (!group)
		return -ENOMEM;
	belay_group_limit(group, at_once);
	for (size_t i = 0; i < n && err == 0; i++)
		err = belay_group_go(group, fn, item + i * size);
	failed = belay_group_wait(group);
	return failed < 0 ? failed : err;
}

/* ---- What it is used for --------------------------------------------------------------------- */

struct file {
	const char *path;
	unsigned long lines;
	int err;
};

static unsigned long newlines(const char *block, ssize_t size)
{
	unsigned long n = 0;

	for (ssize_t i = 0; i < size; i++)
		n += block[i] == '\n';
	return n;
}

/* belay_read() obeys the context for whatever can be opened: a file, a pipe, a terminal. A task's
 * stack has room for the block (180 KiB in all). */
static int count_in(belay_ctx *ctx, int fd, unsigned long *lines)
{
	char block[BLOCK];
	ssize_t size;

	while ((size = belay_read(ctx, fd, block, sizeof block)) > 0)
		*lines += newlines(block, size);
	return (int)size;
}

/* O_NONBLOCK: to open a pipe would else block until it has a writer, and the worker with it. */
static int count_lines(belay_ctx *ctx, void *item)
{
	struct file *file = item;
	int fd = open(file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	file->err = fd < 0 ? -errno : count_in(ctx, fd, &file->lines);
	if (fd >= 0)
		close(fd);
	return file->err;
}

static void show(const struct file *files, int n)
{
	for (int i = 0; i < n; i++)
		printf("%lu %s\n", files[i].lines, files[i].path);
}

/* Whose error it was: the others that were under way have the context's. */
static const char *culprit(const struct file *files, int n, int err)
{
	for (int i = 0; i < n; i++)
		if (files[i].err == err)
			return files[i].path;
	return "parallel_map";
}

/* As main() returns. The files' memory goes with the context. */
static int count_all(belay_ctx *ctx, char **paths, int n)
{
	struct file *files = belay_alloc(ctx, (size_t)n * sizeof *files);
	int err;

	if (!files)
		return explain("parallel_map", ctx, -ENOMEM);
	for (int i = 0; i < n; i++)
		files[i].path = paths[i];
	err = parallel_map(ctx, count_lines, files, sizeof *files, (size_t)n, AT_ONCE);
	if (err == 0)
		show(files, n);
	return explain(belay_err(ctx) ? "parallel_map" : culprit(files, n, err), ctx, err);
}

int main(int argc, char **argv)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	int status = count_all(ctx, argv + 1, argc - 1);

	belay_end(ctx);
	belay_shutdown();
	return status;
}
