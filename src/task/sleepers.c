/* SPDX-License-Identifier: MIT
 *
 * sleepers.c - tasks that wait until a moment at the most, by a sleep or a select's time-out.
 *
 * A task goes on where it began. So its worker, and nobody else, looks after its time-out: in a
 * wheel of its own, without a lock, whenever it looks at the clock. While the worker sleeps in its
 * poller, a timerfd wakes it. A worker that a task holds up can't be in time; the task that waits
 * could not go on in time either. (The deadline of a context is another matter, and the clock's.)
 *
 * Invariants  (1) task->sleeper is linked from the add on until it is taken off to be claimed, or
 *                 removed by the task; task->timeout, on the task's stack, may be used until the
 *                 task goes on, which it can't while the worker is in here.
 *             (2) next is no later than the wheel's next moment.
 *             (3) Before a sleep: alarm is no later than next.
 * Claims      The claim decides between the time and other wakers, as ever. Where the time is the
 *             only reason (sole) nobody but the worker can claim, so it needs no lock for that.
 * Misses      Of very many sleepers each one's stack has left the cache. The wheel links tasks,
 *             which lie close to each other; so a batch of them is taken off first, and their
 *             stacks are asked for all at once, before the first of them is looked at.
 */
#include "task/sleepers.h"

#include "task/worker.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { BATCH = 64, LINE = 64, LINES_MOST = 8 };

static void count(struct sleepers *sleepers, int change)
{
	uint32_t n = atomic_load_explicit(&sleepers->count, memory_order_relaxed);

	atomic_store_explicit(&sleepers->count, n + (uint32_t)change, memory_order_relaxed);
}

/* ---- Coming and going ------------------------------------------------------------------------ */

void belay__sleeper_add(struct sleepers *sleepers, struct belay__task *task,
			struct belay__timeout *timeout)
{
	int64_t moment = belay__wheel_moment(timeout->when);

	task->timeout = timeout;
	task->sleeper.when = timeout->when;
	belay__wheel_insert(&sleepers->wheel, &task->sleeper);
	count(sleepers, 1);
	if (moment < sleepers->next)
		sleepers->next = moment;
}

void belay__sleeper_remove(struct sleepers *sleepers, struct belay__task *task)
{
	if (!belay__list_linked(&task->sleeper.link))
		return;
	belay__wheel_remove(&sleepers->wheel, &task->sleeper);
	count(sleepers, -1);
}

/* ---- Waking ---------------------------------------------------------------------------------- */

/* From where it was left up to the time-out, or as far as pays. Where the switch is the portable
 * one a large saved context lies between the two, and this fetches a part of that. */
static void fetch_stack(const struct belay__task *task)
{
	const char *at = task->fiber.context.sp, *end = (const char *)(task->timeout + 1);

	for (int i = 0; i < LINES_MOST && at < end; i++, at += LINE)
		__builtin_prefetch(at, 1);
}

static unsigned take_batch(struct sleepers *sleepers, struct belay__task *batch[BATCH])
{
	struct belay__list *link;
	unsigned n = 0;

	while (n < BATCH && (link = belay__list_pop(&sleepers->wheel.due))) {
		batch[n] = belay__container(link, struct belay__task, sleeper.link);
		fetch_stack(batch[n++]);
	}
	count(sleepers, -(int)n);
	return n;
}

static bool wake_batch(struct worker *worker)
{
	struct belay__task *batch[BATCH];
	unsigned n = take_batch(&worker->sleepers, batch);

	for (unsigned i = 0; i < n; i++)
		if (belay__wait_claim(&batch[i]->timeout->wait))
			belay__worker_ready(worker, batch[i]);
	return n == BATCH;
}

/* More than one batch where turns are long, since all who stand in line would have one before the
 * next look. Otherwise that is near, and what was fetched would be lost again. */
void belay__sleepers_wake(struct worker *worker, int64_t now)
{
	struct sleepers *sleepers = &worker->sleepers;

	belay__wheel_advance(&sleepers->wheel, now);
	while (wake_batch(worker) && worker->stride < BATCH)
		;
	sleepers->woken++;
	sleepers->next = belay__wheel_next(&sleepers->wheel);
}

/* ---- The alarm ------------------------------------------------------------------------------- */

/* One that comes too early, for a task that did not wait so long, does no harm: so it is not worth
 * a system call. */
void belay__sleepers_set_alarm(struct sleepers *sleepers)
{
	int64_t when = sleepers->next > 0 ? sleepers->next : 1; /* 0 would be no alarm at all */
	const struct itimerspec at = {
		.it_value = {.tv_sec = when / 1000000000, .tv_nsec = when % 1000000000}};

	if (sleepers->next >= sleepers->alarm)
		return;
	sleepers->alarm = sleepers->next;
	timerfd_settime(sleepers->fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* Watched for edges, so there is nothing to read. */
static void alarmed(struct belay__source *source, uint32_t events)
{
	struct sleepers *sleepers = belay__container(source, struct sleepers, source);
	int64_t now = belay_now();

	(void)events;
	sleepers->alarm = BELAY_FOREVER;
	if (belay__sleepers_are_due(sleepers, now))
		belay__sleepers_wake(belay__container(sleepers, struct worker, sleepers), now);
}

/* ---- The worker's start and end -------------------------------------------------------------- */

int belay__sleepers_open(struct sleepers *sleepers, int epoll)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = &sleepers->source};

	belay__wheel_init(&sleepers->wheel, belay_now());
	sleepers->next = sleepers->alarm = BELAY_FOREVER;
	sleepers->source.ready = alarmed;
	sleepers->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (sleepers->fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, sleepers->fd, &event) < 0)
		return -errno;
	return 0;
}

void belay__sleepers_close(struct sleepers *sleepers)
{
	if (sleepers->fd >= 0)
		close(sleepers->fd);
}
