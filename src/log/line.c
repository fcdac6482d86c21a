/* SPDX-License-Identifier: MIT
 *
 * line.c - a buffer for one line of text that is safe to print.
 *
 * Invariants  size < room, text[size] is 0; heap is NULL or text.
 *             Once cut, nothing more is appended: what follows a gap would mislead.
 * Locking     none: a line belongs to the call that builds it.
 */
#include "log/line.h"

#include "base/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

void belay__line_init(struct belay__line *line, char *place, size_t room)
{
	*line = (struct belay__line){.text = place, .room = room};
	place[0] = '\0';
}

void belay__line_fini(struct belay__line *line)
{
	belay__free(line->heap);
}

static void cut(struct belay__line *line)
{
	size_t at = line->size + 4 <= line->room ? line->size : line->room - 4;

	memcpy(line->text + at, "...", 4);
	line->size = at + 3;
	line->cut = true;
}

/* Room for more bytes and the NUL behind them. False: no memory for it. */
static bool reserve(struct belay__line *line, size_t more)
{
	size_t room = line->room;
	char *heap;

	if (more < line->room - line->size)
		return true;
	while (room <= line->size + more)
		room *= 2;
	heap = belay__realloc(line->heap, room);
	if (!heap)
		return false;
	if (!line->heap)
		memcpy(heap, line->text, line->size + 1);
	line->text = line->heap = heap;
	line->room = room;
	return true;
}

static void put(struct belay__line *line, const char *text, size_t size)
{
	bool fits;
	size_t most;

	if (line->cut)
		return;
	fits = reserve(line, size);
	most = fits ? size : line->room - line->size - 1;
	memcpy(line->text + line->size, text, most);
	line->size += most;
	line->text[line->size] = '\0';
	if (!fits)
		cut(line);
}

/* How many bytes at text make up one control character; 0: none does. */
static size_t control_at(const unsigned char *text, size_t size)
{
	if (text[0] < 0x20 || text[0] == 0x7f)
		return 1;
	return size > 1 && text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f ? 2 : 0;
}

static void put_escape(struct belay__line *line, const unsigned char *text, size_t size)
{
	static const char letters[] = "\nn\tt\rr";
	char escape[8];
	int n = 0;

	for (const char *l = letters; *l && !n; l += 2)
		if (text[0] == (unsigned char)l[0])
			n = snprintf(escape, sizeof escape, "\\%c", l[1]);
	if (!n && size == 1)
		n = snprintf(escape, sizeof escape, "\\x%02x", text[0]);
	else if (!n)
		n = snprintf(escape, sizeof escape, "\\u00%02x", text[1]);
	put(line, escape, (size_t)n);
}

void belay__line_append(struct belay__line *line, const char *text, size_t size)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + size, *plain = p;

	while (p < end) {
		size_t control = control_at(p, (size_t)(end - p));

		if (control == 0) {
			p++;
			continue;
		}
		put(line, (const char *)plain, (size_t)(p - plain));
		put_escape(line, p, control);
		plain = p += control;
	}
	put(line, (const char *)plain, (size_t)(p - plain));
}

/* Formatted apart first, since escaping makes it longer. A format that fails (EILSEQ, EOVERFLOW)
 * adds a note in its place: better a line without its end than none. */
void belay__line_vprintf(struct belay__line *line, const char *fmt, va_list args)
{
	char small[512], *text = small;
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(small, sizeof small, fmt, args);
	if (n >= (int)sizeof small) {
		text = belay__malloc((size_t)n + 1);
		if (text)
			vsnprintf(text, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	if (n < 0)
		put(line, "(cannot be formatted)", 21);
	else
		belay__line_append(line, text ? text : small, text ? (size_t)n : sizeof small - 1);
	if (!text && !line->cut)
		cut(line);
	if (text != small)
		belay__free(text);
}
