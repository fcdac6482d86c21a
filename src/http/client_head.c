/* SPDX-License-Identifier: MIT
 *
 * client_head.c - the status and headers of a reply, gathered line by line.
 *
 * State       gathering -> whole. A status line starts over: what came before it was an interim
 *             reply (100 Continue, 103 Early Hints), which is not kept.
 */
#include "client.h"

#include <errno.h>
#include <string.h>

enum { MOST = 256 << 10 };

void belay__reply_head_fini(struct belay__reply_head *head)
{
	belay__headers_fini(&head->headers);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const char **bytes, size_t *size)
{
	while (*size > 0 && is_blank(**bytes)) {
		++*bytes;
		--*size;
	}
	while (*size > 0 && is_blank((*bytes)[*size - 1]))
		--*size;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static void read_status(struct belay__reply_head *head, const char *line, size_t size)
{
	const char *at = memchr(line, ' ', size), *end = line + size;

	head->size = 0;
	head->status = 0;
	belay__headers_clear(&head->headers);
	while (at && at < end && *at == ' ')
		at++;
	for (int digits = 0; at && at < end && *at >= '0' && *at <= '9' && digits < 3; digits++)
		head->status = 10 * head->status + (*at++ - '0');
}

/* Other codings of a transfer than chunks nobody has asked for (RFC 9110, section 10.1.4); curl
 * takes them off all the same, and knows no limit for what they unpack to. */
static int check_coding(const struct belay__headers *headers)
{
	size_t last = headers->count - 1;
	const char *value = belay__headers_value(headers, last);

	if (!belay__same_name(belay__headers_name(headers, last), "transfer-encoding") ||
	    belay__same_name(value, "chunked") || belay__same_name(value, "identity"))
		return 0;
	return -EPROTO;
}

static int add_header(struct belay__reply_head *head, const char *line, size_t size)
{
	const char *colon = memchr(line, ':', size), *value;
	size_t name_size, value_size;
	int err;

	if (!colon)
		return 0;
	name_size = (size_t)(colon - line);
	value = colon + 1;
	value_size = size - name_size - 1;
	trim(&line, &name_size);
	trim(&value, &value_size);
	err = belay__headers_add(&head->headers, line, name_size, value, value_size);
	return err ? err : check_coding(&head->headers);
}

/* RFC 9112, section 5.2: a line that begins with a blank continues the value before it, with a
 * space between. The list has no such change, so the last one is taken off and added anew. */
static int continue_header(struct belay__reply_head *head, const char *line, size_t size)
{
	struct belay__headers *headers = &head->headers;
	size_t old, name_size;
	char *copy;
	int err;

	trim(&line, &size);
	if (headers->count == 0 || size == 0)
		return 0;
	name_size = strlen(belay__headers_name(headers, headers->count - 1));
	old = headers->size - headers->items[headers->count - 1].name;
	copy = belay__malloc(old + size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, belay__headers_name(headers, headers->count - 1), old);
	copy[old - 1] = ' ';
	memcpy(copy + old, line, size);
	headers->size -= old;
	headers->count--;
	err = belay__headers_add(headers, copy, name_size, copy + name_size + 1,
				 old + size - name_size - 1);
	belay__free(copy);
	return err;
}

int belay__reply_head_line(struct belay__reply_head *head, const char *line, size_t size)
{
	while (size > 0 && (line[size - 1] == '\r' || line[size - 1] == '\n'))
		size--;
	if (head->whole)
		return 0;
	if (size == 0) {
		head->whole = head->status >= 200;
		return 0;
	}
	if (size > 5 && memcmp(line, "HTTP/", 5) == 0) {
		read_status(head, line, size);
		return 0;
	}
	if (size > MOST - head->size)
		return -EMSGSIZE;
	head->size += size;
	return is_blank(*line) ? continue_header(head, line, size) : add_header(head, line, size);
}
