/* SPDX-License-Identifier: MIT
 *
 * time.h - durations and moments. Both are int64_t nanoseconds; a moment is on belay_now()'s clock.
 */
#ifndef BELAY_TIME_H
#define BELAY_TIME_H

#include <belay/macros.h>

#include <stdint.h>

BELAY_BEGIN_DECLS

typedef struct belay_ctx belay_ctx;

/* n of a unit as nanoseconds. n may be of any integer or floating type; a fraction of a nanosecond
 * is cut off, and a result that int64_t can't hold is the caller's to avoid. */
#define BELAY_NS(n) ((int64_t)(n))
#define BELAY_US(n) ((int64_t)((n) * INT64_C(1000)))
#define BELAY_MS(n) ((int64_t)((n) * INT64_C(1000000)))
#define BELAY_S(n)  ((int64_t)((n) * INT64_C(1000000000)))

/* As a duration: without end. As a moment: never. */
#define BELAY_FOREVER INT64_MAX

/* Nanoseconds on CLOCK_MONOTONIC. Never fails, never blocks; any thread, also a signal handler. */
BELAY_EXPORT int64_t belay_now(void);

/* Blocks for ns nanoseconds (at once where ns <= 0) or until ctx is done.
 * Returns 0, or the context's error. A task that sleeps leaves its worker to others, and goes on
 * once that comes round to it: one that never yields keeps it waiting. */
BELAY_EXPORT int belay_sleep(BELAY_BORROWED belay_ctx *ctx, int64_t ns);

BELAY_END_DECLS

#endif
