/* SPDX-License-Identifier: MIT
 *
 * dpkg.c - the store's reader of dpkg's format, and of fields of dependencies.
 *
 * Input       a file.
 */
#include "dpkg.h"
#include "fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- Dependencies ---------------------------------------------------------------------------- */

struct last {
	int group, alternative, count;
};

/* Groups and their alternatives come in order; a name is in the field, with nothing else in it. */
static int check_name(void *arg, int group, int alternative, const char *name, size_t length)
{
	struct last *last = arg;

	MUST(length > 0 && strcspn(name, " \t:([<|,") == length);
	MUST(last->count == 0 || group > last->group ||
	     (group == last->group && alternative > last->alternative));
	*last = (struct last){group, alternative, last->count + 1};
	return 0;
}

static int stop(void *arg, int group, int alternative, const char *name, size_t length)
{
	return -E2BIG;
}

static void check_dependencies(const char *field)
{
	struct last last = {0};

	MUST(!strchr(field, '\n'));
	MUST(dpkg_each_dependency(field, check_name, &last) == 0);
	MUST(dpkg_each_dependency(field, stop, NULL) == (last.count > 0 ? -E2BIG : 0));
}

/* ---- Files ----------------------------------------------------------------------------------- */

static size_t count_lines(const uint8_t *data, size_t size)
{
	size_t n = size > 0;

	for (size_t i = 0; i < size; i++)
		n += data[i] == '\n';
	return n;
}

/* All packages; how many there are, or an error. */
static int read_all(const char *path, size_t lines)
{
	struct source *source;
	struct dpkg_reader *reader;
	struct dpkg_package p;
	int r, n = 0;

	MUST(source_open(path, &source) == 0);
	reader = dpkg_reader_new(source);
	MUST(reader != NULL);
	while ((r = dpkg_next(belay_background(), reader, &p)) == 1) {
		MUST(*p.name && !strchr(p.name, '\n') && !strchr(p.version, '\n') &&
		     !strchr(p.summary, '\n'));
		check_dependencies(p.depends);
		check_dependencies(p.pre_depends);
		check_dependencies(p.provides);
		n++;
	}
	MUST(r == 0 || r == -EBADMSG);
	MUST(dpkg_reader_line(reader) <= lines);
	dpkg_reader_free(reader);
	source_close(source);
	return r < 0 ? r : n;
}

void fuzz_one(const uint8_t *data, size_t size)
{
	size_t lines = count_lines(data, size);
	int fd = memfd_create("dpkg", MFD_CLOEXEC), n;
	char path[32];

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = read_all(path, lines);
	MUST(read_all(path, lines) == n && n <= (int)lines);
	close(fd);
}
