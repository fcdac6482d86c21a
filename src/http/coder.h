/* SPDX-License-Identifier: MIT
 *
 * coder.h - compresses a stream; one file a library.
 */
#ifndef BELAY_SRC_HTTP_CODER_H
#define BELAY_SRC_HTTP_CODER_H

#include "http/coding.h"
#include "http/response.h"

struct belay__coder;

/* What is to be coded, and room for what comes of it. Both move on with each step. */
struct belay__code_io {
	const unsigned char *in;
	size_t in_size;
	unsigned char *out;
	size_t out_size;
};

struct belay__coder_kind {
	enum belay__coding coding;
	struct belay__coder *(*make)(void); /* NULL: out of memory */

	/* 1: out is full, and there is more to come; 0: all of in is taken and, for a flush or the
	 * last part, all that comes of it has come; -EIO: the library has failed. */
	int (*step)(struct belay__coder *coder, struct belay__code_io *io, enum belay__part part);
	void (*drop)(struct belay__coder *coder);
};

/* coder.c. Those that were built in, as a mask; and the one for a coding of these. */
unsigned belay__coders(void);
const struct belay__coder_kind *belay__coder_of(enum belay__coding coding);

/* coder_gzip.c, coder_br.c, coder_zstd.c, each where its library is there. */
extern const struct belay__coder_kind belay__coder_gzip, belay__coder_br, belay__coder_zstd;

#endif
