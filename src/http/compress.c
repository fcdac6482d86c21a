/* SPDX-License-Identifier: MIT
 *
 * compress.c - compresses answers for those who ask for it.
 *
 * The handler writes to a response of its own, the inner one, whose sink codes what comes and
 * writes it to the real one. Whether it does is decided when the inner one's head comes by: then
 * type and first bytes are known. What is not coded passes through as it is.
 */
#include "http/coder.h"
#include "http/media_type.h"
#include "http/request.h"
#include "http/vary.h"

#include "base/alloc.h"

#include <belay/http_middleware.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SMALL = 1024, ROOM = 16384 };

struct job {
	struct belay__sink sink; /* of the inner response */
	belay_response inner, *outer;
	belay_request *req;
	const struct belay__coder_kind *kind;
	struct belay__coder *coder; /* NULL: passed through */
	unsigned char *out;
	bool opened;
};

/* ---- Whether --------------------------------------------------------------------------------- */

/* Whether it would be coded for somebody: what is small is as small with its frame, and what has a
 * coding, is a part or must not be touched is left alone (RFC 9110, sections 8.4, 14 and 7.7). */
static bool is_worth_it(const struct belay_response *inner, size_t size, enum belay__part part)
{
	const struct belay__headers *h = &inner->headers;
	const char *type = belay__headers_get(h, "content-type");
	const char *control = belay__headers_get(h, "cache-control");

	if (!belay__has_body(inner->status) || inner->status == 206 || !type ||
	    !belay__is_compressible(type) || belay__headers_get(h, "content-encoding") ||
	    belay__headers_get(h, "content-range") ||
	    (control && belay__list_has(control, "no-transform")))
		return false;
	if (inner->declared >= 0)
		return inner->declared >= SMALL;
	return part != BELAY__PART_LAST || size >= SMALL;
}

/* Without memory the answer goes as it is. */
static void begin_coding(struct job *job)
{
	enum belay__coding coding = belay__coding_choose(job->req, belay__coders());

	if (coding == BELAY__CODING_IDENTITY)
		return;
	job->kind = belay__coder_of(coding);
	job->out = belay__malloc(ROOM);
	job->coder = job->out ? job->kind->make() : NULL;
}

/* ---- The head -------------------------------------------------------------------------------- */

/* What is coded is another representation, by what may change from one time to the next: its tag is
 * as good as the plain one's, but not strong (RFC 9110, section 8.8.1). */
static int weaken_tag(belay_response *outer)
{
	const char *tag = belay__headers_get(&outer->headers, "etag");
	char *weak;
	int r;

	if (!tag || strncmp(tag, "W/", 2) == 0)
		return 0;
	weak = belay__malloc(strlen(tag) + 3);
	if (!weak)
		return -ENOMEM;
	sprintf(weak, "W/%s", tag);
	r = belay_response_header(outer, "ETag", weak);
	belay__free(weak);
	return r;
}

static int put_coding(struct job *job)
{
	struct belay_response *outer = job->outer;

	belay__headers_remove(&outer->headers, "content-length");
	belay__headers_remove(&outer->headers, "accept-ranges");
	outer->declared = -1;
	return belay_response_header(outer, "Content-Encoding",
				     belay__coding_name(job->kind->coding));
}

static int open_outer(struct job *job, size_t size, enum belay__part part)
{
	bool worth_it = is_worth_it(&job->inner, size, part);
	int r = belay__response_copy_head(job->outer, &job->inner);

	job->opened = true;
	if (r == 0 && worth_it)
		r = belay__vary(job->outer, "Accept-Encoding");
	if (r < 0 || !worth_it || job->outer->head_only)
		return r;
	begin_coding(job);
	if (!job->coder)
		return 0;
	r = put_coding(job);
	return r == 0 ? weaken_tag(job->outer) : r;
}

/* ---- The inner response's sink --------------------------------------------------------------- */

static struct job *job_of(struct belay__sink *sink)
{
	return (struct job *)(void *)sink;
}

static int code(belay_ctx *ctx, struct job *job, const void *data, size_t size,
		enum belay__part part)
{
	struct belay__code_io io = {.in = data, .in_size = size};
	int again = 1, r = 0;

	while (again > 0 && r == 0) {
		io.out = job->out;
		io.out_size = ROOM;
		again = job->kind->step(job->coder, &io, part);
		if (again >= 0 && io.out_size < ROOM)
			r = belay_response_write(ctx, job->outer, job->out, ROOM - io.out_size);
	}
	return again < 0 ? again : r;
}

/* What is coded has been written when it gets to the outer one. */
static int relay(belay_ctx *ctx, struct belay__sink *sink, belay_response *inner, const void *data,
		 size_t size, enum belay__part part)
{
	struct job *job = job_of(sink);
	int r = job->opened ? 0 : open_outer(job, size, part);

	if (r == 0 && job->coder) {
		r = code(ctx, job, data, size, part);
		size = 0;
	}
	return r == 0 ? belay__response_hand_on(ctx, job->outer, data, size, part) : r;
}

static int relay_file(belay_ctx *ctx, struct belay__sink *sink, belay_response *inner, int fd,
		      off_t offset, size_t size)
{
	struct job *job = job_of(sink);

	return job->coder ? -EOPNOTSUPP
			  : belay_response_send_file(ctx, job->outer, fd, offset, size);
}

/* ---- The middleware -------------------------------------------------------------------------- */

static void job_fini(struct job *job)
{
	if (job->coder)
		job->kind->drop(job->coder);
	belay__free(job->out);
	belay__response_fini(&job->inner);
}

int belay_http_compress(belay_ctx *ctx, belay_request *req, belay_response *res,
			const belay_chain *next, void *arg)
{
	struct job job = {.sink = {relay, relay_file}, .outer = res, .req = req};
	int r;

	belay__response_init(&job.inner, &job.sink);
	job.inner.head_only = res->head_only;
	job.inner.awaited = res->awaited;
	r = belay_next(ctx, req, &job.inner, next);
	belay__response_copy_cause(res, &job.inner);
	if (r == 0)
		r = belay__response_finish(ctx, &job.inner);
	job_fini(&job);
	return r;
}
