/* SPDX-License-Identifier: MIT
 *
 * headers.c - a list of header fields.
 *
 * Invariants  items[0..count) point to NUL-terminated strings within text[0..size). What is removed
 *             leaves its text behind until the list is cleared: lists live as long as one message.
 * Locking     none: a list belongs to its message.
 */
#include "http/headers.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

enum { FIRST_TEXT = 512, FIRST_ITEMS = 16 };

static int reserve_text(struct belay__headers *list, size_t more)
{
	size_t room = list->room ? list->room : FIRST_TEXT;
	char *text;

	if (more <= list->room - list->size)
		return 0;
	while (room - list->size < more)
		room *= 2;
	text = belay__realloc(list->text, room);
	if (!text)
		return -ENOMEM;
	list->text = text;
	list->room = room;
	return 0;
}

static int reserve_item(struct belay__headers *list)
{
	size_t room = list->items_room ? 2 * list->items_room : FIRST_ITEMS;
	struct belay__header *items;

	if (list->count < list->items_room)
		return 0;
	items = belay__realloc(list->items, room * sizeof *items);
	if (!items)
		return -ENOMEM;
	list->items = items;
	list->items_room = room;
	return 0;
}

/* Copies a string behind the text, where room for it has been reserved; where it begins. */
static size_t put(struct belay__headers *list, const char *s, size_t size)
{
	size_t at = list->size;

	memcpy(list->text + at, s, size);
	list->text[at + size] = '\0';
	list->size += size + 1;
	return at;
}

void belay__headers_fini(struct belay__headers *list)
{
	belay__free(list->text);
	belay__free(list->items);
	*list = (struct belay__headers){0};
}

void belay__headers_clear(struct belay__headers *list)
{
	list->size = 0;
	list->count = 0;
}

int belay__headers_add(struct belay__headers *list, const char *name, size_t name_size,
		       const char *value, size_t value_size)
{
	struct belay__header *item;
	int r = reserve_text(list, name_size + value_size + 2);

	if (r == 0)
		r = reserve_item(list);
	if (r < 0)
		return r;
	item = &list->items[list->count++];
	item->name = put(list, name, name_size);
	item->value = put(list, value, value_size);
	return 0;
}

/* Added first, so that nothing is lost where that fails; then moved to where the first one
 * stood. */
int belay__headers_set(struct belay__headers *list, const char *name, const char *value)
{
	size_t size = strlen(name), at = belay__headers_find_sized(list, name, size, 0);
	int r = belay__headers_add(list, name, size, value, strlen(value));
	struct belay__header added;

	if (r < 0 || at == list->count - 1)
		return r;
	added = list->items[--list->count];
	belay__headers_remove(list, name);
	memmove(&list->items[at + 1], &list->items[at], (list->count - at) * sizeof added);
	list->items[at] = added;
	list->count++;
	return 0;
}

size_t belay__headers_remove(struct belay__headers *list, const char *name)
{
	size_t kept = 0, count = list->count;

	for (size_t i = 0; i < count; i++)
		if (!belay__same_name(belay__headers_name(list, i), name))
			list->items[kept++] = list->items[i];
	list->count = kept;
	return count - kept;
}

/* Most are told apart by their length. */
size_t belay__headers_find_sized(const struct belay__headers *list, const char *name,
				 size_t name_size, size_t from)
{
	size_t i = from, distance = name_size + 1;

	for (; i < list->count; i++) {
		const struct belay__header *item = &list->items[i];

		if (item->value - item->name == distance &&
		    belay__same_name(list->text + item->name, name))
			break;
	}
	return i;
}

const char *belay__headers_name(const struct belay__headers *list, size_t index)
{
	return list->text + list->items[index].name;
}

const char *belay__headers_value(const struct belay__headers *list, size_t index)
{
	return list->text + list->items[index].value;
}

/* How many bytes the values of that name have, with between bytes behind each. */
static size_t joined_size(const struct belay__headers *list, const char *name, size_t between)
{
	size_t size = 0;

	for (size_t i = belay__headers_find(list, name, 0); i < list->count;
	     i = belay__headers_find(list, name, i + 1))
		size += strlen(belay__headers_value(list, i)) + between;
	return size;
}

int belay__headers_join(const struct belay__headers *list, const char *name, const char *between,
			char **ret)
{
	size_t size = joined_size(list, name, strlen(between));
	char *at;

	*ret = NULL;
	if (size == 0)
		return 0;
	*ret = at = belay__malloc(size + 1);
	if (!at)
		return -ENOMEM;
	for (size_t i = belay__headers_find(list, name, 0); i < list->count;
	     i = belay__headers_find(list, name, i + 1))
		at = stpcpy(stpcpy(at, belay__headers_value(list, i)), between);
	(*ret)[size - strlen(between)] = '\0';
	return 0;
}

size_t belay__headers_count(const struct belay__headers *list, const char *name)
{
	size_t n = 0, i = belay__headers_find(list, name, 0);

	for (; i < list->count; i = belay__headers_find(list, name, i + 1))
		n++;
	return n;
}

static unsigned char fold(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool belay__same_name(const char *a, const char *b)
{
	while (*a != '\0' && (*a == *b || fold(*a) == fold(*b))) {
		a++;
		b++;
	}
	return *a == *b;
}

/* What a byte may stand in. */
enum { TOKEN = 1, HOST = 2, BOTH = TOKEN | HOST };

static const unsigned char places[256] = {
	['0' ... '9'] = BOTH, ['A' ... 'Z'] = BOTH, ['a' ... 'z'] = BOTH,
	['!'] = BOTH, ['$'] = BOTH, ['%'] = BOTH, ['&'] = BOTH, ['\''] = BOTH, ['*'] = BOTH,
	['+'] = BOTH, ['-'] = BOTH, ['.'] = BOTH, ['_'] = BOTH, ['~'] = BOTH,
	['#'] = TOKEN, ['^'] = TOKEN, ['`'] = TOKEN, ['|'] = TOKEN,
	['('] = HOST, [')'] = HOST, [','] = HOST, [':'] = HOST, [';'] = HOST, ['='] = HOST,
	['['] = HOST, [']'] = HOST,
};

bool belay__is_token(const char *text, size_t size)
{
	size_t i = 0;

	while (i < size && places[(unsigned char)text[i]] & TOKEN)
		i++;
	return size > 0 && i == size;
}

/* Whether one of eight bytes may be a control character: below 0x20, which borrows the byte's
 * highest bit if that is not set, or 0x7f. A tab may be one too, and what stands behind one. */
static bool may_be_odd(const char *text)
{
	const uint64_t ones = 0x0101010101010101, highest = 0x80 * ones;
	uint64_t bytes, deleted;

	memcpy(&bytes, text, sizeof bytes);
	deleted = bytes ^ 0x7f * ones;
	return ((((bytes - 0x20 * ones) & ~bytes) | ((deleted - ones) & ~deleted)) & highest) != 0;
}

bool belay__is_field_value(const char *text, size_t size)
{
	const char *end = text + size;

	while (end - text >= 8 && !may_be_odd(text))
		text += 8;
	if (size >= 8 && end - text < 8 && !may_be_odd(end - 8))
		return true; /* the last few, and some before them once more */
	for (; text < end; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

bool belay__is_host(const char *text)
{
	while (places[(unsigned char)*text] & HOST)
		text++;
	return *text == '\0';
}
