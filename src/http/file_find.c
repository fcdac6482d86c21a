/* SPDX-License-Identifier: MIT
 *
 * file_find.c - the file that a path means, and the representation of it that the client takes.
 */
#include "http/files.h"
#include "http/open_beneath.h"
#include "http/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

void belay__file_close(struct belay__file *found)
{
	if (found->fd >= 0)
		close(found->fd);
	found->fd = -1;
}

static int open_path(const struct file_job *job, const char *path, struct belay__file *ret)
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
static int open_file(const struct file_job *job, const char *path, struct belay__file *ret)
{
	int r = open_path(job, path, ret);

	if (r == 0 && !S_ISREG(ret->stat.st_mode)) {
		belay__file_close(ret);
		r = -ENOENT;
	}
	return r;
}

static int open_index(struct file_job *job, struct belay__file *ret)
{
	belay__file_close(ret);
	if (!*job->files->index || !append(job->path, "/", job->files->index))
		return -ENOENT;
	return open_file(job, job->path, ret);
}

int belay__file_find(struct file_job *job, struct belay__file *ret)
{
	bool slash = strip_slash(job->path);
	int r = open_path(job, job->path, ret);

	if (r < 0)
		return r;
	if (S_ISDIR(ret->stat.st_mode)) {
		if (slash)
			return open_index(job, ret);
		belay__file_close(ret);
		return -EISDIR;
	}
	if (S_ISREG(ret->stat.st_mode) && !slash)
		return 0;
	belay__file_close(ret);
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
static int open_coded(const struct file_job *job, enum belay__coding coding,
		      const struct belay__file *plain, struct belay__file *ret)
{
	char path[PATH_MAX];
	int r;

	strcpy(path, job->path);
	if (!append(path, "", belay__coding_suffix(coding)))
		return -ENOENT;
	r = open_file(job, path, ret);
	if (r == 0 && is_older(&ret->stat, &plain->stat)) {
		belay__file_close(ret);
		r = -ENOENT;
	}
	return r;
}

/* Tries those that the client takes, the best first. What can't be had is as good as not there, but
 * for the context's end. */
int belay__file_choose_coding(const struct file_job *job, struct belay__file *found)
{
	unsigned offered = BELAY__CODING_ZSTD | BELAY__CODING_BR | BELAY__CODING_GZIP;
	enum belay__coding coding;
	struct belay__file other = {.fd = -1};

	if (!job->files->precompressed)
		return 0;
	while ((coding = belay__coding_choose(job->req, offered)) != BELAY__CODING_IDENTITY) {
		int r = open_coded(job, coding, found, &other);

		if (r == 0) {
			belay__file_close(found);
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
