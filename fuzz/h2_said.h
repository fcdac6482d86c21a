/* SPDX-License-Identifier: MIT
 *
 * h2_said.h - what a client of HTTP/2 says: frames, made up from a fuzzer's input so that most of
 * them are as RFC 9113 wants them, and get further than the first check.
 */
#ifndef BELAY_FUZZ_H2_SAID_H
#define BELAY_FUZZ_H2_SAID_H

#include "fuzz.h"

enum { H2_STREAMS = 256, H2_MOST_SAID = 1 << 18 };

struct h2_said {
	unsigned char bytes[H2_MOST_SAID];
	size_t size;
	uint32_t last;  /* the highest stream so far                                    */
	bool opaque;    /* some was said byte by byte: what follows may not have counted */

	/* How many bytes of DATA the server may send at most, unless opaque. */
	uint64_t initial;             /* the largest window that a stream began with */
	uint64_t whole;               /* the connection's                            */
	uint64_t more[H2_STREAMS];    /* what stream 2 * i + 1 was given besides     */
};

/* The preface and SETTINGS. */
void h2_said_begin(struct h2_said *said);

/* Size bytes as they are. */
void h2_said_raw(struct h2_said *said, const uint8_t *data, size_t size);

enum h2_step { H2_SAID, H2_PAUSE, H2_HALF_CLOSE };

/* What the next bytes of the input say: some frames, or that the client reads, or ends its side. */
enum h2_step h2_said_next(struct h2_said *said, struct fuzz_input *in);

#endif
