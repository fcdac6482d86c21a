/* SPDX-License-Identifier: MIT
 *
 * replay.c - main() of a fuzzer that is built without libFuzzer: goes through folders of inputs.
 *
 *     replay-target fuzz/corpus/target
 */
#include "fuzz.h"

#include <belay.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void replay(int fd, const char *name)
{
	struct stat st;
	char *data;

	MUST(fstat(fd, &st) == 0);
	if (!S_ISREG(st.st_mode))
		return;
	fprintf(stderr, "%s\n", name);
	data = malloc((size_t)st.st_size + 1);
	MUST(data && read(fd, data, (size_t)st.st_size) == st.st_size);
	fuzz_one((const uint8_t *)data, (size_t)st.st_size);
	free(data);
}

static void replay_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	MUST(dir != NULL);
	while ((entry = readdir(dir))) {
		int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);

		MUST(fd >= 0);
		replay(fd, entry->d_name);
		close(fd);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	fuzz_one((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		replay_folder(argv[i]);
	belay_shutdown();
	return 0;
}
