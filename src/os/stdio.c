/* SPDX-License-Identifier: MIT
 *
 * stdio.c - the descriptors that a command is given.
 *
 * The child moves each of them to its number in turn, and none may be overwritten before it was
 * moved. So each is a descriptor of its own whose number lies beyond all of those; which also holds
 * where this program's own 0, 1 or 2 are closed, and a pipe would get their numbers.
 */
#include "os/stdio.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { IN, OUT, ERR };

/* A duplicate whose number is count at least, or -errno. */
static int duplicate(const struct belay__stdio *stdio, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, (int)stdio->count);

	return copy < 0 ? -errno : copy;
}

/* fd itself where its number will do; else it is replaced. An error of fd's maker is handed on. */
static int beyond(const struct belay__stdio *stdio, int fd)
{
	int copy;

	if (fd < 0)
		return -errno;
	if (fd >= (int)stdio->count)
		return fd;
	copy = duplicate(stdio, fd);
	close(fd);
	return copy;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t count = write(fd, data, size);

		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0) {
			data += count;
			size -= (size_t)count;
		}
	}
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

/* A file in memory, as a shell has a file for its here-document: nobody has to feed it, and a child
 * that does not read it raises no SIGPIPE. */
static int open_data(const struct belay__stdio *stdio, const void *data, size_t size)
{
	int fd = beyond(stdio, memfd_create("belay-stdin", MFD_CLOEXEC));
	int err = fd < 0 ? fd : write_all(fd, data, size);

	if (err == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

static int set_nonblocking(int fd)
{
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ? -errno : fd;
}

/* The child's end; ours is noted. */
static int open_pipe(struct belay__stdio *stdio, int which)
{
	int ends[2], childs = which == IN ? 0 : 1;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	stdio->ours[which] = beyond(stdio, ends[!childs]);
	if (stdio->ours[which] >= 0)
		stdio->ours[which] = set_nonblocking(stdio->ours[which]);
	if (stdio->ours[which] < 0) {
		close(ends[childs]);
		return stdio->ours[which];
	}
	return beyond(stdio, ends[childs]);
}

static int open_one(struct belay__stdio *stdio, const struct belay_stdio *how, int which)
{
	switch (how->kind) {
	case BELAY_STDIO_NULL:
		return beyond(stdio, open("/dev/null", O_RDWR | O_CLOEXEC));
	case BELAY_STDIO_INHERIT:
		return duplicate(stdio, which);
	case BELAY_STDIO_FD:
		return duplicate(stdio, how->fd);
	case BELAY_STDIO_DATA:
		return which == IN ? open_data(stdio, how->data, how->size) : -EINVAL;
	case BELAY_STDIO_CAPTURE:
		return which != IN && how->capture ? open_pipe(stdio, which) : -EINVAL;
	case BELAY_STDIO_PIPE:
		return how->pipe ? open_pipe(stdio, which) : -EINVAL;
	case BELAY_STDIO_OUTPUT:
		return which == ERR ? duplicate(stdio, stdio->child[OUT]) : -EINVAL;
	}
	return -EINVAL;
}

static int open_number(struct belay__stdio *stdio, const struct belay_command *command, size_t i)
{
	const struct belay_stdio *how[BELAY__STDIO] = {&command->in, &command->out, &command->err};

	if (i >= BELAY__STDIO)
		return duplicate(stdio, command->fds[i - BELAY__STDIO]);
	return open_one(stdio, how[i], (int)i);
}

int belay__stdio_open(struct belay__stdio *stdio, const struct belay_command *command)
{
	int err = 0;

	*stdio = (struct belay__stdio){.count = BELAY__STDIO + command->fd_count,
				       .ours = {-1, -1, -1}};
	stdio->child = belay__malloc(stdio->count * sizeof *stdio->child);
	if (!stdio->child)
		return -ENOMEM;
	for (size_t i = 0; i < stdio->count; i++)
		stdio->child[i] = -1;
	for (size_t i = 0; i < stdio->count && err == 0; i++) {
		stdio->child[i] = open_number(stdio, command, i);
		err = stdio->child[i] < 0 ? stdio->child[i] : 0;
	}
	if (err < 0) {
		belay__stdio_close_child(stdio);
		belay__stdio_close_ours(stdio);
	}
	return err;
}

void belay__stdio_close_child(struct belay__stdio *stdio)
{
	for (size_t i = 0; i < stdio->count; i++)
		if (stdio->child[i] >= 0)
			close(stdio->child[i]);
	belay__free(stdio->child);
	stdio->child = NULL;
	stdio->count = 0;
}

void belay__stdio_close_ours(struct belay__stdio *stdio)
{
	for (int i = 0; i < BELAY__STDIO; i++)
		if (stdio->ours[i] >= 0)
			close(stdio->ours[i]);
}
