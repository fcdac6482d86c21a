/* SPDX-License-Identifier: MIT
 *
 * client_sockets.c - the descriptors that a driver waits for, in an epoll of its own.
 *
 * curl says by number which sockets it waits for, and of one that it closes while connecting it
 * says so only afterwards, when the number may be somebody else's already, or its own next one's,
 * of which it then says nothing. So:
 *
 * - A socket is registered when it is opened, whether curl mentions its number again or not.
 * - That curl waits for one no longer is only noted. The registration is taken off when the socket
 *   is closed, or when an event comes that nobody wants: then the number is known to be ours.
 *   An idle connection that is used again needs no system call in between.
 *
 * Invariant   A registered descriptor's number is below room.
 * Locking     none: the driver's task alone.
 */
#include "client.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_ROOM = 64 };

/* Makes wanted[fd] be there. */
static int reserve(struct belay__sockets *sockets, int fd)
{
	size_t room = sockets->room ? sockets->room : FIRST_ROOM;
	bool *wanted;

	while (room <= (size_t)fd)
		room *= 2;
	if (room == sockets->room)
		return 0;
	wanted = belay__realloc(sockets->wanted, room * sizeof *wanted);
	if (!wanted)
		return -ENOMEM;
	memset(wanted + sockets->room, 0, (room - sockets->room) * sizeof *wanted);
	sockets->wanted = wanted;
	sockets->room = room;
	return 0;
}

int belay__sockets_init(struct belay__sockets *sockets)
{
	sockets->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return sockets->epoll_fd < 0 ? -errno : 0;
}

void belay__sockets_fini(struct belay__sockets *sockets)
{
	belay__free(sockets->wanted);
	if (sockets->epoll_fd >= 0)
		close(sockets->epoll_fd);
}

int belay__sockets_watch(struct belay__sockets *sockets, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	int err = reserve(sockets, fd);

	if (err)
		return err;
	if (epoll_ctl(sockets->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 &&
	    (errno != ENOENT || epoll_ctl(sockets->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0))
		return -errno;
	sockets->wanted[fd] = true;
	return 0;
}

void belay__sockets_unwatch(struct belay__sockets *sockets, int fd)
{
	if ((size_t)fd < sockets->room)
		sockets->wanted[fd] = false;
}

bool belay__sockets_expect(struct belay__sockets *sockets, int fd)
{
	if (sockets->wanted[fd])
		return true;
	epoll_ctl(sockets->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	return false;
}

/* A new socket is for connecting, and that ends with its being writable. */
int belay__sockets_open(struct belay__sockets *sockets, int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	int err = fd < 0 ? -errno : belay__sockets_watch(sockets, fd, EPOLLOUT);

	if (err == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

/* Taken off first: a child of this process may keep the socket open beyond its close here. */
void belay__sockets_close(struct belay__sockets *sockets, int fd)
{
	epoll_ctl(sockets->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	belay__sockets_unwatch(sockets, fd);
	close(fd);
}
