/* SPDX-License-Identifier: MIT
 *
 * date.c - moments as HTTP writes them.
 */
#include "http/date.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void belay__date(time_t when, char ret[BELAY__DATE_SIZE])
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	struct tm t;

	gmtime_r(&when, &t);
	snprintf(ret, BELAY__DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[t.tm_wday],
		 (unsigned)t.tm_mday % 100, months[t.tm_mon], (unsigned)(t.tm_year + 1900) % 10000,
		 (unsigned)t.tm_hour % 100, (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100);
}

void belay__date_now(char ret[BELAY__DATE_SIZE])
{
	static _Thread_local char text[BELAY__DATE_SIZE];
	static _Thread_local time_t latest = -1;
	time_t now = time(NULL);

	if (now != latest)
		belay__date(now, text);
	latest = now;
	memcpy(ret, text, BELAY__DATE_SIZE);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* A two-digit year more than 50 years ahead is one of the last century (section 5.6.7). */
static int full_year(int year)
{
	time_t now = time(NULL);
	struct tm t;

	gmtime_r(&now, &t);
	year += (t.tm_year + 1900) / 100 * 100;
	return year > t.tm_year + 1900 + 50 ? year - 100 : year;
}

/* Whether all of text is of that form: day of the week aside, what it names is in the rest. */
static bool parse_form(const char *text, const char *form, bool asctime_s, struct tm *t,
		       char month[4])
{
	int end = 0, n;

	*t = (struct tm){0};
	if (asctime_s)
		n = sscanf(text, form, month, &t->tm_mday, &t->tm_hour, &t->tm_min, &t->tm_sec,
			   &t->tm_year, &end);
	else
		n = sscanf(text, form, &t->tm_mday, month, &t->tm_year, &t->tm_hour, &t->tm_min,
			   &t->tm_sec, &end);
	return n == 6 && end > 0 && text[end] == '\0';
}

static bool parse_any(const char *text, struct tm *t, char month[4])
{
	if (parse_form(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", false, t, month))
		return true;
	if (parse_form(text, "%*[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", false, t, month)) {
		t->tm_year = full_year(t->tm_year);
		return true;
	}
	return parse_form(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", true, t, month);
}

/* The day is checked against 31 alone: who asks since the 31st of February gets an answer. */
static bool is_sane(const struct tm *t)
{
	return t->tm_mday >= 1 && t->tm_mday <= 31 && t->tm_hour >= 0 && t->tm_hour <= 23 &&
	       t->tm_min >= 0 && t->tm_min <= 59 && t->tm_sec >= 0 && t->tm_sec <= 60 &&
	       t->tm_year >= 0;
}

int belay__date_parse(const char *text, time_t *ret)
{
	char month[4];
	struct tm t;
	int m = 0;

	if (!parse_any(text, &t, month) || !is_sane(&t))
		return -EINVAL;
	while (m < 12 && strcmp(month, months[m]) != 0)
		m++;
	if (m == 12)
		return -EINVAL;
	t.tm_mon = m;
	t.tm_year -= 1900;
	*ret = timegm(&t);
	return 0;
}
