/* SPDX-License-Identifier: MIT
 *
 * grpc_timeout.c - what is left of a deadline, as gRPC writes it.
 *
 * "gRPC over HTTP2" (grpc/doc/PROTOCOL-HTTP2.md), section "Requests": at most eight digits and a
 * unit of one letter, n, u, m (milliseconds), S, M (minutes) or H.
 */
#include "http/grpc_timeout.h"

#include <belay/time.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_DIGITS = 8, MOST = 99999999, UNITS = 6 };

static const struct {
	char letter;
	int64_t ns;
} units[UNITS] = {
	{'n', 1},	    {'u', BELAY_US(1)}, {'m', BELAY_MS(1)},
	{'S', BELAY_S(1)}, {'M', BELAY_S(60)}, {'H', BELAY_S(3600)},
};

/* 0: there is no such unit. */
static int64_t unit_of(char letter)
{
	for (int i = 0; i < UNITS; i++)
		if (units[i].letter == letter)
			return units[i].ns;
	return 0;
}

int belay__grpc_timeout_parse(const char *text, int64_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	int64_t n = 0, unit;

	if (digits == 0 || digits > MOST_DIGITS || strlen(text) != digits + 1)
		return -EINVAL;
	unit = unit_of(text[digits]);
	if (unit == 0)
		return -EINVAL;
	for (size_t i = 0; i < digits; i++)
		n = 10 * n + (text[i] - '0');
	*ret = __builtin_mul_overflow(n, unit, &n) ? BELAY_FOREVER : n;
	return 0;
}

/* Hours have room for all that an int64_t holds. */
void belay__grpc_timeout_format(int64_t ns, char ret[BELAY__GRPC_TIMEOUT_SIZE])
{
	int i = 0;

	while (ns / units[i].ns > MOST)
		i++;
	snprintf(ret, BELAY__GRPC_TIMEOUT_SIZE, "%" PRIu32 "%c", (uint32_t)(ns / units[i].ns),
		 units[i].letter);
}
