/* SPDX-License-Identifier: MIT
 *
 * coder_br.c - Brotli (RFC 7932), by libbrotlienc. About 1 MB a stream.
 */
#include "http/coder.h"

#include "base/alloc.h"

#include <brotli/encode.h>
#include <errno.h>

/* Beyond this quality it costs more than gzip's; the window is for answers, not for archives. */
enum { QUALITY = 4, WINDOW_BITS = 18 };

struct belay__coder {
	BrotliEncoderState *state;
};

static void *get(void *arg, size_t size)
{
	return belay__malloc(size);
}

static void give(void *arg, void *block)
{
	belay__free(block);
}

static struct belay__coder *make(void)
{
	struct belay__coder *coder = belay__calloc(1, sizeof *coder);

	if (!coder)
		return NULL;
	coder->state = BrotliEncoderCreateInstance(get, give, NULL);
	if (coder->state &&
	    BrotliEncoderSetParameter(coder->state, BROTLI_PARAM_QUALITY, QUALITY) &&
	    BrotliEncoderSetParameter(coder->state, BROTLI_PARAM_LGWIN, WINDOW_BITS))
		return coder;
	BrotliEncoderDestroyInstance(coder->state);
	belay__free(coder);
	return NULL;
}

/* A failure is one of memory: the library has no other. */
static int step(struct belay__coder *coder, struct belay__code_io *io, enum belay__part part)
{
	static const BrotliEncoderOperation operation[] = {
		[BELAY__PART_MORE] = BROTLI_OPERATION_PROCESS,
		[BELAY__PART_FLUSH] = BROTLI_OPERATION_FLUSH,
		[BELAY__PART_LAST] = BROTLI_OPERATION_FINISH,
	};

	if (!BrotliEncoderCompressStream(coder->state, operation[part], &io->in_size, &io->in,
					 &io->out_size, &io->out, NULL))
		return -ENOMEM;
	if (part == BELAY__PART_LAST)
		return !BrotliEncoderIsFinished(coder->state);
	return io->in_size > 0 || BrotliEncoderHasMoreOutput(coder->state);
}

static void drop(struct belay__coder *coder)
{
	BrotliEncoderDestroyInstance(coder->state);
	belay__free(coder);
}

const struct belay__coder_kind belay__coder_br = {BELAY__CODING_BR, make, step, drop};
