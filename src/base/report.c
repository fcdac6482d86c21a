/* SPDX-License-Identifier: MIT
 *
 * report.c - the report at exit.
 */
#include "base/report.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 8 };

/* Written by constructors, before main; read at exit. */
static size_t (*printers[MOST])(FILE *out);
static size_t count;

bool belay__report_wanted(const char *name)
{
	const char *words = getenv("BELAY_REPORT");
	size_t length = strlen(name);

	while (words && *words) {
		size_t n = strcspn(words, ",");

		if (n == length && strncmp(words, name, n) == 0)
			return true;
		words += n + (words[n] == ',');
	}
	return false;
}

static void print_leaks(void)
{
	size_t found = 0;

	fflush(stdout);
	for (size_t i = 0; i < count; i++)
		found += printers[i](stderr);
	if (found == 0)
		fputs("belay: nothing is left\n", stderr);
}

void belay__report_leaks(size_t (*print)(FILE *out))
{
	if (!belay__report_wanted("leaks") || count == MOST)
		return;
	if (count == 0)
		atexit(print_leaks);
	printers[count++] = print;
}
