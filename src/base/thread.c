/* SPDX-License-Identifier: MIT
 *
 * thread.c - starts the house's own threads.
 */
#include "base/thread.h"

#include "base/alloc.h"

#include <errno.h>
#include <signal.h>

_Thread_local bool belay__own_thread;

/* Written once, before there is any thread to fork. */
static sigset_t program_mask;

void belay__program_mask(sigset_t *ret)
{
	if (belay__own_thread)
		*ret = program_mask;
	else
		pthread_sigmask(SIG_SETMASK, NULL, ret);
}

static void restore_in_child(void)
{
	if (belay__own_thread)
		pthread_sigmask(SIG_SETMASK, &program_mask, NULL);
}

/* Without memory for the handler children keep the mask. */
static void remember_mask(void)
{
	pthread_sigmask(SIG_SETMASK, NULL, &program_mask);
	pthread_atfork(NULL, NULL, restore_in_child);
}

/* The kernel kills a process whose thread blocks what it raises itself, whatever its handlers. */
static void fill(sigset_t *ret)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};

	sigfillset(ret);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigdelset(ret, faults[i]);
}

/* The mask is inherited. A thread's stack is memory, of which pthread_create(3) says EAGAIN. */
int belay__thread_start(pthread_t *ret, const char *name, void *(*fn)(void *arg), void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	sigset_t all, before;
	int err;

	if (belay__alloc_fails())
		return -EAGAIN;
	pthread_once(&once, remember_mask);
	fill(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(ret, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	pthread_setname_np(*ret, name);
	return 0;
}
