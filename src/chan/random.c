/* SPDX-License-Identifier: MIT
 *
 * random.c - chance, for a select's choice among what is ready.
 *
 * Apart from select.c, so that a search through all that can happen can choose for itself.
 */
#include "chan/random.h"

#include <belay/time.h>

#include <stdint.h>

/* xorshift64* (Vigna 2016): quick, and even enough for a choice among cases. */
static uint64_t random_bits(void)
{
	static _Thread_local uint64_t state __attribute__((tls_model("initial-exec")));

	if (state == 0)
		state = (uint64_t)belay_now() ^ (uint64_t)(uintptr_t)&state;
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(2685821657736338717);
}

size_t belay__random_below(size_t n)
{
	return (size_t)((random_bits() >> 32) * n >> 32);
}
