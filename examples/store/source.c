/* SPDX-License-Identifier: MIT
 *
 * source.c - where the data comes from: files, plain or compressed, read line by line.
 *
 * A compressed file is read through "apt-helper cat-file", which knows all of apt's formats, as a
 * child process with its output in a pipe. Reads wait under the context; closing ends and reaps
 * the child.
 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DPKG_STATUS "/var/lib/dpkg/status"
#define APT_LISTS   "/var/lib/apt/lists/*_Packages*"
#define APT_HELPER  "/usr/lib/apt/apt-helper"

extern char **environ;

/* ---- Which files ----------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

static bool is_compressed(const char *path)
{
	return ends_with(path, ".lz4") || ends_with(path, ".gz") || ends_with(path, ".xz") ||
	       ends_with(path, ".bz2") || ends_with(path, ".zst");
}

static bool is_readable(const char *path)
{
	if (is_compressed(path))
		return access(APT_HELPER, X_OK) == 0;
	return ends_with(path, "_Packages");
}

static int add_path(struct sources *sources, const char *path)
{
	char **paths = realloc(sources->paths, (sources->n + 1) * sizeof *paths);

	if (!paths)
		return -ENOMEM;
	sources->paths = paths;
	paths[sources->n] = strdup(path);
	return paths[sources->n++] ? 0 : -ENOMEM;
}

/* What is installed first: of two entries for a package the first one counts. */
static int add_machine(struct sources *sources)
{
	glob_t found;
	size_t i;
	int r = access(DPKG_STATUS, R_OK) == 0 ? add_path(sources, DPKG_STATUS) : 0;

	if (glob(APT_LISTS, 0, NULL, &found) != 0)
		return r;
	for (i = 0; i < found.gl_pathc && r == 0; i++)
		if (is_readable(found.gl_pathv[i]))
			r = add_path(sources, found.gl_pathv[i]);
	globfree(&found);
	return r;
}

static int print_fingerprint(const struct sources *sources, FILE *out)
{
	struct stat st;
	size_t i;

	for (i = 0; i < sources->n; i++) {
		if (stat(sources->paths[i], &st))
			return -errno;
		fprintf(out, "%s %lld %lld.%09ld\n", sources->paths[i], (long long)st.st_size,
			(long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	}
	return 0;
}

static int take_fingerprint(struct sources *sources)
{
	size_t size;
	FILE *out = open_memstream(&sources->fingerprint, &size);
	int r;

	if (!out)
		return -ENOMEM;
	r = print_fingerprint(sources, out);
	if (fclose(out))
		return -ENOMEM;
	return r;
}

int sources_find(const char *data, struct sources *ret)
{
	struct sources found = {0};
	int r = data ? add_path(&found, data) : add_machine(&found);

	if (!r)
		r = take_fingerprint(&found);
	if (r)
		sources_free(&found);
	else
		*ret = found;
	return r;
}

void sources_free(struct sources *sources)
{
	size_t i;

	for (i = 0; i < sources->n; i++)
		free(sources->paths[i]);
	free(sources->paths);
	free(sources->fingerprint);
}

/* ---- One of them ----------------------------------------------------------------------------- */

struct source {
	int fd;
	pid_t child; /* what decompresses; 0: nobody, or reaped */
	char *buf;
	size_t begin, end, size; /* of what has been read and not handed out; of buf */
	uint64_t bytes;
	bool at_end;
};

static int start_child(const char *path, int out, pid_t *ret)
{
	char *argv[] = {(char *)"apt-helper", (char *)"cat-file", (char *)path, NULL};
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!r)
		r = posix_spawn(ret, APT_HELPER, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int open_compressed(struct source *source, const char *path)
{
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	r = start_child(path, ends[1], &source->child);
	close(ends[1]);
	if (r) {
		close(ends[0]);
		return r;
	}
	source->fd = ends[0];
	return 0;
}

static int open_plain(struct source *source, const char *path)
{
	source->fd = open(path, O_RDONLY | O_CLOEXEC);
	return source->fd < 0 ? -errno : 0;
}

int source_open(const char *path, struct source **ret)
{
	struct source *source = calloc(1, sizeof *source);
	int r;

	if (!source)
		return -ENOMEM;
	r = is_compressed(path) ? open_compressed(source, path) : open_plain(source, path);
	if (r)
		free(source);
	else
		*ret = source;
	return r;
}

/* Room for more behind what is there. */
static int make_room(struct source *source)
{
	size_t held = source->end - source->begin, wanted = source->size * 2;
	char *grown;

	if (held)
		memmove(source->buf, source->buf + source->begin, held);
	source->begin = 0;
	source->end = held;
	if (held + 1 < source->size)
		return 0;
	grown = realloc(source->buf, wanted ? wanted : 1 << 16);
	if (!grown)
		return -ENOMEM;
	source->buf = grown;
	source->size = wanted ? wanted : 1 << 16;
	return 0;
}

/* The child has closed its end: did it get through? */
static int judge_child(struct source *source)
{
	int status;

	if (!source->child)
		return 0;
	if (waitpid(source->child, &status, 0) != source->child)
		return -errno;
	source->child = 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* Reads some more, with one byte left free for a NUL. */
static int fill(belay_ctx *ctx, struct source *source)
{
	ssize_t n;
	int r = source->buf ? 0 : make_room(source);

	if (!r && source->end + 1 >= source->size)
		r = make_room(source);
	if (r)
		return r;
	n = belay_read(ctx, source->fd, source->buf + source->end, source->size - 1 - source->end);
	if (n < 0)
		return (int)n;
	source->end += (size_t)n;
	source->bytes += (uint64_t)n;
	source->at_end = n == 0;
	return source->at_end ? judge_child(source) : 0;
}

static char *cut_line(struct source *source, char *newline)
{
	char *line = source->buf + source->begin;

	*newline = '\0';
	source->begin = (size_t)(newline - source->buf) + 1;
	return line;
}

int source_line(belay_ctx *ctx, struct source *source, char **ret)
{
	size_t searched = 0;
	char *newline;
	int r;

	for (;;) {
		size_t held = source->end - source->begin;

		newline = held > searched ? memchr(source->buf + source->begin + searched, '\n',
						   held - searched)
					  : NULL;
		if (newline || (source->at_end && held))
			break;
		if (source->at_end)
			return 0;
		searched = held;
		r = fill(ctx, source);
		if (r)
			return r;
	}
	if (!newline) { /* the last line has none */
		newline = source->buf + source->end;
		source->end++;
	}
	*ret = cut_line(source, newline);
	return 1;
}

uint64_t source_bytes(const struct source *source)
{
	return source->bytes;
}

void source_close(struct source *source)
{
	if (!source)
		return;
	close(source->fd);
	if (source->child) {
		kill(source->child, SIGKILL);
		waitpid(source->child, NULL, 0);
	}
	free(source->buf);
	free(source);
}

static int measure_compressed(belay_ctx *ctx, const char *path, uint64_t *ret)
{
	struct source *source;
	int r = source_open(path, &source);

	if (r)
		return r;
	while (!r && !source->at_end) {
		source->end = source->begin = 0;
		r = fill(ctx, source);
	}
	if (!r)
		*ret = source->bytes;
	source_close(source);
	return r;
}

int source_measure(belay_ctx *ctx, const char *path, uint64_t *ret)
{
	struct stat st;

	if (is_compressed(path))
		return measure_compressed(ctx, path, ret);
	if (stat(path, &st))
		return -errno;
	*ret = (uint64_t)st.st_size;
	return 0;
}
