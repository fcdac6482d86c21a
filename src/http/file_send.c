/* SPDX-License-Identifier: MIT
 *
 * file_send.c - what is said of a file that was found, and what of it is sent.
 */
#include "http/files.h"
#include "http/precondition.h"
#include "http/request.h"
#include "http/vary.h"

#include <inttypes.h>
#include <stdio.h>

/* How long a file must have been left alone for its tag to be strong. */
enum { SETTLED_S = 2 };

/* ---- Describing ------------------------------------------------------------------------------ */

/* See the header. A file from the future has not settled either. */
void belay__file_describe(struct belay__file *found)
{
	const struct stat *s = &found->stat;
	bool weak = s->st_mtim.tv_sec > time(NULL) - SETTLED_S;

	snprintf(found->etag, sizeof found->etag, "%s\"%jx-%jx-%jx.%lx%s%s\"", weak ? "W/" : "",
		 (uintmax_t)s->st_ino, (uintmax_t)s->st_size, (uintmax_t)s->st_mtim.tv_sec,
		 (unsigned long)s->st_mtim.tv_nsec, found->coding ? "-" : "",
		 found->coding ? belay__coding_name(found->coding) : "");
	belay__date(s->st_mtim.tv_sec, found->modified);
}

static int put(const struct file_job *job, const char *name, const char *value)
{
	return value ? belay_response_header(job->res, name, value) : 0;
}

/* What a 304 has too (RFC 9110, section 15.4.5). */
static int put_validators(const struct file_job *job, const struct belay__file *found)
{
	int r = put(job, "ETag", found->etag);

	if (r == 0)
		r = put(job, "Last-Modified", found->modified);
	if (r == 0)
		r = put(job, "Cache-Control", job->files->cache_control);
	return r == 0 && job->files->precompressed ? belay__vary(job->res, "Accept-Encoding") : r;
}

static int put_description(const struct file_job *job, const struct belay__file *found)
{
	int r = put(job, "Content-Type", found->type);

	if (r == 0)
		r = put(job, "X-Content-Type-Options", "nosniff");
	if (r == 0)
		r = put(job, "Accept-Ranges", "bytes");
	if (r == 0 && found->coding)
		r = put(job, "Content-Encoding", belay__coding_name(found->coding));
	return r;
}

/* ---- Sending --------------------------------------------------------------------------------- */

static int send_part(const struct file_job *job, const struct belay__file *found, uint64_t first,
		     uint64_t count)
{
	char length[24];
	int r;

	snprintf(length, sizeof length, "%" PRIu64, count);
	r = put_description(job, found);
	if (r == 0)
		r = put(job, "Content-Length", length);
	if (r == 0)
		r = belay_response_send_file(job->ctx, job->res, found->fd, (int64_t)first, count);
	return r;
}

static int send_range(const struct file_job *job, const struct belay__file *found, uint64_t first,
		      uint64_t count)
{
	char range[80];
	int r = belay_response_status(job->res, 206);

	snprintf(range, sizeof range, "bytes %" PRIu64 "-%" PRIu64 "/%jd", first,
		 first + count - 1, (intmax_t)found->stat.st_size);
	if (r == 0)
		r = put(job, "Content-Range", range);
	return r == 0 ? send_part(job, found, first, count) : r;
}

/* The error page clears headers that describe a body: so the range is told after it. */
static int refuse_range(const struct file_job *job, const struct belay__file *found)
{
	char range[40];
	int r = belay_response_error(job->ctx, job->req, job->res, 416, NULL);

	snprintf(range, sizeof range, "bytes */%jd", (intmax_t)found->stat.st_size);
	return r == 0 ? put(job, "Content-Range", range) : r;
}

static int send_needed(const struct file_job *job, const struct belay__file *found,
		       const struct belay__validators *validators)
{
	uint64_t size = (uint64_t)found->stat.st_size, first, count;

	switch (belay__range(job->req, validators, size, &first, &count)) {
	case BELAY__RANGE_PART:
		return send_range(job, found, first, count);
	case BELAY__RANGE_UNSATISFIABLE:
		return refuse_range(job, found);
	default:
		return send_part(job, found, 0, size);
	}
}

int belay__file_send(const struct file_job *job, struct belay__file *found)
{
	const struct belay__validators validators = {found->etag, found->stat.st_mtim.tv_sec};
	int status = belay__precondition(job->req, &validators), r;

	if (status == 412)
		return belay_response_error(job->ctx, job->req, job->res, 412, NULL);
	r = put_validators(job, found);
	if (r < 0)
		return r;
	return status == 304 ? belay_response_status(job->res, 304)
			     : send_needed(job, found, &validators);
}
