/* SPDX-License-Identifier: MIT
 *
 * target.c - a request's target, taken apart.
 *
 * Decoding is done segment by segment, so that an encoded slash does not part a segment, and never
 * makes text longer. The text holds three runs, each with a NUL behind it: the path, the path cut
 * into segments (the same bytes, NULs for the slashes between them), and the query.
 */
#include "http/target.h"

#include "base/alloc.h"
#include "http/headers.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>

/* Either may be a byte or two of the target, and takes many times that in memory. */
enum { MOST_SEGMENTS = 1000, MOST_PARAMETERS = 1000 };

/* ---- Decoding -------------------------------------------------------------------------------- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The character at *from, which moves behind it; -EBADMSG: a malformed escape, or one of NUL, that
 * no string in C could hold. */
static int decode_char(const char **from, const char *end)
{
	const char *p = *from;
	int high, low;

	*from = p + 1;
	if (*p != '%')
		return (unsigned char)*p;
	if (end - p < 3)
		return -EBADMSG;
	high = digit(p[1]);
	low = digit(p[2]);
	*from = p + 3;
	return high < 0 || low < 0 || high + low == 0 ? -EBADMSG : high * 16 + low;
}

/* Decodes from[0..size) to to, and returns the size there; or -EBADMSG. */
static ssize_t decode(char *to, const char *from, size_t size, bool plus_is_space)
{
	const char *end = from + size;
	char *start = to;

	while (from < end) {
		bool plus = plus_is_space && *from == '+';
		int c = decode_char(&from, end);

		if (c < 0)
			return c;
		*to++ = plus ? ' ' : (char)c;
	}
	*to = '\0';
	return to - start;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static size_t occurrences(const char *text, size_t size, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += text[i] == c;
	return n;
}

static int grow(void **block, size_t *room, size_t count, size_t each)
{
	void *larger;

	if (count <= *room)
		return 0;
	larger = belay__realloc(*block, count * each);
	if (!larger)
		return -ENOMEM;
	*block = larger;
	*room = count;
	return 0;
}

static int reserve(struct belay__target *t, size_t size, size_t segments, size_t parameters)
{
	int r = grow((void **)&t->text, &t->room, 3 * (size + 1), 1);

	if (r == 0)
		r = grow((void **)&t->starts, &t->starts_room, segments, sizeof *t->starts);
	if (r == 0)
		r = grow((void **)&t->query, &t->query_room, parameters, sizeof *t->query);
	return r;
}

/* ---- The parts ------------------------------------------------------------------------------- */

const char *belay__target_authority(const char *text, size_t *ret_size)
{
	static const char *const schemes[] = {"http://", "https://"};

	if (*text == '/')
		return NULL;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t size = strlen(schemes[i]);
		char start[9] = "";

		strncpy(start, text, size);
		if (belay__same_name(start, schemes[i])) {
			*ret_size = strcspn(text + size, "/?");
			return text + size;
		}
	}
	return NULL;
}

/* Behind the "http://authority" of an absolute form, or where text begins. */
static const char *skip_authority(const char *text)
{
	size_t size;
	const char *authority = belay__target_authority(text, &size);

	return authority ? authority + size : text;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= 0x20 || *text == 0x7f || *text == '#')
			return false;
	return true;
}

/* Whether a segment of the decoded path is "." or "..", also one that an encoded slash made. */
static bool has_dots(const char *path)
{
	while (*path == '/') {
		size_t size = strcspn(++path, "/");

		if ((size == 1 || size == 2) && strspn(path, ".") >= size)
			return true;
		path += size;
	}
	return false;
}

/* path[0..size) begins with a slash. Returns the decoded size or -EBADMSG. */
static ssize_t parse_path(struct belay__target *t, const char *path, size_t size)
{
	const char *p = path, *end = path + size;
	char *to = t->text;

	t->path = t->text;
	t->count = 0;
	while (p < end) {
		const char *slash = memchr(p + 1, '/', (size_t)(end - p - 1));
		size_t segment = (size_t)((slash ? slash : end) - p - 1);
		ssize_t n;

		*to++ = '/';
		t->starts[t->count++] = (size_t)(to - t->text);
		n = decode(to, p + 1, segment, false);
		if (n < 0)
			return n;
		to += n;
		p += 1 + segment;
	}
	return has_dots(t->path) ? -EBADMSG : to - t->text;
}

/* The same bytes once more, with an end to each segment. */
static char *cut_segments(struct belay__target *t, size_t size)
{
	char *copy = memcpy(t->text + size + 1, t->text, size + 1);

	for (size_t i = 0; i < t->count; i++)
		copy[t->starts[i] - 1] = '\0';
	t->segments = copy;
	return copy + size + 1;
}

/* "name=value" or "name" to to, and a pair of it. The end of what was written; NULL: malformed. */
static char *parse_parameter(struct belay__target *t, char *to, const char *text, size_t size)
{
	const char *equals = memchr(text, '=', size);
	size_t name_size = equals ? (size_t)(equals - text) : size;
	struct belay__pair *pair = &t->query[t->query_count++];
	ssize_t n = decode(to, text, name_size, true);

	if (n < 0)
		return NULL;
	pair->name = to;
	to += n;
	pair->value = to;
	if (!equals)
		return to + 1;
	pair->value = ++to;
	n = decode(to, equals + 1, size - name_size - 1, true);
	return n < 0 ? NULL : to + n + 1;
}

static int parse_query(struct belay__target *t, char *to, const char *query)
{
	t->query_count = 0;
	while (*query) {
		size_t size = strcspn(query, "&");

		if (size > 0)
			to = parse_parameter(t, to, query, size);
		if (!to)
			return -EBADMSG;
		query += size + (query[size] == '&');
	}
	return 0;
}

static int parse_asterisk(struct belay__target *t)
{
	strcpy(t->text, "*");
	t->path = t->text;
	t->segments = t->text + 1;
	t->count = t->query_count = 0;
	return 0;
}

/* ---- For the neighbours ---------------------------------------------------------------------- */

void belay__target_fini(struct belay__target *t)
{
	belay__free(t->text);
	belay__free(t->starts);
	belay__free(t->query);
	*t = (struct belay__target){0};
}

int belay__target_parse(struct belay__target *t, const char *text)
{
	const char *path = skip_authority(text), *query;
	size_t path_size = strcspn(path, "?"), segments, parameters;
	ssize_t size;
	int r;

	query = path + path_size + (path[path_size] == '?');
	if (path_size == 0 && path != text) {
		path = "/";
		path_size = 1;
	}
	parameters = *query ? occurrences(query, strlen(query), '&') + 1 : 0;
	segments = occurrences(path, path_size, '/');
	if (!is_printable(text) || segments > MOST_SEGMENTS || parameters > MOST_PARAMETERS)
		return -EBADMSG;
	r = reserve(t, path_size + strlen(query) + 1, segments, parameters);
	if (r < 0)
		return r;
	if (strcmp(text, "*") == 0)
		return parse_asterisk(t);
	if (path[0] != '/')
		return -EBADMSG;
	size = parse_path(t, path, path_size);
	return size < 0 ? (int)size : parse_query(t, cut_segments(t, (size_t)size), query);
}
