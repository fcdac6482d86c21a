/* SPDX-License-Identifier: MIT
 *
 * sendfile.c - a file's bytes out of a connection, without a copy in this process. Not through a
 * filter, which must see them.
 */
#include "net/conn.h"
#include "net/io.h"

#include <errno.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <time.h>

struct piece {
	int file;
	off_t offset;
	size_t size;
};

static bool is_whole(ssize_t n, const struct piece *piece)
{
	return n >= 0 && (size_t)n == piece->size;
}

/* sendfile(2) knows no MSG_NOSIGNAL. The signal goes to the thread that writes: so it is blocked
 * here, and taken away where the write has raised it and none was waiting before. It may also where
 * it returns a count: of what went before the peer was found gone. */
static ssize_t send_without_signal(int fd, struct piece *piece)
{
	const struct timespec at_once = {0, 0};
	sigset_t pipe, before, waiting;
	ssize_t n;
	int err;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&waiting);
	pthread_sigmask(SIG_BLOCK, &pipe, &before);
	n = sendfile(fd, piece->file, &piece->offset, piece->size);
	err = errno;
	if (!is_whole(n, piece) && !sigismember(&waiting, SIGPIPE))
		while (sigtimedwait(&pipe, NULL, &at_once) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return n < 0 ? -err : n;
}

static ssize_t try_send(int fd, void *arg)
{
	struct piece *piece = arg;
	ssize_t n = send_without_signal(fd, piece);

	return n == 0 && piece->size > 0 ? -ENODATA : n;
}

int belay_conn_sendfile(belay_ctx *ctx, belay_conn *conn, int fd, off_t offset, size_t size,
			size_t *written)
{
	struct piece piece = {fd, offset, size};
	ssize_t n = belay_err(ctx);

	if (n == 0 && conn->filter)
		n = -EOPNOTSUPP; /* the file's bytes are not what is to go out */
	while (n >= 0 && piece.size > 0) {
		n = belay__io_owned(ctx, conn->fd, BELAY_WRITABLE, try_send, &piece);
		piece.size -= n > 0 ? (size_t)n : 0;
	}
	if ((n == -EINVAL || n == -ENOSYS) && piece.size == size)
		n = -EOPNOTSUPP; /* of this file; what was sent before shows that it can be */
	if (written)
		*written = size - piece.size;
	return n < 0 ? (int)n : 0;
}
