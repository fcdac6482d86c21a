/* SPDX-License-Identifier: MIT
 *
 * grpc_timeout.h - what is left of a deadline, as gRPC writes it.
 */
#ifndef BELAY_SRC_HTTP_GRPC_TIMEOUT_H
#define BELAY_SRC_HTTP_GRPC_TIMEOUT_H

#include <stdint.h>

/* "99999999H" and its end. */
enum { BELAY__GRPC_TIMEOUT_SIZE = 10 };

/* 0 and *ret in nanoseconds (BELAY_FOREVER where it is too long to count), or -EINVAL. */
int belay__grpc_timeout_parse(const char *text, int64_t *ret);

/* ns, which is not negative, in the finest unit that has room for it, cut off: never longer. */
void belay__grpc_timeout_format(int64_t ns, char ret[BELAY__GRPC_TIMEOUT_SIZE]);

#endif
