/* SPDX-License-Identifier: MIT
 *
 * thread.c - starts the house's own threads.
 */
#include "base/thread.h"

#include "base/alloc.h"

#include <errno.h>
#include <signal.h>

/* The mask is inherited. A thread's stack is memory, of which pthread_create(3) says EAGAIN. */
int belay__thread_start(pthread_t *ret, const char *name, void *(*fn)(void *arg), void *arg)
{
	sigset_t all, before;
	int err;

	if (belay__alloc_fails())
		return -EAGAIN;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(ret, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	pthread_setname_np(*ret, name);
	return 0;
}
