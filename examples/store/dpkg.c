/* SPDX-License-Identifier: MIT
 *
 * dpkg.c - reads dpkg's format: paragraphs of "Field: value", with an empty line between them.
 *
 * A line that begins with a blank goes on with the field above it (deb-control(5)). Only the fields
 * that the store wants are kept, each in a text that keeps its memory from paragraph to paragraph.
 */
#include "dpkg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum field {
	PACKAGE,
	VERSION,
	SECTION,
	ARCHITECTURE,
	HOMEPAGE,
	DESCRIPTION,
	DEPENDS,
	PRE_DEPENDS,
	PROVIDES,
	INSTALLED_SIZE,
	STATUS,
	FIELDS, /* how many; also: a field that nobody wants */
};

static const char *const names[FIELDS] = {
	"Package", "Version",	  "Section",  "Architecture",   "Homepage", "Description",
	"Depends", "Pre-Depends", "Provides", "Installed-Size", "Status",
};

struct text {
	char *data;
	size_t length, size;
};

struct dpkg_reader {
	struct source *source;
	struct text fields[FIELDS];
	enum field current;
	unsigned long line;
};

static int append(struct text *text, const char *more)
{
	size_t n = strlen(more);

	if (text->length + n + 1 > text->size) {
		size_t size = (text->length + n + 1) * 2;
		char *grown = realloc(text->data, size);

		if (!grown)
			return -ENOMEM;
		text->data = grown;
		text->size = size;
	}
	memcpy(text->data + text->length, more, n + 1);
	text->length += n;
	return 0;
}

static void clear(struct dpkg_reader *reader)
{
	int i;

	for (i = 0; i < FIELDS; i++) {
		reader->fields[i].length = 0;
		if (reader->fields[i].data)
			*reader->fields[i].data = '\0';
	}
	reader->current = FIELDS;
}

static enum field field_called(const char *name, size_t length)
{
	int i;

	for (i = 0; i < FIELDS; i++)
		if (!strncasecmp(names[i], name, length) && !names[i][length])
			return i;
	return FIELDS;
}

/* Of a description only the first line is kept. */
static int continue_field(struct dpkg_reader *reader, const char *line)
{
	if (reader->current == FIELDS || reader->current == DESCRIPTION)
		return 0;
	return append(&reader->fields[reader->current], line);
}

static int begin_field(struct dpkg_reader *reader, char *line)
{
	char *colon = strchr(line, ':');

	if (!colon || colon == line)
		return -EBADMSG;
	reader->current = field_called(line, (size_t)(colon - line));
	if (reader->current == FIELDS)
		return 0;
	return append(&reader->fields[reader->current], colon + 1 + strspn(colon + 1, " \t"));
}

static int take_line(struct dpkg_reader *reader, char *line)
{
	return *line == ' ' || *line == '\t' ? continue_field(reader, line)
					     : begin_field(reader, line);
}

static const char *value(const struct dpkg_reader *reader, enum field field)
{
	return reader->fields[field].data ? reader->fields[field].data : "";
}

static void fill_in(const struct dpkg_reader *reader, struct dpkg_package *ret)
{
	*ret = (struct dpkg_package){
		.name = value(reader, PACKAGE),
		.version = value(reader, VERSION),
		.section = value(reader, SECTION),
		.architecture = value(reader, ARCHITECTURE),
		.homepage = value(reader, HOMEPAGE),
		.summary = value(reader, DESCRIPTION),
		.depends = value(reader, DEPENDS),
		.pre_depends = value(reader, PRE_DEPENDS),
		.provides = value(reader, PROVIDES),
		.size = atoll(value(reader, INSTALLED_SIZE)),
		.installed = strstr(value(reader, STATUS), " installed") != NULL,
	};
}

/* To the next empty line, or the end: 1 where there was anything, 0 at the end, or an error. */
static int read_paragraph(belay_ctx *ctx, struct dpkg_reader *reader)
{
	bool any = false;
	char *line;
	int r;

	clear(reader);
	while ((r = source_line(ctx, reader->source, &line)) == 1) {
		reader->line++;
		if (!*line && any)
			return 1;
		if (!*line)
			continue;
		any = true;
		r = take_line(reader, line);
		if (r)
			return r;
	}
	return r == 0 && any ? 1 : r;
}

struct dpkg_reader *dpkg_reader_new(struct source *source)
{
	struct dpkg_reader *reader = calloc(1, sizeof *reader);

	if (reader)
		reader->source = source;
	return reader;
}

void dpkg_reader_free(struct dpkg_reader *reader)
{
	int i;

	if (!reader)
		return;
	for (i = 0; i < FIELDS; i++)
		free(reader->fields[i].data);
	free(reader);
}

int dpkg_next(belay_ctx *ctx, struct dpkg_reader *reader, struct dpkg_package *ret)
{
	int r;

	do
		r = read_paragraph(ctx, reader);
	while (r == 1 && !*value(reader, PACKAGE));
	if (r == 1)
		fill_in(reader, ret);
	return r;
}

unsigned long dpkg_reader_line(const struct dpkg_reader *reader)
{
	return reader->line;
}

int dpkg_each_dependency(const char *field,
			 int (*fn)(void *arg, int group, int alternative, const char *name,
				   size_t length),
			 void *arg)
{
	int group = 0, alternative = 0, r = 0;

	while (*field && !r) {
		size_t length;

		field += strspn(field, " \t");
		length = strcspn(field, " \t:([<|,");
		if (length)
			r = fn(arg, group, alternative, field, length);
		field += strcspn(field, "|,");
		alternative = *field == '|' ? alternative + 1 : 0;
		group += *field == ',';
		field += *field != '\0';
	}
	return r;
}
