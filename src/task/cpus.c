/* SPDX-License-Identifier: MIT
 *
 * cpus.c - affinity and cgroup quota (Linux, Documentation/admin-guide/cgroup-v2.rst, "cpu.max").
 */
#include "task/cpus.h"

#include "base/processors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1024 };

static unsigned by_environment(void)
{
	const char *text = getenv("BELAY_WORKERS");
	char *end;
	long n;

	if (!text || !*text)
		return 0;
	n = strtol(text, &end, 10);
	return *end == '\0' && n >= 1 && n <= MOST ? (unsigned)n : 0;
}

/* "max 100000" or "150000 100000": quota and period in microseconds. 0: no limit there. */
static unsigned quota_in(const char *directory)
{
	char path[4200];
	long long quota, period;
	FILE *file;
	int fields;

	snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", directory);
	file = fopen(path, "re");
	if (!file)
		return 0;
	fields = fscanf(file, "%lld %lld", &quota, &period);
	fclose(file);
	if (fields != 2 || quota <= 0 || period <= 0)
		return 0;
	return (unsigned)((quota + period - 1) / period);
}

/* The process's own directory in the unified hierarchy, as in "0::/system.slice/x.service". */
static int own_cgroup(char *directory, size_t size)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4100];
	int found = 0;

	if (!file)
		return 0;
	while (!found && fgets(line, sizeof line, file))
		if (strncmp(line, "0::", 3) == 0) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(directory, size, "%s", line + 3);
			found = 1;
		}
	fclose(file);
	return found;
}

/* The least quota from the own directory up to the root; 0: none. */
static unsigned by_quota(void)
{
	char directory[4100];
	unsigned least = 0;
	char *slash;

	if (!own_cgroup(directory, sizeof directory))
		return 0;
	do {
		unsigned quota = quota_in(directory);

		if (quota > 0 && (least == 0 || quota < least))
			least = quota;
		slash = strrchr(directory, '/');
		if (slash)
			*slash = '\0';
	} while (slash);
	return least;
}

unsigned belay__cpus(void)
{
	unsigned wanted = by_environment(), cpus, quota;

	if (wanted > 0)
		return wanted;
	cpus = belay__processors_allowed();
	quota = by_quota();
	if (quota > 0 && quota < cpus)
		cpus = quota;
	return cpus > MOST ? MOST : cpus;
}
