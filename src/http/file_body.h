/* SPDX-License-Identifier: MIT
 *
 * file_body.h - reads regular files without keeping a worker waiting for the disk.
 */
#ifndef BELAY_SRC_HTTP_FILE_BODY_H
#define BELAY_SRC_HTTP_FILE_BODY_H

#include <belay/context.h>

#include <sys/types.h>

enum { BELAY__FILE_PIECE = 256 * 1024 };

/* Sees to it that these bytes of the file are in memory, on a blocking thread where they are not.
 * 0, or belay_blocking()'s errors; what can't be read shows when it is. */
int belay__file_warm(belay_ctx *ctx, int fd, off_t offset, size_t size);

/* Reads all of it. 0; belay_blocking()'s errors; -ENODATA: the file ends before that; -errno. */
int belay__file_read(belay_ctx *ctx, int fd, void *buf, size_t size, off_t offset);

#endif
