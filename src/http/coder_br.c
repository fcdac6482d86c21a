/* SPDX-License-Identifier: MIT
 *
 * coder_br.c - Brotli (RFC 7932), by libbrotlienc. About 1 MB a stream.
 *
 * The library, as Debian builds it (BROTLI_ENCODER_EXIT_ON_OOM), ends the process where its memory
 * runs out. So the allocator that it is given never returns without memory: it leaves the library
 * by longjmp(3) instead. That library holds nothing but memory, all of which comes from here: it is
 * given back block by block, and the stream is not used again.
 *
 * Invariants  blocks are all that the library holds. Nothing of it is called once failed is true,
 *             and what allocates only while no_memory is set by a function that has not returned.
 */
#include "http/coder.h"

#include "base/alloc.h"

#include <brotli/encode.h>
#include <errno.h>
#include <setjmp.h>

/* Beyond this quality it costs more than gzip's; the window is for answers, not for archives. */
enum { QUALITY = 4, WINDOW_BITS = 18 };

struct block {
	_Alignas(max_align_t) struct block *next;
	struct block **link; /* what points here */
};

struct belay__coder {
	BrotliEncoderState *state;
	struct block *blocks;
	bool failed;
	jmp_buf no_memory;
};

static void *get(void *arg, size_t size)
{
	struct belay__coder *coder = arg;
	struct block *block = belay__malloc(sizeof *block + size);

	if (!block)
		longjmp(coder->no_memory, 1);
	block->next = coder->blocks;
	block->link = &coder->blocks;
	if (block->next)
		block->next->link = &block->next;
	coder->blocks = block;
	return block + 1;
}

static void give(void *arg, void *memory)
{
	struct block *block = memory;

	if (!block)
		return;
	block--;
	*block->link = block->next;
	if (block->next)
		block->next->link = block->link;
	belay__free(block);
}

static void drop(struct belay__coder *coder)
{
	while (coder->blocks)
		give(coder, coder->blocks + 1);
	belay__free(coder);
}

static bool begin(struct belay__coder *coder)
{
	if (setjmp(coder->no_memory))
		return false;
	coder->state = BrotliEncoderCreateInstance(get, give, coder);
	return coder->state &&
	       BrotliEncoderSetParameter(coder->state, BROTLI_PARAM_QUALITY, QUALITY) &&
	       BrotliEncoderSetParameter(coder->state, BROTLI_PARAM_LGWIN, WINDOW_BITS);
}

static struct belay__coder *make(void)
{
	struct belay__coder *coder = belay__calloc(1, sizeof *coder);

	if (!coder || begin(coder))
		return coder;
	drop(coder);
	return NULL;
}

static bool compress(struct belay__coder *coder, struct belay__code_io *io, enum belay__part part)
{
	static const BrotliEncoderOperation operation[] = {
		[BELAY__PART_MORE] = BROTLI_OPERATION_PROCESS,
		[BELAY__PART_FLUSH] = BROTLI_OPERATION_FLUSH,
		[BELAY__PART_LAST] = BROTLI_OPERATION_FINISH,
	};

	if (coder->failed || setjmp(coder->no_memory))
		return false;
	return BrotliEncoderCompressStream(coder->state, operation[part], &io->in_size, &io->in,
					   &io->out_size, &io->out, NULL);
}

/* A failure is one of memory: the library has no other. */
static int step(struct belay__coder *coder, struct belay__code_io *io, enum belay__part part)
{
	coder->failed = !compress(coder, io, part);
	if (coder->failed)
		return -ENOMEM;
	if (part == BELAY__PART_LAST)
		return !BrotliEncoderIsFinished(coder->state);
	return io->in_size > 0 || BrotliEncoderHasMoreOutput(coder->state);
}

const struct belay__coder_kind belay__coder_br = {BELAY__CODING_BR, make, step, drop};
