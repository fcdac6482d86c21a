/* SPDX-License-Identifier: MIT
 *
 * scale.h - smaller numbers where the program runs slowed down, under a sanitizer or valgrind.
 */
#ifndef BELAY_TESTS_SUPPORT_SCALE_H
#define BELAY_TESTS_SUPPORT_SCALE_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

enum {
	SCALE_SANITIZED = 10, /* a load of a second then takes a few, even on busy machines */
	SCALE_VALGRIND = 100,
};

/* How many times smaller. */
static inline size_t scale(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) ||                               \
	__has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
	return SCALE_SANITIZED;
#elif defined(RUNNING_ON_VALGRIND)
	return RUNNING_ON_VALGRIND ? SCALE_VALGRIND : 1;
#else
	return 1;
#endif
}

/* n of something, or what of it is bearable here; at least one. */
static inline size_t scaled(size_t n)
{
	return n >= scale() ? n / scale() : 1;
}

/* True where only one thread runs at a time: nothing can be seen to go on beside something else. */
static inline bool scale_is_serial(void)
{
	return scale() == SCALE_VALGRIND;
}

#endif
