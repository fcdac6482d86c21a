/* SPDX-License-Identifier: MIT
 *
 * probed.c - a frame far larger than any guard, of which only the far end is touched. Compiled with
 * -fstack-clash-protection, as what runs in tasks should be.
 */
#include "probed.h"

__attribute__((noinline)) int probed_leap(int depth)
{
	volatile char frame[1 << 20];

	frame[0] = (char)depth;
	return depth < 0 ? 0 : probed_leap(depth + 1) + frame[0];
}
