/* SPDX-License-Identifier: MIT
 *
 * thread.h - starts the house's own threads.
 */
#ifndef BELAY_SRC_BASE_THREAD_H
#define BELAY_SRC_BASE_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

/* Set by those of the house's threads that run the program's code: a child that is forked there has
 * the signal mask of the thread that started the first of them. */
extern _Thread_local bool belay__own_thread;

/* The signal mask that code of the program's, running here, would have outside of Belay: on those
 * threads the one just named, elsewhere the thread's own. */
void belay__program_mask(sigset_t *ret);

/* Runs fn(arg) on a new thread of that name (at most 15 characters), which takes none of the
 * program's signals but those that a fault of its own raises. 0, or pthread_create(3)'s error,
 * negative: nothing was started then. */
int belay__thread_start(pthread_t *ret, const char *name, void *(*fn)(void *arg), void *arg);

#endif
