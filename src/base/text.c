/* SPDX-License-Identifier: MIT
 *
 * text.c - foreign bytes in texts of ours.
 */
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { CHARACTER = 8 }; /* two bytes as \xHH, the longest a character gets */

/* What its first byte promises; 0: no character begins so. */
static size_t promised(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

size_t belay__utf8_length(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t length = promised(s[0]);

	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, half a surrogate pair, past the last character. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

static bool is_control(const char *s)
{
	unsigned char first = (unsigned char)s[0];

	return first < 0x20 || first == 0x7f || (first == 0xc2 && (unsigned char)s[1] < 0xa0);
}

/* The character at s, as it is to be shown, into out; how many bytes of s that were. */
static size_t show(char *out, const char *s, const char *special)
{
	size_t length = belay__utf8_length(s);
	bool plain = length > 0 && !is_control(s);
	size_t bytes = length > 0 ? length : 1;

	out[0] = '\0';
	if (!plain)
		for (size_t i = 0; i < bytes; i++)
			snprintf(out + 4 * i, 5, "\\x%02x", (unsigned char)s[i]);
	else if (*s == '\\' || strchr(special, *s))
		snprintf(out, 3, "\\%c", *s);
	else
		memcpy(out, s, length), out[length] = '\0';
	return bytes;
}

size_t belay__escape(char *buf, size_t most, const char *text, const char *special)
{
	char shown[CHARACTER + 1];
	size_t length = 0;

	while (*text) {
		size_t size;

		text += show(shown, text, special);
		size = strlen(shown);
		if (size > most - length)
			break;
		memcpy(buf + length, shown, size);
		length += size;
	}
	buf[length] = '\0';
	return length;
}
