/* SPDX-License-Identifier: MIT
 *
 * target.c - what a request asks for, taken apart.
 *
 * What was accepted has no way out of its folder, its parts are those of the whole, and to encode
 * and parse it again gives the same once more.
 *
 * Input       a target.
 */
#include "fuzz.h"
#include "http/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static char *encode(char *to, const char *text)
{
	for (; *text; text++)
		if (is_plain(*text))
			*to++ = *text;
		else
			to += sprintf(to, "%%%02x", (unsigned char)*text);
	*to = '\0';
	return to;
}

static void check_segments(const struct belay__target *t)
{
	const char *p = t->path;

	for (size_t i = 0; i < t->count; i++) {
		const char *segment = t->segments + t->starts[i];
		size_t size = strlen(segment);

		MUST(*p == '/' && strncmp(p + 1, segment, size) == 0);
		MUST(t->starts[i] == (size_t)(p + 1 - t->path));
		p += 1 + size;
	}
	MUST(*p == '\0');
}

static void check_no_dots(const char *path)
{
	char *copy = fuzz_copy(path, strlen(path)), *rest = NULL;

	for (char *p = strtok_r(copy, "/", &rest); p; p = strtok_r(NULL, "/", &rest))
		MUST(strcmp(p, ".") != 0 && strcmp(p, "..") != 0);
	free(copy);
}

/* Text that is the same target, however it was written. */
static char *written_again(const struct belay__target *t, size_t size)
{
	char *text = malloc(3 * size + 4), *to = text;

	MUST(text != NULL);
	for (size_t i = 0; i < t->count; i++) {
		*to++ = '/';
		to = encode(to, t->segments + t->starts[i]);
	}
	for (size_t i = 0; i < t->query_count; i++) {
		*to++ = i == 0 ? '?' : '&';
		to = encode(to, t->query[i].name);
		*to++ = '=';
		to = encode(to, t->query[i].value);
	}
	*to = '\0';
	return text;
}

static void check_same(const struct belay__target *a, const struct belay__target *b)
{
	MUST(strcmp(a->path, b->path) == 0);
	MUST(a->count == b->count && a->query_count == b->query_count);
	for (size_t i = 0; i < a->query_count; i++)
		MUST(strcmp(a->query[i].name, b->query[i].name) == 0 &&
		     strcmp(a->query[i].value, b->query[i].value) == 0);
}

static void check_target(const struct belay__target *t, const char *text)
{
	struct belay__target again = {0};
	char *written;

	if (strcmp(text, "*") == 0) {
		MUST(t->count == 0 && t->query_count == 0 && strcmp(t->path, "*") == 0);
		return;
	}
	MUST(t->path[0] == '/' && t->count > 0 && strlen(t->path) <= strlen(text) + 1);
	check_segments(t);
	check_no_dots(t->path);
	written = written_again(t, 2 * strlen(text));
	MUST(belay__target_parse(&again, written) == 0);
	check_same(t, &again);
	belay__target_fini(&again);
	free(written);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct belay__target fresh = {0}, used = {0};
	char *text = fuzz_text(&in);
	int r = belay__target_parse(&fresh, text);

	MUST(r == 0 || r == -EBADMSG);
	MUST(belay__target_parse(&used, "/a/b/c?d=e&f=g") == 0);
	MUST(belay__target_parse(&used, text) == r);
	if (r == 0) {
		MUST(!fuzz_has_control(text) && !strpbrk(text, " #\t"));
		check_target(&fresh, text);
		check_same(&fresh, &used);
	}
	belay__target_fini(&used);
	belay__target_fini(&fresh);
	free(text);
}
