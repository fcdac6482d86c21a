/* SPDX-License-Identifier: MIT
 *
 * h2_heard.h - a reader of what a server of HTTP/2 says, by the book (RFC 9113), which aborts
 * where that is against it.
 */
#ifndef BELAY_FUZZ_H2_HEARD_H
#define BELAY_FUZZ_H2_HEARD_H

#include "h2_said.h"

/* What came in answer to what was said; it may be cut off anywhere. */
void h2_heard_check(const uint8_t *data, size_t size, const struct h2_said *said);

#endif
