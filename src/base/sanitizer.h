/* SPDX-License-Identifier: MIT
 *
 * sanitizer.h - which sanitizer this is built with, and what it has to be told about memory.
 */
#ifndef BELAY_SRC_BASE_SANITIZER_H
#define BELAY_SRC_BASE_SANITIZER_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BELAY__ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define BELAY__TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define BELAY__ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define BELAY__TSAN 1
#endif

/* A function whose reads and writes of memory are nobody else's business. */
#define BELAY__NO_SANITIZE __attribute__((noinline, no_sanitize("address", "thread")))

#ifdef BELAY__ASAN
#include <sanitizer/asan_interface.h>
#define BELAY__POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define BELAY__UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define BELAY__POISON(p, n)   ((void)(p), (void)(n))
#define BELAY__UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#endif
