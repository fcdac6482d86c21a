/* SPDX-License-Identifier: MIT
 *
 * idle.c - workers without work: who looks for some, who naps, who sleeps; and how they are woken.
 *
 * State       AWAKE -> SEARCHING -> NAPPING -> SEARCHING ... -> ASLEEP -> AWAKE. At most one worker
 *             searches (house.searching): it looks for new tasks of others for a few microseconds,
 *             and as long as others begin new tasks, so that more may come at any moment, it looks
 *             again after a nap. So whoever spawns tasks, one after another, wakes nobody for each.
 * No loss     Of tasks that were woken: who goes to sleep (or naps) stores its state, then looks at
 *             its inbox; who wakes adds to the inbox, then looks at the state. All of these are
 *             seq_cst, so one of the two sees the other (Dekker).
 *             Of new tasks: who spawns lines up (seq_cst), then looks at searching, then at idle.
 *             Who goes to sleep counts itself in idle, then gives up searching if it has that, and
 *             then, where nobody is searching, looks at all lines. So if the spawner sees
 *             somebody searching, that one has its last look still before it; if not, it sees
 *             everybody in idle whose last look may have come too early, and wakes one.
 *             Who has found something gives up searching too: it looks at all lines after that, and
 *             where there is more it wakes the next one to search.
 * One write   Who moves a state from ASLEEP or NAPPING owes one write to that worker's kick. The
 *             kick stays readable and is watched for edges: each write is an event of its own.
 */
#include "task/worker.h"

#include "base/futex.h"

#include <belay/time.h>

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 128, SPINS_A_LOOK = 32, A_WHILE_MS = 1000 };
#define NAP_LEAST   BELAY_US(50)
#define NAP_MOST    BELAY_US(400)
#define SEARCH      BELAY_US(10)

static struct house *house = &belay__house;

/* ---- The poller ------------------------------------------------------------------------------ */

static void dispatch(const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		struct belay__source *source = events[i].data.ptr;

		source->ready(source, events[i].events);
	}
}

void belay__worker_poll(struct worker *worker)
{
	struct epoll_event events[EVENTS];

	dispatch(events, epoll_wait(worker->epoll, events, EVENTS, 0));
}

/* Where the kernel lacks it (before 5.11) or forbids it, a nap takes a millisecond. */
static int poll_for(struct worker *worker, struct epoll_event *events, int64_t ns)
{
	const struct timespec time = {.tv_nsec = ns};
	int n = epoll_pwait2(worker->epoll, events, EVENTS, &time, NULL);

	return n < 0 && errno != EINTR ? epoll_wait(worker->epoll, events, EVENTS, 1) : n;
}

/* Nothing is left to do for the one who was kicked but to go on. */
void belay__kick_ready(struct belay__source *source, uint32_t events)
{
	(void)source, (void)events;
}

/* ---- Kicks ----------------------------------------------------------------------------------- */

static bool change(struct worker *worker, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong(&worker->state, &from, to);
}

static void write_kick(struct worker *worker)
{
	uint64_t one = 1;
	int saved = errno;

	atomic_fetch_add(&house->kicks, 1);
	while (write(worker->kick, &one, sizeof one) < 0 && errno == EINTR)
		;
	errno = saved;
}

void belay__worker_kick(struct worker *worker)
{
	uint32_t state = atomic_load(&worker->state);

	if ((state == ASLEEP && change(worker, ASLEEP, AWAKE)) ||
	    (state >= NAPPING && change(worker, NAPPING, SEARCHING)))
		write_kick(worker);
}

/* ---- Searching ------------------------------------------------------------------------------- */

static bool is_searching(const struct worker *worker)
{
	return atomic_load_explicit(&worker->state, memory_order_relaxed) == SEARCHING;
}

static bool take_searching(void)
{
	uint32_t nobody = 0;

	return atomic_load(&house->searching) == 0 &&
	       atomic_compare_exchange_strong(&house->searching, &nobody, 1);
}

/* The worker's own. */
static void begin_search(struct worker *worker)
{
	if (!is_searching(worker) && take_searching())
		atomic_store_explicit(&worker->state, SEARCHING, memory_order_relaxed);
}

/* Wakes one to search, first if it sleeps. house.searching is the caller's, who hands it on. */
static bool wake_one(struct worker *first)
{
	for (unsigned i = 0; i < house->count; i++) {
		struct worker *worker = &house->workers[(first->index + i) % house->count];

		if (atomic_load(&worker->state) == ASLEEP && change(worker, ASLEEP, SEARCHING)) {
			write_kick(worker);
			return true;
		}
	}
	return false;
}

/* Whoever lined something up while this one had searching has left the look to it. */
void belay__search_wanted_slow(struct worker *worker)
{
	while (atomic_load(&house->searching) == 0 && atomic_load(&house->idle) > 0 &&
	       take_searching()) {
		if (wake_one(worker))
			return;
		atomic_store(&house->searching, 0);
		if (!belay__fresh_anywhere())
			return;
	}
}

void belay__search_over(struct worker *worker)
{
	atomic_store_explicit(&worker->state, AWAKE, memory_order_relaxed);
	atomic_store(&house->searching, 0);
	worker->nap = NAP_LEAST;
	if (belay__fresh_anywhere())
		belay__search_wanted(worker);
}

/* Whether others have begun tasks since the last call: more may come at any moment then. */
static bool others_begin(struct worker *worker)
{
	uint64_t sum = 0;
	bool changed;

	for (unsigned i = 0; i < house->count; i++)
		if (i != worker->index)
			sum += tally_get(&house->workers[i].tally, TALLY_BEGUN);
	changed = sum != worker->begun_elsewhere;
	worker->begun_elsewhere = sum;
	return changed;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static bool has_work(struct worker *worker)
{
	return atomic_load(&worker->inbox) || belay__fresh_any(worker) ||
	       atomic_load(&house->quit);
}

/* A few microseconds in the hope of work, which spare both sides two system calls; longer while it
 * is not clear yet whether what stands in line with others is to be taken. The clock, and the lines
 * of others, are looked at rarely: each look takes those out of their owner's cache. */
static bool spin(struct worker *worker, int64_t since)
{
	bool searches = is_searching(worker);
	int64_t now;

	do {
		if (searches && belay__fresh_steal(worker))
			return true;
		for (int i = 0; i < SPINS_A_LOOK; i++) {
			if (has_work(worker))
				return true;
			belay__cpu_relax();
		}
		now = belay_now();
		if (belay__sleepers_are_due(&worker->sleepers, now)) {
			belay__sleepers_wake(worker, now);
			return true;
		}
	} while (now < since + worker->spin.ns ||
		 (searches && now < since + SEARCH && belay__fresh_anywhere()));
	return false;
}

/* True: it has looked at the poller. */
static bool nap(struct worker *worker)
{
	struct epoll_event events[EVENTS];
	bool naps;
	int n = 0;

	belay__sleepers_set_alarm(&worker->sleepers);
	atomic_store(&worker->state, NAPPING);
	naps = !has_work(worker);
	if (naps)
		n = poll_for(worker, events, worker->nap);
	atomic_store(&worker->state, SEARCHING);
	if (worker->nap < NAP_MOST)
		worker->nap *= 2;
	dispatch(events, n);
	return naps;
}

static bool may_sleep(struct worker *worker)
{
	return !has_work(worker) &&
	       (atomic_load(&house->searching) == 1 || !belay__fresh_anywhere());
}

/* After a second without anything to do it is time to give memory back. */
static int wait_for_kick(struct worker *worker, struct epoll_event *events)
{
	int n;

	belay__quiet_changed();
	if (!belay__tasks_warm(&worker->cache))
		return epoll_wait(worker->epoll, events, EVENTS, -1);
	n = epoll_wait(worker->epoll, events, EVENTS, A_WHILE_MS);
	while (n == 0 && belay__tasks_cool(&worker->cache))
		n = epoll_wait(worker->epoll, events, EVENTS, 0);
	return n != 0 ? n : epoll_wait(worker->epoll, events, EVENTS, -1);
}

/* Awake again before any event is looked at: what that makes ready is work in hand. Who has given
 * up searching and then found something takes it up again, and so the duty to wake the next. True:
 * it has looked at the poller. */
static bool sleep_until_kicked(struct worker *worker)
{
	struct epoll_event events[EVENTS];
	bool searched = is_searching(worker), sleeps;
	int n = 0;

	tally_add(&worker->tally, TALLY_SLEEPS, 1);
	belay__sleepers_set_alarm(&worker->sleepers);
	atomic_store(&worker->state, ASLEEP);
	atomic_fetch_add(&house->idle, 1);
	if (searched)
		atomic_store(&house->searching, 0);
	sleeps = may_sleep(worker);
	if (sleeps)
		n = wait_for_kick(worker, events);
	atomic_fetch_sub(&house->idle, 1);
	change(worker, ASLEEP, AWAKE);
	if (searched && !sleeps)
		begin_search(worker);
	dispatch(events, n);
	return sleeps;
}

/* What time makes ready is foreseen: to spin for that pays never, whatever else it does. */
void belay__worker_idle(struct worker *worker)
{
	int64_t since = belay_now();
	uint32_t woken = worker->sleepers.woken;
	bool found, polled = false;

	if (belay__sleepers_are_due(&worker->sleepers, since)) {
		belay__sleepers_wake(worker, since);
		return;
	}
	begin_search(worker);
	found = spin(worker, since);
	if (!found)
		polled = is_searching(worker) && others_begin(worker) ? nap(worker)
								       : sleep_until_kicked(worker);
	worker->looked = belay_now();
	if (polled)
		worker->polled = worker->looked;
	if (worker->sleepers.woken == woken)
		belay__spin_learn(&worker->spin, found, worker->looked - since);
}

/* ---- For shutdown.c -------------------------------------------------------------------------- */

/* Where a worker sleeps between two looks that tell the same, it had no turn meanwhile; and of what
 * was before its store of ASLEEP the second look sees all. */
static bool is_quiet(struct worker *worker, uint64_t turns)
{
	return atomic_load(&worker->state) == ASLEEP && !atomic_load(&worker->inbox) &&
	       !belay__fresh_any(worker) && belay__turns_over(worker) == turns;
}

bool belay__workers_quiet(uint64_t *ret_turns)
{
	*ret_turns = 0;
	if (!belay__workers_run())
		return true;
	for (unsigned i = 0; i < house->count; i++) {
		uint64_t turns = belay__turns_over(&house->workers[i]);

		if (!is_quiet(&house->workers[i], turns))
			return false;
		*ret_turns += turns;
	}
	return true;
}
