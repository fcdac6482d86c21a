/* SPDX-License-Identifier: MIT
 *
 * inherit.c - descriptors that the process began with: sd_listen_fds(3)'s protocol.
 *
 *     LISTEN_PID=number          whom it is for, so that what inherits the environment further
 *                                down does not take it for its own
 *     LISTEN_FDS=count           they are 3, 4 ... 3 + count - 1
 *     LISTEN_FDNAMES=a:b         their names; not there: all are called "unknown"
 *
 * Who starts a program as belay_process_start() does, by posix_spawn(3), knows its number only when
 * it runs. So without a LISTEN_PID the descriptors are also for the child of BELAY_LISTEN_PPID.
 *
 * State       a descriptor is there until it is taken, once for all.
 * Locking     lock guards taken.
 */
#include "base/lock.h"

#include <belay/net.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST = 3, MOST = 1024 };

static struct belay__lock lock;
static bool taken[MOST];

/* A positive number that fits and nothing else; -1: it is not. */
static int number_of(const char *text)
{
	char *end;
	long n;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	n = strtol(text, &end, 10);
	return *end || errno || n <= 0 || n > INT_MAX ? -1 : (int)n;
}

/* 1: it is for this process; 0: it is not; -EINVAL. */
static int is_for_us(void)
{
	const char *pid = secure_getenv("LISTEN_PID"), *parent = secure_getenv("BELAY_LISTEN_PPID");
	int n = pid ? number_of(pid) : parent ? number_of(parent) : 0;

	if (n < 0)
		return -EINVAL;
	return n > 0 && n == (pid ? getpid() : getppid());
}

static int count_names(const char *names)
{
	int n = 1;

	for (; *names; names++)
		n += *names == ':';
	return n;
}

/* How many there are, and their names (NULL: they have none); 0: none for us; -EINVAL. */
static int given(const char **ret_names)
{
	const char *count = secure_getenv("LISTEN_FDS");
	int n, r = count ? is_for_us() : 0;

	if (r <= 0)
		return r;
	n = number_of(count);
	*ret_names = secure_getenv("LISTEN_FDNAMES");
	if (n < 0 || n > MOST || (*ret_names && count_names(*ret_names) != n))
		return -EINVAL;
	return n;
}

/* They are not for the programs that we start in our turn. What was taken may be closed by now, and
 * its number another's. */
static void close_on_exec(int count)
{
	for (int i = 0; i < count; i++)
		if (!taken[i])
			fcntl(FIRST + i, F_SETFD, FD_CLOEXEC);
}

static bool is_called(const char *entry, const char *name)
{
	size_t size = strcspn(entry, ":");

	return strlen(name) == size && strncmp(entry, name, size) == 0;
}

/* The index of the first one that has not been taken; -1: there is none. */
static int find(int count, const char *names, const char *name)
{
	for (int i = 0; i < count; i++) {
		const char *entry = names ? names : "unknown";

		if (!taken[i] && (!name || is_called(entry, name)))
			return i;
		if (names)
			names += strcspn(names, ":") + 1;
	}
	return -1;
}

static int take(int count, const char *names, const char *name)
{
	int i = find(count, names, name);

	if (i < 0)
		return -ENOENT;
	if (fcntl(FIRST + i, F_GETFD) < 0)
		return -EBADF;
	taken[i] = true;
	return FIRST + i;
}

/* ---- Public ---------------------------------------------------------------------------------- */

int belay_inherited_fd(const char *name)
{
	const char *names = NULL;
	int count = given(&names), fd;

	if (count < 0)
		return count;
	belay__lock_take(&lock, BELAY__RANK_LEAF);
	close_on_exec(count);
	fd = take(count, names, name);
	belay__lock_give(&lock, BELAY__RANK_LEAF);
	return fd;
}

int belay_listen_inherited(const char *name, belay_listener **ret)
{
	int fd = belay_inherited_fd(name);
	int err = fd < 0 ? fd : belay_listener_from_fd(fd, ret);

	if (fd < 0 || err == 0)
		return err;
	belay__lock_take(&lock, BELAY__RANK_LEAF);
	taken[fd - FIRST] = false;
	belay__lock_give(&lock, BELAY__RANK_LEAF);
	return err;
}
