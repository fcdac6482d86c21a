/* SPDX-License-Identifier: MIT
 *
 * dropped.h - headers that should have carried a context, and were malformed.
 *
 * What they say is as good as not said: no request fails for it. That it happens is counted, for
 * the whole process, since a peer that sends them is broken or hostile.
 */
#ifndef BELAY_SRC_HTTP_DROPPED_H
#define BELAY_SRC_HTTP_DROPPED_H

#include <stdint.h>

enum belay__dropped {
	BELAY__DROPPED_TRACEPARENT,
	BELAY__DROPPED_TRACESTATE,
	BELAY__DROPPED_TRACE_ID,
	BELAY__DROPPED_BAGGAGE,
	BELAY__DROPPED_REQUEST_TIMEOUT,
	BELAY__DROPPED_GRPC_TIMEOUT,
	BELAY__DROPPED_KINDS,
};

/* One more. Any thread. */
void belay__drop(enum belay__dropped kind);

/* How many so far; and the name of the header, in lower case. */
uint64_t belay__dropped_count(enum belay__dropped kind);
const char *belay__dropped_name(enum belay__dropped kind);

#endif
