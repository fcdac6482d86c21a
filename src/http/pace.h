/* SPDX-License-Identifier: MIT
 *
 * pace.h - whether a body comes fast enough.
 *
 * Only the time counts in which somebody waits for it: a handler that takes its own makes no client
 * late. A client may keep its handler waiting for grace in all, and besides for as long as what it
 * has sent so far takes at rate.
 */
#ifndef BELAY_SRC_HTTP_PACE_H
#define BELAY_SRC_HTTP_PACE_H

#include <stdint.h>

struct belay__pace {
	uint64_t rate; /* bytes a second; not 0                      */
	int64_t grace; /* nanoseconds; BELAY_FOREVER: any pace will do */
};

/* For how long, in nanoseconds, the next bytes of a body may be waited for, of which size have come
 * and which was waited for so far: at most patience, and not at all where that is 0. */
int64_t belay__pace_patience(const struct belay__pace *pace, uint64_t size, int64_t waited,
			     int64_t patience);

#endif
