/* SPDX-License-Identifier: MIT
 *
 * fresh.c - tasks that have not begun: which worker gets them.
 *
 * Since a task never leaves the worker that it began on, where it begins is all the balance there
 * is. Three rules:
 *   Spawned     A task's offspring stands in line with its own worker, a thread's always with the
 *               same one: what works together is spawned together, and talks to its kind fastest
 *               on one worker. Unless more than MOST_MORE more live there than on another one.
 *   Stolen      A worker without work takes from one that has not begun any for PATIENCE: that one
 *               is busy with something long, or not awake yet. One that does begin them is left
 *               alone, unless they are very many: its next task begins there sooner than another
 *               worker could get hold of it.
 *   Given on    What one worker can't line up in its queue stands in a list of its, as what others
 *               bring does; it comes into the queue by and by, and can be taken from the list too.
 *
 * Locking     worker->lock guards brought. The queue has none (runq.h).
 * Memory      brought_count is changed by seq_cst operations, as the queue's tail is: idle.c's No
 *             loss rests on it. How many have begun or live, and seen_..., are hints.
 */
#include "task/worker.h"

#include <belay/time.h>

enum { MOST_MORE = 8, STEAL_MOST = 16, TAKE_IN = 64 };
#define PATIENCE BELAY_US(5)

/* ---- What was brought ------------------------------------------------------------------------ */

static void bring(struct worker *worker, struct belay__task *task)
{
	belay__lock_take(&worker->lock, BELAY__RANK_WORKER);
	line_append(&worker->brought, task);
	atomic_fetch_add(&worker->brought_count, 1);
	belay__lock_give(&worker->lock, BELAY__RANK_WORKER);
}

static struct belay__task *pop_brought(struct worker *worker)
{
	struct belay__task *task;

	if (atomic_load_explicit(&worker->brought_count, memory_order_relaxed) == 0)
		return NULL;
	belay__lock_take(&worker->lock, BELAY__RANK_WORKER);
	task = line_pop(&worker->brought);
	if (task)
		atomic_fetch_sub(&worker->brought_count, 1);
	belay__lock_give(&worker->lock, BELAY__RANK_WORKER);
	return task;
}

/* At least one, so that a queue which the worker's own tasks keep full holds up nobody for ever. No
 * more than TAKE_IN, since the lock is held; and but for that one the queue is left room for what
 * the worker's own tasks spawn. Its tail comes before the count, so that who looks at both in the
 * other order misses none. */
void belay__fresh_take_in(struct worker *worker)
{
	struct belay__task *task;
	uint32_t n = 0;

	belay__lock_take(&worker->lock, BELAY__RANK_WORKER);
	while (n < TAKE_IN && (n == 0 || runq_length(&worker->fresh) < RUNQ / 2) &&
	       (task = line_pop(&worker->brought))) {
		runq_push(&worker->fresh, task);
		n++;
	}
	atomic_fetch_sub(&worker->brought_count, n);
	belay__lock_give(&worker->lock, BELAY__RANK_WORKER);
}

/* ---- Where to -------------------------------------------------------------------------------- */

/* Tasks that have begun and not ended. */
static uint64_t live(const struct worker *worker)
{
	uint64_t ended = tally_get(&worker->tally, TALLY_ENDED);

	return tally_get(&worker->tally, TALLY_BEGUN) - ended;
}

/* A plain thread's is the same each time. */
static struct worker *home(void)
{
	static _Thread_local unsigned mine;

	if (belay__worker)
		return belay__worker;
	if (mine == 0)
		mine = 1 + atomic_fetch_add_explicit(&belay__house.next, 1, memory_order_relaxed);
	return &belay__house.workers[mine % belay__house.count];
}

/* One of two is enough to keep them even: Mitzenmacher, "The power of two choices" (2001). */
static struct worker *lighter(struct worker *first)
{
	struct worker *second;
	unsigned turn;

	if (live(first) <= MOST_MORE || belay__house.count == 1)
		return first;
	turn = atomic_fetch_add_explicit(&belay__house.next, 1, memory_order_relaxed);
	second = &belay__house.workers[turn % belay__house.count];
	return live(first) > live(second) + MOST_MORE ? second : first;
}

/* Where others than the worker count they are about to take its lock anyhow. */
static void count_spawn(struct worker *worker)
{
	if (belay__worker)
		tally_add(&belay__worker->tally, TALLY_SPAWNS, 1);
	else
		atomic_fetch_add_explicit(&worker->tally.from_outside, 1, memory_order_relaxed);
}

struct worker *belay__fresh_push(struct belay__task *task)
{
	struct worker *worker = lighter(home());

	count_spawn(worker);
	if (worker != belay__worker || !runq_push(&worker->fresh, task))
		bring(worker, task);
	return worker;
}

/* ---- Taking ---------------------------------------------------------------------------------- */

bool belay__fresh_any(struct worker *worker)
{
	return atomic_load(&worker->brought_count) > 0 || runq_length(&worker->fresh) > 0;
}

bool belay__fresh_anywhere(void)
{
	for (unsigned i = 0; i < belay__house.count; i++)
		if (belay__fresh_any(&belay__house.workers[i]))
			return true;
	return false;
}

/* Where more stand in line than the queue holds, the last of them would have to wait long, however
 * quick the others are. */
static bool is_long(struct worker *victim)
{
	return belay__fresh_count(victim) > RUNQ;
}

/* Would what stands in line with victim have to wait? */
static bool is_stuck(struct worker *victim, int64_t now)
{
	uint64_t begun = tally_get(&victim->tally, TALLY_BEGUN);

	if (begun != victim->seen_begun || victim->seen_when == 0) {
		victim->seen_begun = begun;
		victim->seen_when = now;
		return false;
	}
	return now - victim->seen_when >= PATIENCE;
}

/* About half, so that thieves of thieves spread many tasks over many workers quickly. */
static bool take_some(struct worker *thief, struct worker *victim)
{
	uint32_t n = (belay__fresh_count(victim) + 1) / 2;
	bool taken = false;

	for (uint32_t i = 0; i < n && i < STEAL_MOST; i++) {
		struct belay__task *task = runq_pop(&victim->fresh);

		if (!task)
			task = pop_brought(victim);
		if (!task)
			break;
		if (!runq_push(&thief->fresh, task))
			bring(thief, task);
		tally_add(&thief->tally, TALLY_STEALS, 1);
		taken = true;
	}
	return taken;
}

bool belay__fresh_steal(struct worker *thief)
{
	int64_t now = belay_now();

	for (unsigned i = 1; i < belay__house.count; i++) {
		struct worker *victim =
			&belay__house.workers[(thief->index + i) % belay__house.count];

		if (!belay__fresh_any(victim))
			victim->seen_when = 0;
		else if ((is_stuck(victim, now) || is_long(victim)) && take_some(thief, victim))
			return true;
	}
	return false;
}
