/* SPDX-License-Identifier: MIT
 *
 * date.c - moments as HTTP writes them.
 */
#include "http/date.h"

#include <stdio.h>

void belay__date(time_t when, char ret[BELAY__DATE_SIZE])
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm t;

	gmtime_r(&when, &t);
	snprintf(ret, BELAY__DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[t.tm_wday],
		 (unsigned)t.tm_mday % 100, months[t.tm_mon], (unsigned)(t.tm_year + 1900) % 10000,
		 (unsigned)t.tm_hour % 100, (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100);
}
