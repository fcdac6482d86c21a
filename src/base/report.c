/* SPDX-License-Identifier: MIT
 *
 * report.c - the reports at exit.
 */
#include "base/report.h"

#include <belay/report.h>

#include <stdlib.h>
#include <string.h>

enum { MOST = 8 };

static const char *const words[] = {"leaks", "hogs", "stacks"};
enum { WORDS = sizeof words / sizeof *words };

struct printer {
	const char *word;
	size_t (*print)(FILE *out);
	const char *none;
};

/* Written by constructors, before main; read at exit. */
static struct printer printers[MOST];
static size_t count;

/* ---- What is wanted -------------------------------------------------------------------------- */

/* The next of the words in *list, which it moves past that; NULL: none is left. Empty ones are not
 * words. */
static const char *next_word(const char **list, size_t *ret_length)
{
	const char *word;

	*list += strspn(*list, ",");
	word = *list;
	*ret_length = strcspn(word, ",");
	*list += *ret_length;
	return *ret_length > 0 ? word : NULL;
}

static bool is(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && strncmp(word, name, length) == 0;
}

bool belay__report_wanted(const char *name)
{
	const char *list = getenv("BELAY_REPORT"), *word;
	size_t length;

	while (list && (word = next_word(&list, &length)))
		if (is(word, length, name))
			return true;
	return false;
}

static bool is_known(const char *word, size_t length)
{
	for (size_t i = 0; i < WORDS; i++)
		if (is(word, length, words[i]))
			return true;
	return false;
}

/* Once, before main. */
__attribute__((constructor)) static void complain(void)
{
	const char *list = getenv("BELAY_REPORT"), *word;
	size_t length;

	while (list && (word = next_word(&list, &length)))
		if (!is_known(word, length))
			fprintf(stderr, "belay: BELAY_REPORT: there is no report \"%.*s\", only "
				"leaks, hogs and stacks\n", (int)length, word);
}

/* ---- Printing -------------------------------------------------------------------------------- */

/* None of a report's printers prints more than one heading. */
static size_t print_report(FILE *out, const char *word)
{
	const char *none = NULL;
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(printers[i].word, word)) {
			found += printers[i].print(out);
			none = printers[i].none;
		}
	if (found == 0 && none)
		fputs(none, out);
	return found;
}

static size_t print_all(FILE *out)
{
	size_t found = 0;

	for (size_t i = 0; i < WORDS; i++)
		found += print_report(out, words[i]);
	return found;
}

static void print_at_exit(void)
{
	fflush(stdout);
	print_all(stderr);
}

void belay__report(const char *word, size_t (*print)(FILE *out), const char *none)
{
	if (!belay__report_wanted(word) || count == MOST)
		return;
	if (count == 0)
		atexit(print_at_exit);
	printers[count++] = (struct printer){word, print, none};
}

size_t belay_report(FILE *out)
{
	return print_all(out);
}
