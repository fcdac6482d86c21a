/* SPDX-License-Identifier: MIT
 *
 * coder_gzip.c - gzip (RFC 1952), by zlib. About 270 KB a stream.
 */
#include "http/coder.h"

#include "base/alloc.h"

#include <errno.h>
#include <zlib.h>

enum { LEVEL = 5, GZIP_WINDOW = 15 + 16, MEMORY = 8 };

struct belay__coder {
	z_stream z;
};

static void *get(void *arg, unsigned count, unsigned size)
{
	return belay__calloc(count, size);
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
	coder->z.zalloc = get;
	coder->z.zfree = give;
	if (deflateInit2(&coder->z, LEVEL, Z_DEFLATED, GZIP_WINDOW, MEMORY, Z_DEFAULT_STRATEGY) ==
	    Z_OK)
		return coder;
	belay__free(coder);
	return NULL;
}

/* Z_BUF_ERROR: there was nothing to do. */
static int step(struct belay__coder *coder, struct belay__code_io *io, enum belay__part part)
{
	static const int flush[] = {[BELAY__PART_MORE] = Z_NO_FLUSH,
				    [BELAY__PART_FLUSH] = Z_SYNC_FLUSH,
				    [BELAY__PART_LAST] = Z_FINISH};
	z_stream *z = &coder->z;
	int r;

	z->next_in = (unsigned char *)(uintptr_t)io->in;
	z->avail_in = (unsigned)io->in_size;
	z->next_out = io->out;
	z->avail_out = (unsigned)io->out_size;
	r = deflate(z, flush[part]);
	io->in = z->next_in;
	io->in_size = z->avail_in;
	io->out = z->next_out;
	io->out_size = z->avail_out;
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return -EIO;
	return r != Z_STREAM_END && (io->out_size == 0 || io->in_size > 0);
}

static void drop(struct belay__coder *coder)
{
	deflateEnd(&coder->z);
	belay__free(coder);
}

const struct belay__coder_kind belay__coder_gzip = {BELAY__CODING_GZIP, make, step, drop};
