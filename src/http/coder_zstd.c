/* SPDX-License-Identifier: MIT
 *
 * coder_zstd.c - Zstandard (RFC 8878), by libzstd. About 1 MB a stream. Its memory is the library's
 * own: what lets a program give it another is no stable part of its interface.
 */
#include "http/coder.h"

#include "base/alloc.h"

#include <errno.h>
#include <zstd.h>

/* Decoders for HTTP take windows up to 8 MB (RFC 9659); answers need less. */
enum { LEVEL = 3, WINDOW_BITS = 18 };

struct belay__coder {
	ZSTD_CCtx *z;
};

static struct belay__coder *make(void)
{
	struct belay__coder *coder = belay__calloc(1, sizeof *coder);

	if (!coder)
		return NULL;
	coder->z = belay__alloc_fails() ? NULL : ZSTD_createCCtx();
	if (coder->z &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(coder->z, ZSTD_c_compressionLevel, LEVEL)) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(coder->z, ZSTD_c_windowLog, WINDOW_BITS)))
		return coder;
	ZSTD_freeCCtx(coder->z);
	belay__free(coder);
	return NULL;
}

static int step(struct belay__coder *coder, struct belay__code_io *io, enum belay__part part)
{
	static const ZSTD_EndDirective directive[] = {
		[BELAY__PART_MORE] = ZSTD_e_continue,
		[BELAY__PART_FLUSH] = ZSTD_e_flush,
		[BELAY__PART_LAST] = ZSTD_e_end,
	};
	ZSTD_inBuffer in = {io->in, io->in_size, 0};
	ZSTD_outBuffer out = {io->out, io->out_size, 0};
	size_t left = ZSTD_compressStream2(coder->z, &out, &in, directive[part]);

	io->in += in.pos;
	io->in_size -= in.pos;
	io->out += out.pos;
	io->out_size -= out.pos;
	if (ZSTD_isError(left))
		return -EIO;
	return part == BELAY__PART_MORE ? io->in_size > 0 : left > 0;
}

static void drop(struct belay__coder *coder)
{
	ZSTD_freeCCtx(coder->z);
	belay__free(coder);
}

const struct belay__coder_kind belay__coder_zstd = {BELAY__CODING_ZSTD, make, step, drop};
