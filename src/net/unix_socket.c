/* SPDX-License-Identifier: MIT
 *
 * unix_socket.c - listening on a Unix socket, whose file outlives the process that bound it.
 *
 * bind(2) refuses a path that exists. Where a connect shows that nobody listens there, the file is
 * what a process left behind that died, and is removed. It is removed only if it is still the one
 * that was tried; two programs that find the same stale file in the same moment may yet both come
 * through, and then the later one has the path.
 */
#include "net/unix_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static int open_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static int try_bind(int fd, const struct sockaddr_un *addr, socklen_t len)
{
	return bind(fd, (const struct sockaddr *)addr, len) < 0 ? -errno : 0;
}

static bool has_file(const struct sockaddr_un *addr)
{
	return addr->sun_path[0] != '\0';
}

/* True where connecting to addr is refused. Anything else, also what we may not know, is an
 * answer. */
static bool is_refused(const struct sockaddr_un *addr, socklen_t len)
{
	int fd = open_socket();
	bool refused;

	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)addr, len) < 0 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Removes addr's file where it is a socket that nobody listens on. 0: try again; -EADDRINUSE: it
 * stays. */
static int remove_stale(const struct sockaddr_un *addr, socklen_t len)
{
	struct stat tried, now;

	if (lstat(addr->sun_path, &tried) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(tried.st_mode) || !is_refused(addr, len))
		return -EADDRINUSE;
	if (lstat(addr->sun_path, &now) == 0 && same_file(&tried, &now))
		unlink(addr->sun_path);
	return 0;
}

static int bind_or_replace(int fd, const struct sockaddr_un *addr, socklen_t len)
{
	int err = try_bind(fd, addr, len);

	if (err != -EADDRINUSE || !has_file(addr))
		return err;
	err = remove_stale(addr, len);
	return err < 0 ? err : try_bind(fd, addr, len);
}

static void note_file(const struct sockaddr_un *addr, struct belay__unix_file *ret)
{
	struct stat stat;

	ret->path[0] = '\0';
	if (!has_file(addr) || lstat(addr->sun_path, &stat) < 0)
		return;
	memcpy(ret->path, addr->sun_path, sizeof ret->path);
	ret->device = stat.st_dev;
	ret->inode = stat.st_ino;
}

int belay__unix_listen(const struct sockaddr_un *addr, socklen_t len, int backlog,
		       struct belay__unix_file *ret)
{
	int fd = open_socket();
	int err;

	if (fd < 0)
		return fd;
	err = bind_or_replace(fd, addr, len);
	if (err < 0) {
		close(fd);
		return err;
	}
	note_file(addr, ret);
	if (listen(fd, backlog) == 0)
		return fd;
	err = -errno;
	belay__unix_file_remove(ret);
	close(fd);
	return err;
}

void belay__unix_file_remove(const struct belay__unix_file *file)
{
	struct stat stat;

	if (file->path[0] != '\0' && lstat(file->path, &stat) == 0 &&
	    stat.st_dev == file->device && stat.st_ino == file->inode)
		unlink(file->path);
}
