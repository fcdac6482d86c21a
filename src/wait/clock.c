/* SPDX-License-Identifier: MIT
 *
 * clock.c - the clock thread: it sleeps until the earliest timer, and until a watched descriptor.
 *
 * Timers stand in wheels, one a processor, so that arming and disarming touches no other processor.
 * The thread sleeps in epoll_wait on a timerfd, which whoever arms an earlier timer than all others
 * sets to that moment without waking the thread. What somebody waits for himself, with a time-out,
 * is no timer of the clock's: a thread and a task's worker look after that (struct belay__timeout).
 *
 * Locking     shard->lock guards a wheel; alarm.lock guards alarm.when together with the timerfd's
 *             setting; start_lock guards start and stop, and within it alarm.lock may be taken, and
 *             watch.c's. No other two are held at once.
 * Stopped     alarm.when is NEVER_EARLIER, so that who arms a timer leaves the timerfd alone: a
 *             task may still run while the clock stops, and start it again.
 * No loss     The thread first sets alarm.when to FOREVER, then looks into each wheel under its
 *             lock, then sets the alarm to the earliest moment it saw. Who arms a timer puts it
 *             into a wheel under its lock, then compares with alarm.when. If the thread's look at
 *             that wheel came after, it saw the timer; else its lock section came before ours, so
 *             its FOREVER is visible to our load and we set the alarm ourselves. set_alarm() only
 *             ever makes it earlier, so that neither overwrites the other.
 * Steps       steps is odd while the thread is at work, seq_cst: who was woken by it and looks then
 *             sees that, or all else that was woken in the same step.
 * Memory      alarm.when is read without its lock: stale is fine where it is larger than the truth
 *             (we take the lock and look again). A value smaller than the truth was the truth, or
 *             NEVER_EARLIER, before the thread's FOREVER, and the argument above says that this
 *             store is seen.
 */
#include "wait/clock.h"

#include "base/lock.h"
#include "base/processors.h"
#include "base/thread.h"
#include "wait/timer.h"

#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { WHEELS = 64, BATCH = 64, EVENTS = 64 };
enum { DATA_TIMER = 1, DATA_STOP = 2 };
enum { NEVER_EARLIER = 0 }; /* than any moment */

/* One a processor; no line is shared with the next. */
static struct shard {
	_Alignas(64) struct belay__lock lock;
	_Atomic uint32_t armed; /* timers in the wheel; written under the lock */
	struct belay__wheel wheel;
} shards[WHEELS];
static unsigned shard_count; /* set by the first start, under start_lock */

static struct {
	struct belay__lock lock;
	_Atomic int64_t when;
} alarm_state;

static struct {
	pthread_t thread;
	int epoll, timer, stop;
} the_clock = {.epoll = -1, .timer = -1, .stop = -1};

static _Atomic uint64_t steps; /* begun, and ended */

static struct belay__lock start_lock;
static _Atomic bool running;
static _Thread_local bool is_clock;

int64_t belay_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t belay__moment(int64_t ns)
{
	int64_t when;

	return __builtin_add_overflow(belay_now(), ns, &when) ? (ns > 0 ? BELAY_FOREVER : 0) : when;
}

/* ---- The alarm ------------------------------------------------------------------------------- */

static void set_timerfd(int64_t when)
{
	struct itimerspec at = {.it_value = {.tv_sec = when / 1000000000,
					     .tv_nsec = when % 1000000000}};

	if (when <= 0)
		at.it_value = (struct timespec){.tv_nsec = 1};
	timerfd_settime(the_clock.timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void set_alarm(int64_t when)
{
	if (when >= atomic_load_explicit(&alarm_state.when, memory_order_relaxed))
		return;
	belay__lock_take(&alarm_state.lock, BELAY__RANK_LEAF);
	if (when < atomic_load_explicit(&alarm_state.when, memory_order_relaxed)) {
		atomic_store_explicit(&alarm_state.when, when, memory_order_relaxed);
		set_timerfd(when);
	}
	belay__lock_give(&alarm_state.lock, BELAY__RANK_LEAF);
}

/* Whatever the timerfd is set to, it counts as set to when. */
static void note_alarm(int64_t when)
{
	belay__lock_take(&alarm_state.lock, BELAY__RANK_LEAF);
	atomic_store_explicit(&alarm_state.when, when, memory_order_relaxed);
	belay__lock_give(&alarm_state.lock, BELAY__RANK_LEAF);
}

/* With the shard's lock held; relaxed: whoever reads it wants a number, not a timer. */
static void count_armed(struct shard *shard, int change)
{
	uint32_t armed = atomic_load_explicit(&shard->armed, memory_order_relaxed);

	atomic_store_explicit(&shard->armed, armed + (uint32_t)change, memory_order_relaxed);
}

size_t belay__timer_count(void)
{
	size_t count = 0;

	for (unsigned i = 0; i < WHEELS; i++)
		count += atomic_load_explicit(&shards[i].armed, memory_order_relaxed);
	return count;
}

/* ---- Expiry ---------------------------------------------------------------------------------- */

static struct belay__timer *timer_of(struct belay__list *link)
{
	return belay__container(link, struct belay__timer, entry.link);
}

/* Claims a batch of what is due in shard and puts those won on fired. Returns the moment at which
 * the shard wants to be looked at again; 0: at once. */
static int64_t claim_batch(struct shard *shard, struct belay__list *fired)
{
	struct belay__list *link;
	int64_t next;

	belay__lock_take(&shard->lock, BELAY__RANK_WHEEL);
	belay__wheel_advance(&shard->wheel, belay_now());
	for (int i = 0; i < BATCH && (link = belay__list_pop(&shard->wheel.due)); i++) {
		struct belay__timer *timer = timer_of(link);

		timer->armed = false;
		count_armed(shard, -1);
		if (timer->ops->claim(timer))
			belay__list_append(fired, link);
	}
	next = belay__wheel_next(&shard->wheel);
	belay__lock_give(&shard->lock, BELAY__RANK_WHEEL);
	return next;
}

static int64_t run_shard(struct shard *shard)
{
	struct belay__list fired, *link;
	int64_t next;

	belay__list_init(&fired);
	do {
		next = claim_batch(shard, &fired);
		while ((link = belay__list_pop(&fired))) {
			struct belay__timer *timer = timer_of(link);

			timer->ops->fire(timer);
		}
	} while (next == 0);
	return next;
}

static void run_all(void)
{
	int64_t earliest = BELAY_FOREVER;
	uint64_t expirations;

	if (read(the_clock.timer, &expirations, sizeof expirations) < 0)
		expirations = 0; /* set anew since the event: nothing to consume */
	note_alarm(BELAY_FOREVER);
	for (unsigned i = 0; i < shard_count; i++) {
		int64_t next = run_shard(&shards[i]);

		if (next < earliest)
			earliest = next;
	}
	set_alarm(earliest);
}

static bool deal_with(const struct epoll_event *events, int n)
{
	bool stopping = false;

	for (int i = 0; i < n; i++) {
		if (events[i].data.u64 == DATA_TIMER)
			run_all();
		else if (events[i].data.u64 == DATA_STOP)
			stopping = true;
		else
			belay__watch_event(events[i].data.u64, events[i].events);
	}
	return stopping;
}

static void *clock_main(void *arg)
{
	struct epoll_event events[EVENTS];
	bool stopping = false;

	is_clock = true;
	atomic_fetch_add(&steps, 1);
	run_all(); /* what was armed before a restart */
	atomic_fetch_add(&steps, 1);
	while (!stopping) {
		int n = epoll_wait(the_clock.epoll, events, EVENTS, -1);

		atomic_fetch_add(&steps, 1);
		stopping = deal_with(events, n);
		atomic_fetch_add(&steps, 1);
	}
	return arg;
}

uint64_t belay__clock_settle(void)
{
	uint64_t seen;

	for (unsigned round = 0; (seen = atomic_load(&steps)) % 2 != 0; round++)
		belay__lock_pause(round);
	return seen;
}

/* ---- Start and stop -------------------------------------------------------------------------- */

static void close_all(void)
{
	int *fds[] = {&the_clock.epoll, &the_clock.timer, &the_clock.stop};

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static int add_own(int fd, uint64_t data)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};

	return epoll_ctl(the_clock.epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_all(void)
{
	if ((the_clock.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
	    (the_clock.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) < 0 ||
	    (the_clock.stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		return -errno;
	if (add_own(the_clock.timer, DATA_TIMER) < 0 || add_own(the_clock.stop, DATA_STOP) < 0)
		return -ENOMEM;
	return 0;
}

static void make_wheels(void)
{
	shard_count = belay__processors() > WHEELS ? WHEELS : belay__processors();
	for (unsigned i = 0; i < shard_count; i++)
		belay__wheel_init(&shards[i].wheel, belay_now());
}

static int start_locked(void)
{
	int err;

	if (atomic_load_explicit(&running, memory_order_relaxed))
		return 0;
	if (shard_count == 0)
		make_wheels();
	err = open_all();
	if (err == 0) {
		belay__watch_start(the_clock.epoll);
		err = belay__thread_start(&the_clock.thread, "belay-clock", clock_main, NULL);
	}
	if (err < 0) {
		belay__watch_stop();
		close_all();
	} else {
		atomic_store_explicit(&running, true, memory_order_release);
	}
	return err;
}

int belay__clock_start(void)
{
	int saved = errno, err;

	/* Acquire pairs with the release in start_locked(): the wheels and descriptors are
	 * there. */
	if (atomic_load_explicit(&running, memory_order_acquire))
		return 0;
	belay__lock_take(&start_lock, BELAY__RANK_START);
	err = start_locked();
	belay__lock_give(&start_lock, BELAY__RANK_START);
	errno = saved;
	return err;
}

void belay__clock_stop(void)
{
	uint64_t one = 1;

	if (!atomic_load_explicit(&running, memory_order_acquire))
		return;
	while (write(the_clock.stop, &one, sizeof one) < 0 && errno == EINTR)
		;
	pthread_join(the_clock.thread, NULL);
	belay__lock_take(&start_lock, BELAY__RANK_START);
	atomic_store_explicit(&running, false, memory_order_relaxed);
	note_alarm(NEVER_EARLIER);
	belay__watch_stop();
	close_all();
	belay__lock_give(&start_lock, BELAY__RANK_START);
}

bool belay__on_clock_thread(void)
{
	return is_clock;
}

/* ---- Timers ---------------------------------------------------------------------------------- */

static uint16_t own_shard(void)
{
	int cpu = sched_getcpu();

	return cpu < 0 ? 0 : (uint16_t)((unsigned)cpu % shard_count);
}

void belay__timer_init(struct belay__timer *timer, const struct belay__timer_ops *ops)
{
	timer->entry.link.next = timer->entry.link.prev = NULL;
	timer->ops = ops;
	timer->shard = own_shard();
	timer->armed = false;
}

void belay__timer_arm(struct belay__timer *timer, int64_t when)
{
	struct shard *shard = &shards[timer->shard];

	belay__lock_take(&shard->lock, BELAY__RANK_WHEEL);
	timer->entry.when = when;
	timer->armed = true;
	count_armed(shard, 1);
	belay__wheel_insert(&shard->wheel, &timer->entry);
	belay__lock_give(&shard->lock, BELAY__RANK_WHEEL);
	set_alarm(belay__wheel_moment(when));
}

bool belay__timer_disarm(struct belay__timer *timer)
{
	struct shard *shard = &shards[timer->shard];
	bool armed;

	belay__lock_take(&shard->lock, BELAY__RANK_WHEEL);
	armed = timer->armed;
	if (armed) {
		timer->armed = false;
		count_armed(shard, -1);
		belay__wheel_remove(&shard->wheel, &timer->entry);
	}
	belay__lock_give(&shard->lock, BELAY__RANK_WHEEL);
	return armed;
}
