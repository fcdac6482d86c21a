/* SPDX-License-Identifier: MIT
 *
 * signal.c - contexts that end when the process gets a signal.
 *
 * The handler, not a thread, gives the signals back their former dispositions: a second Ctrl-C ends
 * the process even where every thread of Belay's hangs. All that is left to the clock thread is to
 * end the contexts, which it is told by a descriptor of each.
 *
 * State       An entry is armed (in entries) until one of its signals comes or its context ends,
 *             and holds its signals as long. A signal has our handler while anybody holds it.
 * Locking     A spin lock of its own guards entries, holders and the entries' came, since the
 *             handler takes it. Whoever else holds it has all signals blocked, so no handler waits
 *             for the thread that it has interrupted; the handler itself runs with all blocked.
 * Handler     Calls what signal-safety(7) allows: sigaction, write, raise. Atomics are lock-free.
 */
#include "base/futex.h"
#include "base/list.h"
#include "context/context.h"
#include "wait/watch.h"

#include <belay/os.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SIGNALS = 65 }; /* the kernel's are 1 to 64 */

struct entry {
	struct belay__list link;
	struct belay_hook hook;
	struct belay__watch watch;
	belay_ctx *ctx;    /* whose memory this is                         */
	uint64_t signals;  /* bit n: signal n + 1; constant                */
	int event;         /* eventfd: a signal came                       */
	int came;          /* which one; 0: none                           */
	bool left;         /* the watch is off and event is closed         */
};

static atomic_flag lock = ATOMIC_FLAG_INIT;
static struct belay__list entries = {&entries, &entries};
static struct {
	unsigned count;
	struct sigaction before;
} holders[SIGNALS];

/* ---- The lock -------------------------------------------------------------------------------- */

/* Acquire and release, as any lock's. */
static void spin_take(void)
{
	while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
		belay__cpu_relax();
}

static void spin_give(void)
{
	atomic_flag_clear_explicit(&lock, memory_order_release);
}

static void take(sigset_t *mask)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, mask);
	spin_take();
}

static void give(const sigset_t *mask)
{
	spin_give();
	pthread_sigmask(SIG_SETMASK, mask, NULL);
}

/* ---- Dispositions; under the lock ------------------------------------------------------------ */

static void handle(int number);

static bool is_ours(int number)
{
	struct sigaction now;

	return sigaction(number, NULL, &now) == 0 && now.sa_handler == handle;
}

/* What the program has set itself meanwhile is not touched. */
static void restore(int number)
{
	if (is_ours(number))
		sigaction(number, &holders[number].before, NULL);
}

static void hold(int number)
{
	struct sigaction ours = {.sa_handler = handle, .sa_flags = SA_RESTART | SA_ONSTACK};

	holders[number].count++;
	sigfillset(&ours.sa_mask);
	if (!is_ours(number))
		sigaction(number, &ours, &holders[number].before);
}

static void release(int number)
{
	if (--holders[number].count == 0)
		restore(number);
}

static void for_each(uint64_t signals, void (*fn)(int number))
{
	for (; signals; signals &= signals - 1)
		fn(__builtin_ctzll(signals) + 1);
}

static bool names(const struct entry *entry, int number)
{
	return entry->signals >> (number - 1) & 1;
}

/* False: it was disarmed already. */
static bool disarm(struct entry *entry)
{
	if (!belay__list_linked(&entry->link))
		return false;
	belay__list_remove(&entry->link);
	for_each(entry->signals, release);
	return true;
}

/* ---- The handler ----------------------------------------------------------------------------- */

static void tell(struct entry *entry, int number)
{
	uint64_t one = 1;

	entry->came = number;
	if (write(entry->event, &one, sizeof one) < 0)
		return; /* can't be: the counter is 0 */
}

/* Disarms and tells all that name the signal. False: there were none. */
static bool tell_all(int number)
{
	struct belay__list *link = entries.next;
	bool any = false;

	while (link != &entries) {
		struct entry *entry = belay__container(link, struct entry, link);

		link = link->next;
		if (!names(entry, number))
			continue;
		disarm(entry);
		tell(entry, number);
		any = true;
	}
	return any;
}

/* A signal that nobody holds came in the moment in which it was given back; it is sent again, to do
 * what it did before. */
static void handle(int number)
{
	int saved = errno;
	bool taken;

	spin_take();
	taken = tell_all(number);
	if (!taken)
		restore(number);
	spin_give();
	if (!taken)
		raise(number);
	errno = saved;
}

/* ---- The entry's side ------------------------------------------------------------------------ */

static void format_cause(int number, char *buf, size_t size)
{
	const char *name = sigabbrev_np(number);

	if (name)
		snprintf(buf, size, "SIG%s received", name);
	else
		snprintf(buf, size, "signal %d received", number);
}

static int what_came(const struct entry *entry)
{
	sigset_t mask;
	int number;

	take(&mask);
	number = entry->came;
	give(&mask);
	return number;
}

/* On the clock thread. Where ctx is going, leave() waits for us with its memory. */
static void came(struct belay__watch *watch, uint32_t events)
{
	struct entry *entry = belay__container(watch, struct entry, watch);
	belay_ctx *ctx = entry->ctx;
	char message[48];

	(void)events;
	if (!belay__try_ref(ctx))
		return;
	format_cause(what_came(entry), message, sizeof message);
	belay__cancel_with(ctx, -ECANCELED, -EINTR, NULL, message);
	belay_unref(ctx);
}

/* By the hook, or when ctx goes without an end; the end's reference keeps the two apart. */
static void leave(void *arg)
{
	struct entry *entry = arg;
	sigset_t mask;

	if (entry->left)
		return;
	entry->left = true;
	take(&mask);
	disarm(entry);
	give(&mask);
	belay__watch_remove(&entry->watch);
	close(entry->event);
}

static void ended(struct belay_hook *hook)
{
	leave(belay__container(hook, struct entry, hook));
}

/* 0 and both the descriptor and its watch, or a negative errno and neither. */
static int open_event(struct entry *entry)
{
	int err;

	entry->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (entry->event < 0)
		return -errno;
	err = belay__watch_add(&entry->watch, entry->event, EPOLLIN | EPOLLONESHOT, came);
	if (err < 0)
		close(entry->event);
	return err;
}

static void arm(struct entry *entry)
{
	sigset_t mask;

	take(&mask);
	belay__list_append(&entries, &entry->link);
	for_each(entry->signals, hold);
	give(&mask);
}

/* 0, or a negative errno and no signal was touched. */
static int join(belay_ctx *ctx, uint64_t signals)
{
	struct entry *entry = belay_alloc(ctx, sizeof *entry);
	int err;

	if (!entry)
		return -ENOMEM;
	*entry = (struct entry){.ctx = ctx, .signals = signals, .left = true};
	err = belay__defer_last(ctx, leave, entry);
	if (err == 0)
		err = open_event(entry);
	if (err < 0)
		return err;
	entry->left = false;
	arm(entry);
	if (!belay__hook_add_own(ctx, &entry->hook, ended))
		leave(entry);
	return 0;
}

/* ---- The call -------------------------------------------------------------------------------- */

/* The kernel's and the C library's own are refused by sigaction(2), SIGKILL and SIGSTOP only where
 * they are set. */
static bool can_be_caught(int number)
{
	return number > 0 && number < SIGNALS && number != SIGKILL && number != SIGSTOP &&
	       sigaction(number, NULL, NULL) == 0;
}

/* The signals of the list as bits; 0: none, or one that can't be caught. */
static uint64_t collect(va_list list)
{
	uint64_t signals = 0;
	int number;

	while ((number = va_arg(list, int)) != 0) {
		if (!can_be_caught(number))
			return 0;
		signals |= UINT64_C(1) << (number - 1);
	}
	return signals;
}

static belay_ctx *with_signals(belay_ctx *parent, const struct belay_site *site, uint64_t signals)
{
	belay_ctx *ctx;
	int err;

	if (!signals)
		return belay__failed_ctx(-EINVAL);
	ctx = belay_with_cancel_at(parent, site);
	if (belay_err(ctx) != 0)
		return ctx;
	err = join(ctx, signals);
	if (err < 0)
		belay__cancel_with(ctx, -ENOMEM, err, NULL, NULL);
	return ctx;
}

belay_ctx *belay_with_signal_at(belay_ctx *parent, const struct belay_site *site, ...)
{
	uint64_t signals;
	va_list list;

	va_start(list, site);
	signals = collect(list);
	va_end(list);
	return with_signals(parent, site, signals);
}

belay_ctx *(belay_with_signal)(belay_ctx *parent, ...)
{
	uint64_t signals;
	va_list list;

	va_start(list, parent);
	signals = collect(list);
	va_end(list);
	return with_signals(parent, NULL, signals);
}
