/* SPDX-License-Identifier: MIT
 *
 * tally.c - the sums of what the workers have counted.
 *
 * Invariant   What the workers of earlier runs had counted is in `past`, so that totals never fall.
 * Locking     lock guards open and past. While it is held and open is true, the workers and their
 *             memory stay; a worker's thread takes it before it goes, since its belay__current_task
 *             goes with it.
 */
#include "task/tally.h"

#include "task/worker.h"

#include <unistd.h>

static struct {
	struct belay__lock lock;
	bool open;
	struct totals past;
} tally;

static void take(void)
{
	belay__lock_take(&tally.lock, BELAY__RANK_START);
}

static void give(void)
{
	belay__lock_give(&tally.lock, BELAY__RANK_START);
}

struct belay__task *belay__running(struct worker *worker)
{
	/* Acquire pairs with the release in belay__tally_join(): the thread is there. */
	struct belay__runner **current =
		atomic_load_explicit(&worker->current, memory_order_acquire);
	struct belay__runner *runner;

	runner = current ? __atomic_load_n(current, __ATOMIC_ACQUIRE) : NULL;
	return runner ? task_of(runner) : NULL;
}

uint64_t belay__turns_over(const struct worker *worker)
{
	uint64_t over = tally_get(&worker->tally, TALLY_ENDED) +
			tally_get(&worker->tally, TALLY_YIELDS);

	for (unsigned why = 0; why < BELAY__WHYS; why++)
		over += tally_get(&worker->tally, TALLY_PARKS + why);
	return over;
}

bool belay__workers_visit(void (*visit)(struct worker *worker, void *arg), void *arg)
{
	bool open;

	take();
	open = tally.open;
	for (unsigned i = 0; open && i < belay__house.count; i++)
		visit(&belay__house.workers[i], arg);
	give();
	return open;
}

static void add(struct worker *worker, void *arg)
{
	struct totals *totals = arg;

	for (unsigned i = 0; i < TALLIES; i++)
		totals->counts[i] += tally_get(&worker->tally, i);
	totals->spawned += atomic_load_explicit(&worker->tally.from_outside,
						memory_order_relaxed);
}

static void add_now(struct worker *worker, void *arg)
{
	struct totals *totals = arg;

	add(worker, arg);
	totals->queued += belay__fresh_count(worker);
	totals->sleepers += atomic_load_explicit(&worker->sleepers.count, memory_order_relaxed);
	totals->running += belay__running(worker) != NULL;
	totals->workers++;
}

void belay__totals(struct totals *ret)
{
	take();
	*ret = tally.past;
	for (unsigned i = 0; tally.open && i < belay__house.count; i++)
		add_now(&belay__house.workers[i], ret);
	give();
}

void belay__tally_open(void)
{
	take();
	tally.open = true;
	give();
}

void belay__tally_close(void)
{
	take();
	for (unsigned i = 0; tally.open && i < belay__house.count; i++)
		add(&belay__house.workers[i], &tally.past);
	tally.open = false;
	give();
}

void belay__tally_join(struct worker *worker)
{
	worker->tid = gettid();
	atomic_store_explicit(&worker->current, &belay__current_task, memory_order_release);
}

void belay__tally_leave(struct worker *worker)
{
	take();
	atomic_store_explicit(&worker->current, NULL, memory_order_relaxed);
	give();
}
