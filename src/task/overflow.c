/* SPDX-License-Identifier: MIT
 *
 * overflow.c - which task it was that ran out of stack.
 *
 * A task that runs into the guard below its stack dies with the whole program, as any code does
 * that uses memory which is not its own; but its backtrace, if there is any, says nothing of who
 * started it. So a handler of SIGSEGV says that, on a stack for signals that each worker has, and
 * then leaves the signal to whoever had it before: the program's own handler, a sanitizer's, or the
 * default, which ends the program at the instruction that failed. Faults of any other kind it only
 * hands on.
 *
 * Limits      A program that sets a handler of its own while workers run has replaced this one. A
 *             frame of more than the guard can step over it, unless it was compiled with
 *             -fstack-clash-protection.
 * Signals     The handler calls nothing but what signal-safety(7) allows. previous is written
 *             before the handler is installed, and after it was taken off again.
 */
#include "task/overflow.h"

#include "task/worker.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct sigaction previous;
static bool installed;

/* ---- What it says ---------------------------------------------------------------------------- */

struct text {
	char bytes[512];
	size_t length;
};

static void add(struct text *text, const char *s)
{
	size_t room = sizeof text->bytes - text->length, length = strlen(s);

	if (length > room)
		length = room;
	memcpy(text->bytes + text->length, s, length);
	text->length += length;
}

static void add_number(struct text *text, unsigned long number)
{
	char digits[24], *at = digits + sizeof digits;

	*--at = '\0';
	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	add(text, at);
}

static void say(const struct belay__task *task)
{
	const struct belay_site *site = atomic_load_explicit(&task->site, memory_order_relaxed);
	struct text text = {.length = 0};
	int saved = errno;

	add(&text, "belay: a task needs more than its ");
	add_number(&text, belay__stack_size(&task->stack) >> 10);
	add(&text, " KiB of stack, and belay_go_with() gives it more: it was started at ");
	if (site && site->file) {
		add(&text, site->file);
		add(&text, ":");
		add_number(&text, (unsigned long)site->line);
		add(&text, " in ");
		add(&text, site->func);
		add(&text, "()\n");
	} else {
		add(&text, "an unknown line\n");
	}
	if (write(STDERR_FILENO, text.bytes, text.length) < 0)
		errno = saved; /* nobody to tell */
	errno = saved;
}

/* ---- The signal ------------------------------------------------------------------------------ */

/* The task below whose stack address lies, where that is the calling thread's own. */
static const struct belay__task *overflown(const void *address)
{
	const struct belay__task *task;

	if (!belay__worker || !belay__current_task)
		return NULL;
	task = task_of(belay__current_task);
	return (const char *)address < task->stack.low &&
			       (const char *)address >= task->stack.low - BELAY__STACK_GUARD
		       ? task
		       : NULL;
}

/* A fault comes again as soon as the handler returns; what somebody sent has to be sent again. */
static void leave_to_default(int signal, const siginfo_t *info)
{
	const struct sigaction by_default = {.sa_handler = SIG_DFL};

	sigaction(signal, &by_default, NULL);
	if (info->si_code <= 0)
		raise(signal);
}

static void hand_on(int signal, siginfo_t *info, void *context)
{
	if (previous.sa_flags & SA_SIGINFO)
		previous.sa_sigaction(signal, info, context);
	else if (previous.sa_handler == SIG_IGN && info->si_code <= 0)
		;
	else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN)
		leave_to_default(signal, info);
	else
		previous.sa_handler(signal);
}

static void handle(int signal, siginfo_t *info, void *context)
{
	const struct belay__task *task = info->si_code > 0 ? overflown(info->si_addr) : NULL;

	if (task)
		say(task);
	hand_on(signal, info, context);
}

/* ---- For the house --------------------------------------------------------------------------- */

/* With the mask and the flags that the one before asked for, so that it meets what it would have
 * met without this one: above all, not to be called a second time. */
void belay__overflow_start(void)
{
	const int kept = (int)SA_RESETHAND | SA_NODEFER | SA_RESTART;
	struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	if (installed || sigaction(SIGSEGV, NULL, &previous) < 0)
		return;
	action.sa_mask = previous.sa_mask;
	action.sa_flags |= previous.sa_flags & kept;
	installed = sigaction(SIGSEGV, &action, NULL) == 0;
}

/* Where somebody has put another handler before this one, that may hand on to it: it stays. */
void belay__overflow_stop(void)
{
	struct sigaction now;

	if (!installed || sigaction(SIGSEGV, NULL, &now) < 0 || !(now.sa_flags & SA_SIGINFO) ||
	    now.sa_sigaction != handle)
		return;
	sigaction(SIGSEGV, &previous, NULL);
	installed = false;
}

void belay__overflow_enter(char memory[BELAY__SIGNAL_STACK], stack_t *ret_before)
{
	const stack_t ours = {.ss_sp = memory, .ss_size = BELAY__SIGNAL_STACK};
	sigset_t fault;

	sigaltstack(NULL, ret_before);
	if (ret_before->ss_flags & SS_DISABLE)
		sigaltstack(&ours, NULL);
	sigemptyset(&fault);
	sigaddset(&fault, SIGSEGV);
	pthread_sigmask(SIG_UNBLOCK, &fault, NULL);
}

void belay__overflow_leave(const stack_t *before)
{
	sigaltstack(before, NULL);
}
