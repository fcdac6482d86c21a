/* SPDX-License-Identifier: MIT
 *
 * line.h - the text of a log line: built in a buffer that is safe to print.
 *
 * A line grows in the place it was given and moves to the heap where it does not fit; where there
 * is no memory it is cut, and ends in "...".
 */
#ifndef BELAY_SRC_LOG_LINE_H
#define BELAY_SRC_LOG_LINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct belay__line {
	char *text; /* NUL-terminated; place or heap */
	size_t size, room;
	char *heap; /* NULL: text stands in place */
	bool cut;   /* no memory for more */
};

/* place has room bytes, at least 64, and must outlive the line. */
void belay__line_init(struct belay__line *line, char *place, size_t room);
void belay__line_fini(struct belay__line *line);

/* Appends size bytes of text with everything escaped that would not stay on its line or could steer
 * a terminal: C0 controls and DEL (\n, \t, \r, else \x1b) and C1 controls in UTF-8 (\u009b). */
void belay__line_append(struct belay__line *line, const char *text, size_t size);
void belay__line_vprintf(struct belay__line *line, const char *fmt, va_list args);

#endif
