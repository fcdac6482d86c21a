/* SPDX-License-Identifier: MIT
 *
 * refused.h - requests that could not be understood, or not taken.
 *
 * They are answered before anybody looks for a route, so no middleware sees them. That they come is
 * counted, for the whole process, since who sends them is broken or hostile.
 */
#ifndef BELAY_SRC_HTTP_REFUSED_H
#define BELAY_SRC_HTTP_REFUSED_H

#include <stdint.h>

/* One more, answered with status. Any thread. */
void belay__count_refused(int status);

/* Calls visit(arg, status, count) for each status there may be; the last one, 0, is all others. */
void belay__refused_visit(void (*visit)(void *arg, int status, uint64_t count), void *arg);

#endif
