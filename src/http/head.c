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

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_control(unsigned char c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

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

ssize_t belay__head_scan(struct belay__head *head, const char *data, size_t size)
{
	while (head->at < size) {
		ssize_t end;

		if (data[head->at] != '\r') {
			if (is_control((unsigned char)data[head->at]))
				return -EBADMSG;
			head->at++;
			continue;
		}
		if (head->at + 1 == size)
			return 0;
		end = end_line(head, data);
		if (end != 0)
			return end;
	}
	return 0;
}
