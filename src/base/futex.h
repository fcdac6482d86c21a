/* SPDX-License-Identifier: MIT
 *
 * futex.h - futex(2), private to the process, and the processor's hint for a spin.
 *
 * Both calls keep errno: a contended lock is no business of the program's.
 */
#ifndef BELAY_SRC_BASE_FUTEX_H
#define BELAY_SRC_BASE_FUTEX_H

#include "base/sanitizer.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* until: NULL: without end. */
static inline void belay__futex_sleep(_Atomic uint32_t *word, uint32_t expected,
				      const struct timespec *until)
{
	syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, until, NULL,
		FUTEX_BITSET_MATCH_ANY);
}

#ifdef BELAY__TSAN
/* ThreadSanitizer keeps a signal back until the thread calls something that it intercepts. A system
 * call of our own is none, so a thread that waits here would never run its handlers: wake up now
 * and then, and call one. */
static inline void belay__futex_sleep_at_most(_Atomic uint32_t *word, uint32_t expected,
					      int64_t until)
{
	const struct timespec none = {0};
	struct timespec turn;
	int64_t end;

	clock_gettime(CLOCK_MONOTONIC, &turn);
	end = (int64_t)turn.tv_sec * 1000000000 + turn.tv_nsec + 20000000;
	if (until < end)
		end = until;
	turn = (struct timespec){.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};
	belay__futex_sleep(word, expected, &turn);
	nanosleep(&none, NULL);
}
#else
static inline void belay__futex_sleep_at_most(_Atomic uint32_t *word, uint32_t expected,
					      int64_t until)
{
	const struct timespec end = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};

	belay__futex_sleep(word, expected, until == INT64_MAX ? NULL : &end);
}
#endif

/* Returns when woken, when *word is not expected, at the moment until (nanoseconds on
 * CLOCK_MONOTONIC, not negative; INT64_MAX: never), or for no reason: callers loop. */
static inline void belay__futex_wait_until(_Atomic uint32_t *word, uint32_t expected, int64_t until)
{
	int saved = errno;

	belay__futex_sleep_at_most(word, expected, until);
	errno = saved;
}

static inline void belay__futex_wait(_Atomic uint32_t *word, uint32_t expected)
{
	belay__futex_wait_until(word, expected, INT64_MAX);
}

static inline void belay__futex_wake(_Atomic uint32_t *word, int most)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, most, NULL, NULL, 0);
	errno = saved;
}

static inline void belay__cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
