/* SPDX-License-Identifier: MIT
 *
 * headers.h - a list of header fields, in the order they came, names in any case.
 *
 * Names and values are copied in. What is had from the list stays valid until the list is changed.
 */
#ifndef BELAY_SRC_HTTP_HEADERS_H
#define BELAY_SRC_HTTP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* All zeros: an empty list. */
struct belay__headers {
	char *text; /* "name\0value\0" of each */
	size_t size, room;
	struct belay__header {
		size_t name, value; /* where in text */
	} *items;
	size_t count, items_room;
};

void belay__headers_fini(struct belay__headers *list);

/* Empties it, and keeps its memory for the next request. */
void belay__headers_clear(struct belay__headers *list);

/* Adds one to the end; the strings need no NUL behind them and are not checked. 0 or -ENOMEM. */
int belay__headers_add(struct belay__headers *list, const char *name, size_t name_size,
		       const char *value, size_t value_size);

/* One in place of all others of that name. 0, or -ENOMEM: nothing has changed. */
int belay__headers_set(struct belay__headers *list, const char *name, const char *value);

/* Takes out all of that name; how many there were. */
size_t belay__headers_remove(struct belay__headers *list, const char *name);

/* The index of the first of that name at or after from; the list's count: none. The length of most
 * names is known when their caller is compiled. */
size_t belay__headers_find_sized(const struct belay__headers *list, const char *name,
				 size_t name_size, size_t from);

static inline size_t belay__headers_find(const struct belay__headers *list, const char *name,
					 size_t from)
{
	return belay__headers_find_sized(list, name, strlen(name), from);
}

const char *belay__headers_name(const struct belay__headers *list, size_t index);
const char *belay__headers_value(const struct belay__headers *list, size_t index);

/* The value of the first of that name; NULL: none. */
static inline const char *belay__headers_get(const struct belay__headers *list, const char *name)
{
	size_t i = belay__headers_find(list, name, 0);

	return i < list->count ? belay__headers_value(list, i) : NULL;
}

/* The values of all of that name, in their order and with between between them, to be freed with
 * belay__free(): a comma as a rule (RFC 9110, section 5.3). 0 and *ret (NULL: there are none), or
 * -ENOMEM. */
int belay__headers_join(const struct belay__headers *list, const char *name, const char *between,
			char **ret);

/* How many there are of that name. */
size_t belay__headers_count(const struct belay__headers *list, const char *name);

/* Whether two names are the same in any case: of ASCII, whatever the locale says of others. */
bool belay__same_name(const char *a, const char *b);

/* RFC 9110, section 5.1: a name is a token. Section 5.5: a value has visible characters, spaces,
 * tabs and bytes from 0x80 on: no CR, LF or NUL, with which another header could be smuggled in. */
bool belay__is_token(const char *text, size_t size);
bool belay__is_field_value(const char *text, size_t size);

/* RFC 3986, section 3.2: the characters of a host and its port. Empty is fine (RFC 9112, section
 * 3.2). */
bool belay__is_host(const char *text);

#endif
