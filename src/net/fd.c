/* SPDX-License-Identifier: MIT
 *
 * fd.c - calls on descriptors that the caller owns, of any kind, blocking or not.
 *
 * No try may block, whatever the descriptor's mode, and its flags are not ours to change. So:
 *
 *     sockets            MSG_DONTWAIT
 *     regular files      can't be waited for: the call is made on a blocking thread
 *     some others        RWF_NOWAIT where the kernel knows it for them: pipes from Linux 6.4
 *     non-blocking mode  the plain call
 *     blocking mode      a look whether it is ready, then the plain call, in turn with all others
 *                        of this process who do so: nobody takes what another has seen
 *
 * A pipe that is writable has room for PIPE_BUF bytes (pipe(7)). Other devices promise no such
 * thing, so a write to one in blocking mode is made on a blocking thread.
 *
 * What remains is another process that reads from (or accepts on) the same blocking descriptor
 * between our look and our call; belay/net.h says so.
 */
#include "net/io.h"
#include "net/pollfd.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

/* Beyond all errnos: this call has to be made where it may block. */
enum { NEEDS_THREAD = -4096 };

static ssize_t result_of(ssize_t result)
{
	return result < 0 ? -errno : result;
}

/* A mask of BELAY_READABLE and BELAY_WRITABLE, or a negative errno. An error or a hang-up is
 * both. */
static int look(int fd, unsigned events)
{
	struct pollfd look = {.fd = fd};
	unsigned ready = 0;

	if (events & BELAY_READABLE)
		look.events |= POLLIN;
	if (events & BELAY_WRITABLE)
		look.events |= POLLOUT;
	if (poll(&look, 1, 0) < 0)
		return -errno;
	if (look.revents & POLLNVAL)
		return -EBADF;
	if (look.revents & (POLLIN | POLLERR | POLLHUP))
		ready |= BELAY_READABLE;
	if (look.revents & (POLLOUT | POLLERR | POLLHUP))
		ready |= BELAY_WRITABLE;
	return (int)(ready & events);
}

static bool is_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_NONBLOCK);
}

static bool never_waits(mode_t mode)
{
	return S_ISREG(mode) || S_ISBLK(mode) || S_ISDIR(mode);
}

/* What a device can do only an epoll knows; to poll(2) what can't be polled looks always ready. */
static bool device_can_be_polled(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	bool refused;

	if (epoll < 0)
		return true;
	refused = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 && errno == EPERM;
	close(epoll);
	return !refused;
}

static bool can_be_polled(int fd)
{
	struct stat stat;

	if (fstat(fd, &stat) < 0 || never_waits(stat.st_mode))
		return false;
	return S_ISSOCK(stat.st_mode) || S_ISFIFO(stat.st_mode) || device_can_be_polled(fd);
}

/* Calls act(fd, arg) if fd is ready and so won't block it; -EAGAIN if it isn't. */
static ssize_t in_turn(int fd, unsigned events, ssize_t (*act)(int fd, void *arg), void *arg)
{
	struct belay__pollfd *record = belay__pollfd_of(fd);
	ssize_t result;

	if (!record)
		return -ENOMEM;
	belay__pollfd_turn_begin(record);
	result = look(fd, events);
	if (result >= 0)
		result = result == 0 ? -EAGAIN : act(fd, arg);
	belay__pollfd_turn_end(record);
	return result;
}

/* ---- Reading and writing --------------------------------------------------------------------- */

struct transfer {
	int fd;
	bool writes;
	struct iovec part;
	ssize_t result; /* of the call on a blocking thread */
};

static ssize_t plain_call(int fd, void *arg)
{
	struct transfer *transfer = arg;
	struct iovec *part = &transfer->part;

	return result_of(transfer->writes ? write(fd, part->iov_base, part->iov_len)
					  : read(fd, part->iov_base, part->iov_len));
}

static ssize_t write_to_pipe(int fd, void *arg)
{
	struct transfer *transfer = arg;
	size_t size = transfer->part.iov_len;

	return result_of(write(fd, transfer->part.iov_base, size < PIPE_BUF ? size : PIPE_BUF));
}

static ssize_t try_socket(int fd, struct transfer *transfer)
{
	struct iovec *part = &transfer->part;
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL;

	return result_of(transfer->writes ? send(fd, part->iov_base, part->iov_len, flags)
					  : recv(fd, part->iov_base, part->iov_len, flags));
}

/* Offset -1: as read(2) and write(2), at the file's own. */
static ssize_t try_nowait(int fd, struct transfer *transfer)
{
	struct iovec part = transfer->part;

	return result_of(transfer->writes ? pwritev2(fd, &part, 1, -1, RWF_NOWAIT)
					  : preadv2(fd, &part, 1, -1, RWF_NOWAIT));
}

static ssize_t try_in_blocking_mode(int fd, mode_t mode, struct transfer *transfer)
{
	ssize_t result;

	if (S_ISFIFO(mode) && transfer->writes)
		return in_turn(fd, BELAY_WRITABLE, write_to_pipe, transfer);
	if (!S_ISFIFO(mode) && !device_can_be_polled(fd))
		return NEEDS_THREAD;
	if (!transfer->writes)
		return in_turn(fd, BELAY_READABLE, plain_call, transfer);
	result = look(fd, BELAY_WRITABLE);
	if (result < 0)
		return result;
	return result == 0 ? -EAGAIN : NEEDS_THREAD;
}

static ssize_t try_file(int fd, struct transfer *transfer)
{
	struct stat stat;
	ssize_t result;

	if (fstat(fd, &stat) < 0)
		return -errno;
	if (never_waits(stat.st_mode))
		return NEEDS_THREAD;
	result = try_nowait(fd, transfer);
	if (result != -EOPNOTSUPP && result != -ENOSYS)
		return result;
	if (is_blocking(fd))
		return try_in_blocking_mode(fd, stat.st_mode, transfer);
	return plain_call(fd, transfer);
}

/* A read of nothing waits for nothing, but recv(2) would. */
static ssize_t try_transfer(int fd, void *arg)
{
	const struct transfer *transfer = arg;
	ssize_t result;

	if (transfer->part.iov_len == 0 && !transfer->writes)
		return plain_call(fd, arg);
	result = try_socket(fd, arg);
	return result == -ENOTSOCK ? try_file(fd, arg) : result;
}

static void call_on_thread(void *arg)
{
	struct transfer *transfer = arg;

	do
		transfer->result = plain_call(transfer->fd, transfer);
	while (transfer->result == -EINTR);
}

static ssize_t transfer_all_kinds(belay_ctx *ctx, struct transfer *transfer)
{
	unsigned events = transfer->writes ? BELAY_WRITABLE : BELAY_READABLE;
	ssize_t result = belay__io_lent(ctx, transfer->fd, events, try_transfer, transfer);

	if (result != NEEDS_THREAD)
		return result;
	result = belay_blocking(ctx, call_on_thread, transfer);
	return result < 0 ? result : belay__not_the_context(transfer->result);
}

ssize_t belay_read(belay_ctx *ctx, int fd, void *buf, size_t size)
{
	struct transfer transfer = {.fd = fd, .part = {buf, size}};

	return transfer_all_kinds(ctx, &transfer);
}

ssize_t belay_write(belay_ctx *ctx, int fd, const void *buf, size_t size)
{
	struct transfer transfer = {.fd = fd, .writes = true, .part = {(void *)buf, size}};

	return transfer_all_kinds(ctx, &transfer);
}

/* ---- Readiness ------------------------------------------------------------------------------- */

static ssize_t try_look(int fd, void *arg)
{
	int ready = look(fd, *(unsigned *)arg);

	if (ready == 0)
		return -EAGAIN;
	return ready > 0 && !can_be_polled(fd) ? -EPERM : ready;
}

int belay_wait_fd(belay_ctx *ctx, int fd, unsigned events)
{
	int err = belay_err(ctx);

	if (err < 0)
		return err;
	if (events == 0 || events & ~(unsigned)(BELAY_READABLE | BELAY_WRITABLE))
		return -EINVAL;
	return (int)belay__io_lent(ctx, fd, events, try_look, &events);
}

/* ---- Accepting ------------------------------------------------------------------------------- */

struct peer {
	struct sockaddr *addr;
	socklen_t *len;
	socklen_t room;
};

static ssize_t accept_one(int fd, void *arg)
{
	struct peer *peer = arg;

	if (peer->len)
		*peer->len = peer->room;
	return result_of(accept4(fd, peer->addr, peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

static bool is_listening(int fd)
{
	int listening = 0;
	socklen_t size = sizeof listening;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

/* Only a listening socket in blocking mode would block. */
static ssize_t try_accept(int fd, void *arg)
{
	if (is_blocking(fd) && is_listening(fd))
		return in_turn(fd, BELAY_READABLE, accept_one, arg);
	return accept_one(fd, arg);
}

int belay_accept(belay_ctx *ctx, int fd, struct sockaddr *addr, socklen_t *len)
{
	struct peer peer = {.addr = addr, .len = len, .room = len ? *len : 0};
	ssize_t result = belay__io_lent(ctx, fd, BELAY_READABLE, try_accept, &peer);

	if (result < 0 && len)
		*len = peer.room;
	return (int)result;
}

/* ---- Connecting ------------------------------------------------------------------------------ */

/* connect(2) knows no flag for a single call: the descriptor is in non-blocking mode for its
 * duration. */
static int connect_nonblocking(int fd, const struct sockaddr *addr, socklen_t len)
{
	int flags = fcntl(fd, F_GETFL);
	int err = 0;

	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	if (connect(fd, addr, len) < 0)
		err = errno == EINTR ? -EINPROGRESS : -errno;
	if (!(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags);
	return err;
}

/* A socket is writable, or broken, as soon as its connecting has ended. */
static ssize_t try_finish(int fd, void *arg)
{
	int ready = look(fd, BELAY_WRITABLE), err = 0;
	socklen_t size = sizeof err;

	if (ready <= 0)
		return ready < 0 ? ready : -EAGAIN;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0)
		return -errno;
	return -err;
}

/* A Unix socket whose backlog is full says EAGAIN, and no event tells when it has room again. */
static int connect_at_once(belay_ctx *ctx, int fd, const struct sockaddr *addr, socklen_t len)
{
	int64_t pause = BELAY_MS(1);
	int err;

	for (;;) {
		err = connect_nonblocking(fd, addr, len);
		if (err != -EAGAIN || addr->sa_family != AF_UNIX)
			return err;
		err = belay_sleep(ctx, pause);
		if (err < 0)
			return err;
		if (pause < BELAY_MS(64))
			pause *= 2;
	}
}

int belay_connect(belay_ctx *ctx, int fd, const struct sockaddr *addr, socklen_t len)
{
	int err = belay_err(ctx);

	if (err < 0)
		return err;
	err = connect_at_once(ctx, fd, addr, len);
	if (err != -EINPROGRESS)
		return err;
	return (int)belay__io_lent(ctx, fd, BELAY_WRITABLE, try_finish, NULL);
}
