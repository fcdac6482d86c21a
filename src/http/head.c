/* SPDX-License-Identifier: MIT
 *
 * head.c - finds the end of a request's head, and lets nothing through that two parsers could read
 * in two ways.
 *
 * What request smuggling is made of is refused here, ahead of the parser, whatever that would make
 * of it (RFC 9112, sections 2.2, 5.1, 5.2): a CR or LF that is not half of a CRLF, NUL and other
 * control characters, a header that goes on in the next line (obs-fold), a space before the colon.
 */
#include "http/head.h"

#include "http/headers.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* A header's line, its CRLF not included: begins with a name, and the colon follows at once. */
static bool is_header(const char *line, size_t size)
{
	const char *colon = memchr(line, ':', size);

	return colon && colon > line && *line != ' ' && *line != '\t' && colon[-1] != ' ' &&
	       colon[-1] != '\t';
}

/* At the CR of data[at]: the head's size where it ends here, 0 where it goes on, or -EBADMSG. */
static ssize_t end_line(struct belay__head *head, const char *data)
{
	size_t size = head->at - head->line;
	bool first = head->line == 0;

	if (data[head->at + 1] != '\n' || (first && size == 0))
		return -EBADMSG;
	if (size == 0)
		return (ssize_t)head->at + 2;
	if (!first && !is_header(data + head->line, size))
		return -EBADMSG;
	head->at += 2;
	head->line = head->at;
	return 0;
}

/* Moves on to the next CR, or to the end. False: there is something on the way that may stand in no
 * line. */
static bool skip_text(struct belay__head *head, const char *data, size_t size)
{
	const char *from = data + head->at, *cr = memchr(from, '\r', size - head->at);
	size_t length = cr ? (size_t)(cr - from) : size - head->at;

	if (!belay__is_field_value(from, length))
		return false;
	head->at += length;
	return true;
}

ssize_t belay__head_scan(struct belay__head *head, const char *data, size_t size)
{
	ssize_t end = 0;

	while (end == 0 && head->at < size) {
		if (!skip_text(head, data, size))
			return -EBADMSG;
		if (head->at + 1 >= size)
			return 0;
		end = end_line(head, data);
	}
	return end;
}
