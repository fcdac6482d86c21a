/* SPDX-License-Identifier: MIT
 *
 * files.c - the handler of the files below a folder: what is asked for, and what is refused.
 */
#include "http/files.h"

#include "base/alloc.h"
#include "http/media_type.h"
#include "http/misuse.h"
#include "http/request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* Whether one of the target's segments has a slash in it, which was encoded: no file's name has,
 * and taken for what parts segments it would lead past the routes for what is behind it. */
static bool has_slash(const struct belay__target *target)
{
	for (size_t i = 0; i < target->count; i++)
		if (strchr(target->segments + target->starts[i], '/'))
			return true;
	return false;
}

/* ---- The handler ----------------------------------------------------------------------------- */

/* To the last segment, as it was sent, with a slash behind it: relative, so that it leads to no
 * other host whatever the target looks like ("./" before it, for one that has a colon). */
static int redirect(const struct file_job *job)
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
		r = belay_response_header(job->res, "Location", location);
	belay__free(location);
	return r;
}

/* What of the ways in which opening fails is nobody's business. */
static int refuse(const struct file_job *job, int err)
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

static int serve(struct file_job *job)
{
	struct belay__file found = {.fd = -1};
	int r = belay__file_find(job, &found);

	if (r < 0)
		return refuse(job, r);
	r = belay__file_choose_coding(job, &found);
	if (r == 0) {
		found.type = belay__media_type(job->path);
		belay__file_describe(&found);
		r = belay__file_send(job, &found);
	}
	belay__file_close(&found);
	return r;
}

int belay_files_handler(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct file_job job = {
		.ctx = ctx, .req = req, .res = res, .files = belay_request_data(req)};
	const char *path = path_of(req);

	if (!job.files)
		return belay__answer_misuse(ctx, req, res, "belay_files_handler", "folder");
	if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0) {
		int r = belay_response_header(res, "Allow", "GET, HEAD");

		return r == 0 ? belay_response_error(ctx, req, res, 405, NULL) : r;
	}
	if (strlen(path) >= sizeof job.path || has_slash(&req->target) ||
	    !is_path(path, job.files->hidden))
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
