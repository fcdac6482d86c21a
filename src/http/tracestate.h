/* SPDX-License-Identifier: MIT
 *
 * tracestate.h - W3C Trace Context's tracestate: its form and its limits.
 */
#ifndef BELAY_SRC_HTTP_TRACESTATE_H
#define BELAY_SRC_HTTP_TRACESTATE_H

#include <stdbool.h>

/* Whether it may be handed on: well-formed, within the limits, and with a member in it. */
bool belay__is_tracestate(const char *text);

#endif
