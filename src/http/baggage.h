/* SPDX-License-Identifier: MIT
 *
 * baggage.h - W3C Baggage: its form and its limits.
 */
#ifndef BELAY_SRC_HTTP_BAGGAGE_H
#define BELAY_SRC_HTTP_BAGGAGE_H

#include <stddef.h>

/* How much of text is handed on: whole members, as many as the limits have room for. 0 and *ret
 * (0: there is no member in it), or -EINVAL: malformed. */
int belay__baggage_scan(const char *text, size_t *ret);

#endif
