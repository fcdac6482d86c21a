/* SPDX-License-Identifier: MIT
 *
 * pace.c - whether a body comes fast enough.
 */
#include "http/pace.h"

#include <belay/time.h>

int64_t belay__pace_patience(const struct belay__pace *pace, uint64_t size, int64_t waited,
			     int64_t patience)
{
	/* Exact enough: rounded by less than a millisecond where it is a month. */
	double left =
		(double)size / (double)pace->rate * 1e9 + (double)pace->grace - (double)waited;

	if (pace->grace == BELAY_FOREVER || left >= (double)patience)
		return patience;
	return left > 0 ? (int64_t)left : 0;
}
