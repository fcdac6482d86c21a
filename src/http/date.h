/* SPDX-License-Identifier: MIT
 *
 * date.h - moments as HTTP writes them.
 */
#ifndef BELAY_SRC_HTTP_DATE_H
#define BELAY_SRC_HTTP_DATE_H

#include <time.h>

enum { BELAY__DATE_SIZE = 30 };

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7), in no locale's words. */
void belay__date(time_t when, char ret[BELAY__DATE_SIZE]);

/* Now: written once a second on each thread. */
void belay__date_now(char ret[BELAY__DATE_SIZE]);

/* A moment in any of the three forms of RFC 9110, section 5.6.7: 0 and *ret, or -EINVAL. */
int belay__date_parse(const char *text, time_t *ret);

#endif
