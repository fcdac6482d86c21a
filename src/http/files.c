/* SPDX-License-Identifier: MIT
 *
 * files.c - the files below a folder, over HTTP.
 *
 * An answer is made in three steps: the file is found, then the representation of it that the
 * client takes (itself, or one that was compressed beforehand), then what of that the client needs
 * (nothing, a part, all). Each file is opened once and all is asked of the descriptor, so that what
 * is said in the head is true of what is sent, whatever is renamed meanwhile.
 */
#include "http/coding.h"
#include "http/date.h"
#include "http/headers.h"
#include "http/media_type.h"
#include "http/open_beneath.h"
#include "http/precondition.h"
#include "http/request.h"
#include "http/vary.h"

#include "base/alloc.h"

#include <belay/http_files.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long a file must have been left alone for its tag to be strong. */
enum { SETTLED_S = 2 };

struct belay_files {
	int dir;
	bool precompressed, follow, hidden;
	char *index, *cache_control;
};

/* What is sent. */
struct found {
	int fd; /* -1: nothing */
	struct stat stat;
	enum belay__coding coding;
	const char *type;
	char etag[96];
	char modified[BELAY__DATE_SIZE];
};

/* One request. path is the file's, below the folder. */
struct job {
	belay_ctx *ctx;
	belay_request *req;
	belay_response *res;
	const belay_files *files;
	char path[PATH_MAX];
};

/* ---- Paths ----------------------------------------------------------------------------------- */

/* What stands behind the route's own text. */
static const char *path_of(const belay_request *req)
{
	const char *route = req->route;
	size_t size = route ? strlen(route) : 0;

	if (size > 4 && strcmp(route + size - 4, "...}") == 0 && req->param_count > 0)
		return req->params[req->param_count - 1].value;
	return req->target.path + 1;
}

/* Segments are names: none is empty, but for what a slash at the end leaves. The router has refused
 * "." and ".."; names that begin with a dot are the program's to allow. */
static bool is_path(const char *path, bool hidden)
{
	while (*path) {
		size_t size = strcspn(path, "/");

		if (size == 0 || (*path == '.' && !hidden) ||
		    (*path == '.' && size <= 2 && strspn(path, ".") >= size))
			return false;
		path += size;
		path += *path == '/';
	}
	return true;
}

/* Takes the slash away that path ends with. Whether there was one, or nothing at all. */
static bool strip_slash(char *path)
{
	size_t size = strlen(path);

	if (size > 0 && path[size - 1] != '/')
		return false;
	if (size > 0)
		path[size - 1] = '\0';
	return true;
}

/* Appends to path. False: it is longer than any file's. */
static bool append(char path[PATH_MAX], const char *separator, const char *name)
{
	size_t size = strlen(path);
	int n = snprintf(path + size, PATH_MAX - size, "%s%s", size > 0 ? separator : "", name);

	return n >= 0 && (size_t)n < PATH_MAX - size;
}

/* ---- Finding --------------------------------------------------------------------------------- */

static void found_close(struct found *found)
{
	if (found->fd >= 0)
		close(found->fd);
	found->fd = -1;
}

static int open_path(const struct job *job, const char *path, struct found *ret)
{
	int fd = belay__open_beneath(job->ctx, job->files->dir, path, job->files->follow);

	if (fd < 0)
		return fd;
	if (fstat(fd, &ret->stat) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	ret->fd = fd;
	return 0;
}

/* The same for a regular file alone. */
static int open_file(const struct job *job, const char *path, struct found *ret)
{
	int r = open_path(job, path, ret);

	if (r == 0 && !S_ISREG(ret->stat.st_mode)) {
		found_close(ret);
		r = -ENOENT;
	}
	return r;
}

static int open_index(struct job *job, struct found *ret)
{
	found_close(ret);
	if (!*job->files->index || !append(job->path, "/", job->files->index))
		return -ENOENT;
	return open_file(job, job->path, ret);
}

/* The file that job->path names; -EISDIR: a folder, and there is no slash behind it. */
static int find(struct job *job, struct found *ret)
{
	bool slash = strip_slash(job->path);
	int r = open_path(job, job->path, ret);

	if (r < 0)
		return r;
	if (S_ISDIR(ret->stat.st_mode)) {
		if (slash)
			return open_index(job, ret);
		found_close(ret);
		return -EISDIR;
	}
	if (S_ISREG(ret->stat.st_mode) && !slash)
		return 0;
	found_close(ret);
	return -ENOENT;
}

/* ---- Compressed beforehand ------------------------------------------------------------------- */

static bool is_older(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec < b->st_mtim.tv_sec ||
	       (a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		a->st_mtim.tv_nsec < b->st_mtim.tv_nsec);
}

/* Opens the file's other form beside it. 0; -ENOENT: there is none, or an old one; an error. */
static int open_coded(const struct job *job, enum belay__coding coding, const struct found *plain,
		      struct found *ret)
{
	char path[PATH_MAX];
	int r;

	strcpy(path, job->path);
	if (!append(path, "", belay__coding_suffix(coding)))
		return -ENOENT;
	r = open_file(job, path, ret);
	if (r == 0 && is_older(&ret->stat, &plain->stat)) {
		found_close(ret);
		r = -ENOENT;
	}
	return r;
}

/* Tries those that the client takes, the best first. What can't be had is as good as not there, but
 * for the context's end. */
static int choose_coding(const struct job *job, struct found *found)
{
	unsigned offered = BELAY__CODING_ZSTD | BELAY__CODING_BR | BELAY__CODING_GZIP;
	enum belay__coding coding;
	struct found other = {.fd = -1};

	if (!job->files->precompressed)
		return 0;
	while ((coding = belay__coding_choose(job->req, offered)) != BELAY__CODING_IDENTITY) {
		int r = open_coded(job, coding, found, &other);

		if (r == 0) {
			found_close(found);
			*found = other;
			found->coding = coding;
			return 0;
		}
		if (belay_err(job->ctx) < 0)
			return belay_err(job->ctx);
		offered &= ~(unsigned)coding;
	}
	return 0;
}

/* ---- Describing ------------------------------------------------------------------------------ */

/* See the header. A file from the future has not settled either. */
static void describe(struct found *found)
{
	const struct stat *s = &found->stat;
	bool weak = s->st_mtim.tv_sec > time(NULL) - SETTLED_S;

	snprintf(found->etag, sizeof found->etag, "%s\"%jx-%jx-%jx.%lx%s%s\"", weak ? "W/" : "",
		 (uintmax_t)s->st_ino, (uintmax_t)s->st_size, (uintmax_t)s->st_mtim.tv_sec,
		 (unsigned long)s->st_mtim.tv_nsec, found->coding ? "-" : "",
		 found->coding ? belay__coding_name(found->coding) : "");
	belay__date(s->st_mtim.tv_sec, found->modified);
}

static int put(const struct job *job, const char *name, const char *value)
{
	return value ? belay_response_header(job->res, name, value) : 0;
}

/* What a 304 has too (RFC 9110, section 15.4.5). */
static int put_validators(const struct job *job, const struct found *found)
{
	int r = put(job, "ETag", found->etag);

	if (r == 0)
		r = put(job, "Last-Modified", found->modified);
	if (r == 0)
		r = put(job, "Cache-Control", job->files->cache_control);
	return r == 0 && job->files->precompressed ? belay__vary(job->res, "Accept-Encoding") : r;
}

static int put_description(const struct job *job, const struct found *found)
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

static int send_part(const struct job *job, const struct found *found, uint64_t first,
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

static int send_range(const struct job *job, const struct found *found, uint64_t first,
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
static int refuse_range(const struct job *job, const struct found *found)
{
	char range[40];
	int r = belay_response_error(job->ctx, job->req, job->res, 416, NULL);

	snprintf(range, sizeof range, "bytes */%jd", (intmax_t)found->stat.st_size);
	return r == 0 ? put(job, "Content-Range", range) : r;
}

static int send_needed(const struct job *job, const struct found *found,
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

static int send_found(const struct job *job, struct found *found)
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

/* ---- The handler ----------------------------------------------------------------------------- */

/* To the last segment, as it was sent, with a slash behind it: relative, so that it leads to no
 * other host whatever the target looks like ("./" before it, for one that has a colon). */
static int redirect(const struct job *job)
{
	const char *line = job->req->line, *query = line + strcspn(line, "?");
	const char *name = query;
	char *location;
	size_t size;
	int r;

	while (name > line && name[-1] != '/')
		name--;
	size = strlen(name) + sizeof "./" + 1;
	location = belay__malloc(size);
	if (!location)
		return -ENOMEM;
	snprintf(location, size, "./%.*s/%s", (int)(query - name), name, query);
	r = belay_response_status(job->res, 301);
	if (r == 0)
		r = put(job, "Location", location);
	belay__free(location);
	return r;
}

/* What of the ways in which opening fails is nobody's business. */
static int refuse(const struct job *job, int err)
{
	switch (err) {
	case -EISDIR:
		return redirect(job);
	case -ENOENT:
	case -ENOTDIR:
	case -ELOOP:
	case -EXDEV:
	case -ENAMETOOLONG:
	case -ENXIO:  /* a socket */
	case -ENODEV:
		return belay_response_error(job->ctx, job->req, job->res, 404, NULL);
	case -EACCES:
		return belay_response_error(job->ctx, job->req, job->res, 403, NULL);
	default:
		return err;
	}
}

static int serve(struct job *job)
{
	struct found found = {.fd = -1};
	int r = find(job, &found);

	if (r < 0)
		return refuse(job, r);
	r = choose_coding(job, &found);
	if (r == 0) {
		found.type = belay__media_type(job->path);
		describe(&found);
		r = send_found(job, &found);
	}
	found_close(&found);
	return r;
}

int belay_files_handler(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct job job = {.ctx = ctx, .req = req, .res = res, .files = belay_request_data(req)};
	const char *path = path_of(req);

	if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0) {
		int r = belay_response_header(res, "Allow", "GET, HEAD");

		return r == 0 ? belay_response_error(ctx, req, res, 405, NULL) : r;
	}
	if (strlen(path) >= sizeof job.path || !is_path(path, job.files->hidden))
		return refuse(&job, -ENOENT);
	strcpy(job.path, path);
	return serve(&job);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static bool is_fine(const struct belay_files_options *o)
{
	return (!o->cache_control ||
		belay__is_field_value(o->cache_control, strlen(o->cache_control))) &&
	       (!o->index || !strchr(o->index, '/'));
}

static int fill_in(belay_files *files, const char *dir, const struct belay_files_options *o)
{
	files->precompressed = o->precompressed;
	files->follow = o->follow_links;
	files->hidden = o->hidden;
	files->index = belay__strdup(o->index ? o->index : "index.html");
	if (o->cache_control)
		files->cache_control = belay__strdup(o->cache_control);
	if (!files->index || (o->cache_control && !files->cache_control))
		return -ENOMEM;
	files->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return files->dir < 0 ? -errno : 0;
}

int belay_files_open(const char *dir, const struct belay_files_options *options, belay_files **ret)
{
	static const struct belay_files_options none;
	const struct belay_files_options *o = options ? options : &none;
	belay_files *files;
	int r;

	if (!is_fine(o))
		return -EINVAL;
	files = belay__calloc(1, sizeof *files);
	if (!files)
		return -ENOMEM;
	files->dir = -1;
	r = fill_in(files, dir, o);
	if (r < 0) {
		belay_files_close(files);
		return r;
	}
	*ret = files;
	return 0;
}

void belay_files_close(belay_files *files)
{
	if (!files)
		return;
	if (files->dir >= 0)
		close(files->dir);
	belay__free(files->index);
	belay__free(files->cache_control);
	belay__free(files);
}
