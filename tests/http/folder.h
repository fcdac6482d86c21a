/* SPDX-License-Identifier: MIT
 *
 * folder.h - a folder of a test's own, gone with the test.
 */
#ifndef BELAY_TESTS_HTTP_FOLDER_H
#define BELAY_TESTS_HTTP_FOLDER_H

#include "check.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static inline void folder_make(void)
{
	strcpy(folder, "/tmp/belay-folder-XXXXXX");
	assert_non_null(mkdtemp(folder));
}

/* folder/name; good until the fourth call after it. */
static inline const char *in_folder(const char *name)
{
	static char paths[4][256];
	static unsigned next;

	snprintf(paths[next % 4], sizeof paths[0], "%s/%s", folder, name);
	return paths[next++ % 4];
}

static inline void folder_write(const char *name, const void *data, size_t size)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	close(fd);
}

/* With a time of modification, in seconds since 1970. */
static inline void folder_put(const char *name, const char *text, time_t modified)
{
	struct timespec times[2] = {{.tv_sec = modified}, {.tv_sec = modified}};

	folder_write(name, text, strlen(text));
	assert_int_equal(utimensat(AT_FDCWD, in_folder(name), times, 0), 0);
}

static inline int folder_remove_one(const char *path, const struct stat *s, int flag, struct FTW *f)
{
	return remove(path);
}

static inline void folder_drop(void)
{
	nftw(folder, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
