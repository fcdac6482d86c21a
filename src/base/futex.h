/* SPDX-License-Identifier: MIT
 *
 * futex.h - futex(2), private to the process, and the processor's hint for a spin.
 *
 * Both calls keep errno: a contended lock is no business of the program's.
 */
#ifndef BELAY_SRC_BASE_FUTEX_H
#define BELAY_SRC_BASE_FUTEX_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Returns when woken, when *word is not expected, or for no reason: callers loop. */
static inline void belay__futex_wait(_Atomic uint32_t *word, uint32_t expected)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
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
