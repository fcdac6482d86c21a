/* SPDX-License-Identifier: MIT
 *
 * vary.h - what an answer depends on besides its target, and lists in headers.
 */
#ifndef BELAY_SRC_HTTP_VARY_H
#define BELAY_SRC_HTTP_VARY_H

#include <belay/http.h>

/* Adds names ("Origin") to the answer's Vary (RFC 9110, section 12.5.5), unless it is there already
 * by the same words. 0; belay_response_add_header()'s errors. */
int belay__vary(belay_response *res, const char *names);

/* Whether a comma-separated list has this element, in any case, without its parameters. */
bool belay__list_has(const char *list, const char *element);

#endif
