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

#ifdef BELAY__TSAN
/* ThreadSanitizer keeps a signal back until the thread calls something that it intercepts. A system
 * call of our own is none, so a thread that waits here would never run its handlers: wake up now
 * and then, and call one. */
static inline void belay__futex_sleep(_Atomic uint32_t *word, uint32_t expected)
{
	const struct timespec turn = {.tv_nsec = 20000000}, none = {0};

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, &turn, NULL, 0);
	nanosleep(&none, NULL);
}
#else
static inline void belay__futex_sleep(_Atomic uint32_t *word, uint32_t expected)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}
#endif

/* Returns when woken, when *word is not expected, or for no reason: callers loop. */
static inline void belay__futex_wait(_Atomic uint32_t *word, uint32_t expected)
{
	int saved = errno;

	belay__futex_sleep(word, expected);
	errno = saved;
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
