/* SPDX-License-Identifier: MIT
 *
 * text.h - foreign bytes in texts of ours.
 */
#ifndef BELAY_SRC_BASE_TEXT_H
#define BELAY_SRC_BASE_TEXT_H

#include <stddef.h>

/* The length of the valid UTF-8 sequence at s (RFC 3629, section 4), which ends with NUL somewhere;
 * 0: none. */
size_t belay__utf8_length(const char *s);

/* Copies text into buf, which holds most bytes and a NUL, and returns the length: of UTF-8 what can
 * be printed as it is; a backslash, and each of the characters of special, behind a backslash; any
 * byte of a control character (C0, DEL, C1) or of no UTF-8 as \xHH. Ends before a character for
 * which there is no more room. */
size_t belay__escape(char *buf, size_t most, const char *text, const char *special);

#endif
