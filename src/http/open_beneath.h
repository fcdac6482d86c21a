/* SPDX-License-Identifier: MIT
 *
 * open_beneath.h - opens files below a folder, and nothing else.
 */
#ifndef BELAY_SRC_HTTP_OPEN_BENEATH_H
#define BELAY_SRC_HTTP_OPEN_BENEATH_H

#include <belay/context.h>

/* Opens path ("a/b", "" for dir itself) for reading, non-blocking. It never leaves dir, by "..", by
 * an absolute path or by a link. Symbolic links are followed where follow says so, as long as they
 * lead to what is below dir. Waits for the disk on a blocking thread. A descriptor; or
 * belay_blocking()'s errors; -ELOOP: a link; -EXDEV: it leads out; -errno as openat2(2). */
int belay__open_beneath(belay_ctx *ctx, int dir, const char *path, bool follow);

/* The same without openat2(2), segment by segment: no links are followed, and no ".." taken.
 * Blocks. For kernels before 5.6, and sandboxes that forbid what they don't know. */
int belay__open_by_steps(int dir, const char *path);

#endif
