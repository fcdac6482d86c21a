/* SPDX-License-Identifier: MIT
 *
 * shutdown.c - the end of a program: quiet first, then everything stops.
 *
 * Quiet is when every worker sleeps, nothing is queued, no blocking thread has a job, and the clock
 * is not about to wake somebody: all at one moment, though they are looked at one after the other.
 * So the workers are looked at twice, with the blocking threads in between, and no task must have
 * had a turn from one look to the other; and all of it between two steps of the clock, for which
 * there is no need to be told of its end: it is waited for. Whoever goes idle tells; the one who
 * shuts down looks again then. It queues its waiter before it looks, so that no change between its
 * look and its sleep is lost.
 */
#include "base/stop.h"
#include "base/thread.h"
#include "context/context.h"
#include "task/worker.h"
#include "wait/clock.h"

static struct {
	struct belay__lock lock;
	struct belay__list waiting; /* struct belay__wait */
	_Atomic bool somebody;
} quiet = {.waiting = {&quiet.waiting, &quiet.waiting}};

void belay__quiet_changed(void)
{
	struct belay__list woken;

	if (!atomic_load(&quiet.somebody))
		return;
	belay__list_init(&woken);
	belay__lock_take(&quiet.lock, BELAY__RANK_LEAF);
	belay__queue_claim_all(&quiet.waiting, &woken);
	belay__lock_give(&quiet.lock, BELAY__RANK_LEAF);
	belay__wake_all(&woken);
}

static bool workers_are_quiet(void)
{
	uint64_t before, after;

	return belay__workers_quiet(&before) && belay__pool_quiet() &&
	       belay__workers_quiet(&after) && before == after;
}

static bool is_quiet(void)
{
	uint64_t step, next = belay__clock_settle();
	bool result;

	do {
		step = next;
		result = workers_are_quiet();
		next = belay__clock_settle();
	} while (next != step);
	return result;
}

/* Where it is quiet already the own claim saves the wake that nobody might send. */
static void wait_for_change(void)
{
	struct belay__waiter waiter;
	struct belay__wait wait;

	belay__waiter_init(&waiter);
	belay__wait_init(&wait, &waiter);
	belay__lock_take(&quiet.lock, BELAY__RANK_LEAF);
	belay__list_append(&quiet.waiting, &wait.link);
	belay__lock_give(&quiet.lock, BELAY__RANK_LEAF);
	if (!is_quiet() || !belay__wait_claim(&wait))
		belay__waiter_park(&waiter);
	belay__lock_take(&quiet.lock, BELAY__RANK_LEAF);
	if (belay__list_linked(&wait.link))
		belay__list_remove(&wait.link);
	belay__lock_give(&quiet.lock, BELAY__RANK_LEAF);
}

/* A blocking thread would wait for its own job, and the clock, which runs hooks, for its step. */
void belay_shutdown(void)
{
	if (belay__in_task() || belay__own_thread || belay__on_clock_thread())
		return;
	atomic_store(&quiet.somebody, true);
	while (!is_quiet())
		wait_for_change();
	atomic_store(&quiet.somebody, false);
	belay__pool_stop();
	belay__clock_stop();
	belay__workers_stop();
	belay__clock_stop(); /* a task that a last timer woke may have started it again, */
	belay__pool_stop();  /* or this */
	belay__stop_all();
	belay__tasks_trim();
	belay__ctx_trim();
}
