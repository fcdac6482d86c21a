/* SPDX-License-Identifier: MIT
 *
 * open_beneath.c - opens files below a folder, and nothing else.
 *
 * openat2(2) does it in the kernel, which no race with somebody who renames folders can get around.
 * It is tried from what the kernel has in memory first (RESOLVE_CACHED), and where that is not
 * enough on a blocking thread. Pipes and devices are opened without waiting for their other side
 * (O_NONBLOCK): whoever opens looks at what it is.
 */
#include "http/open_beneath.h"

#include <belay/task.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* Linux 5.12 */
#endif

enum { FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, TRIES = 8 };

/* ---- By steps -------------------------------------------------------------------------------- */

static int step(int dir, const char *name, bool last)
{
	int fd = openat(dir, name, O_NOFOLLOW | O_CLOEXEC | (last ? FLAGS : O_PATH | O_DIRECTORY));

	return fd < 0 ? -errno : fd;
}

/* The next segment of *path to name; *path moves on to the one behind it. */
static int take_segment(const char **path, char name[NAME_MAX + 1])
{
	size_t size = strcspn(*path, "/");

	if (size > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, *path, size);
	name[size] = '\0';
	if (size == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EXDEV;
	*path += size;
	return 0;
}

int belay__open_by_steps(int dir, const char *path)
{
	char name[NAME_MAX + 1];
	int at = dir;

	if (!*path)
		return step(dir, ".", true);
	for (;;) {
		int fd = take_segment(&path, name);

		if (fd == 0)
			fd = step(at, name, !*path);
		if (at != dir)
			close(at);
		if (fd < 0 || !*path)
			return fd;
		at = fd;
		path++;
	}
}

/* ---- By openat2 ------------------------------------------------------------------------------ */

struct opening {
	int dir;
	const char *path;
	bool follow;
	int result;
};

static int call(const struct opening *o, uint64_t resolve)
{
	struct open_how how = {.flags = FLAGS,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve};
	long fd;

	if (!o->follow)
		how.resolve |= RESOLVE_NO_SYMLINKS;
	fd = syscall(SYS_openat2, o->dir, *o->path ? o->path : ".", &how, sizeof how);
	return fd < 0 ? -errno : (int)fd;
}

/* EAGAIN: something was renamed meanwhile, so that the kernel can't tell. */
static void open_now(void *arg)
{
	struct opening *o = arg;

	for (int i = 0; i < TRIES && (i == 0 || o->result == -EAGAIN); i++)
		o->result = call(o, 0);
	if (o->result == -ENOSYS || o->result == -EPERM)
		o->result = belay__open_by_steps(o->dir, o->path);
}

/* Whatever else it says, without RESOLVE_CACHED it may say better. */
static bool is_final(int result)
{
	return result >= 0 || result == -ENOENT || result == -ENOTDIR || result == -ELOOP ||
	       result == -EXDEV || result == -EACCES || result == -ENAMETOOLONG;
}

int belay__open_beneath(belay_ctx *ctx, int dir, const char *path, bool follow)
{
	struct opening o = {.dir = dir, .path = path, .follow = follow};
	int r = belay_err(ctx);

	if (r < 0)
		return r;
	o.result = call(&o, RESOLVE_CACHED);
	if (is_final(o.result))
		return o.result;
	r = belay_blocking(ctx, open_now, &o);
	return r < 0 ? r : o.result;
}
