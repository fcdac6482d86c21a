/* SPDX-License-Identifier: MIT
 *
 * client_count.h - what the clients of this process have sent, and sent again, in numbers.
 */
#ifndef BELAY_SRC_HTTP_CLIENT_COUNT_H
#define BELAY_SRC_HTTP_CLIENT_COUNT_H

#include <stdint.h>
#include <stdio.h>

enum belay__client_count {
	BELAY__COUNT_REQUESTS,
	/* Retries, by what went before. */
	BELAY__COUNT_REFUSED,
	BELAY__COUNT_RESET,
	BELAY__COUNT_TIMED_OUT,
	BELAY__COUNT_UNREACHABLE,
	BELAY__COUNT_429,
	BELAY__COUNT_503,
	/* Retries that were not made, by what forbade them. */
	BELAY__COUNT_BUDGET,
	BELAY__COUNT_DEADLINE,
	BELAY__COUNTS,
};

/* One more. Any thread. */
void belay__client_counted(enum belay__client_count what);

/* All of them in Prometheus' text format. */
void belay__client_counts_text(FILE *out);

#endif
