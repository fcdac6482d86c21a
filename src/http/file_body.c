/* SPDX-License-Identifier: MIT
 *
 * file_body.c - reads regular files without keeping a worker waiting for the disk.
 *
 * Reading a file blocks its thread where the bytes are not in the page cache, and no poller tells
 * of that. So the first and the last byte of a piece are tried with RWF_NOWAIT, which fails where
 * it would block; and where it does, the piece is read ahead on a blocking thread first. It may be
 * gone again by the time it is used, under memory pressure: then a worker waits after all.
 */
#include "http/file_body.h"

#include <belay/task.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/uio.h>
#include <unistd.h>

struct piece {
	int fd;
	off_t offset;
	size_t size;
};

/* File systems that don't know the flag may block, for all we know. */
static bool is_there(int fd, off_t offset)
{
	char byte;
	struct iovec iov = {&byte, 1};

	return preadv2(fd, &iov, 1, offset, RWF_NOWAIT) >= 0;
}

/* readahead(2) begins the reads, and the last byte is there when they are over. */
static void read_ahead(void *arg)
{
	const struct piece *piece = arg;
	ssize_t n = readahead(piece->fd, piece->offset, piece->size);
	char byte;

	n = pread(piece->fd, &byte, 1, piece->offset + (off_t)piece->size - 1);
	(void)n; /* an error shows when the piece is used */
}

int belay__file_warm(belay_ctx *ctx, int fd, off_t offset, size_t size)
{
	struct piece piece = {fd, offset, size};

	if (size == 0 || (is_there(fd, offset) && is_there(fd, offset + (off_t)size - 1)))
		return 0;
	return belay_blocking(ctx, read_ahead, &piece);
}

int belay__file_read(belay_ctx *ctx, int fd, void *buf, size_t size, off_t offset)
{
	int r = belay__file_warm(ctx, fd, offset, size);

	for (size_t got = 0; r == 0 && got < size;) {
		ssize_t n = pread(fd, (char *)buf + got, size - got, offset + (off_t)got);

		if (n < 0 && errno != EINTR)
			r = -errno;
		else if (n == 0)
			r = -ENODATA;
		got += n > 0 ? (size_t)n : 0;
	}
	return r;
}
