/* SPDX-License-Identifier: MIT
 *
 * house.c - the workers' start and stop.
 *
 * Locking     house.lock guards the start, and that there is none during a stop. The stop comes
 *             from belay_shutdown() alone, when nobody but tasks that still run uses the workers.
 * Memory      running is released after all else is set up, and acquired by those who use it.
 */
#include "base/alloc.h"
#include "base/thread.h"
#include "task/cpus.h"
#include "task/overflow.h"
#include "task/worker.h"

#include <belay/time.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct house belay__house;
static struct house *house = &belay__house;

/* ---- One worker ------------------------------------------------------------------------------ */

static void worker_close(struct worker *worker)
{
	if (worker->epoll >= 0)
		close(worker->epoll);
	if (worker->kick >= 0)
		close(worker->kick);
	belay__sleepers_close(&worker->sleepers);
}

static int worker_open(struct worker *worker, unsigned index)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	memset(worker, 0, sizeof *worker);
	worker->index = index;
	worker->turns_left = worker->stride = 1;
	worker->spin = (struct belay__spin)BELAY__SPIN_INIT;
	worker->nap = BELAY_US(50);
	worker->kick_source.ready = belay__kick_ready;
	worker->sleepers.fd = -1;
	worker->epoll = epoll_create1(EPOLL_CLOEXEC);
	worker->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.ptr = &worker->kick_source;
	if (worker->epoll >= 0 && worker->kick >= 0 &&
	    epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->kick, &event) == 0)
		return belay__sleepers_open(&worker->sleepers, worker->epoll);
	return -errno;
}

static int worker_spawn(struct worker *worker)
{
	char name[16];

	snprintf(name, sizeof name, "belay-%u", worker->index);
	return belay__thread_start(&worker->thread, name, belay__worker_main, worker);
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* Tasks that were left waiting may be woken still, by a channel or a timer: their worker must be
 * there to be told, and do nothing about it. It is not asleep, so that nobody writes to its
 * kick. */
static void keep_for_the_left(struct worker *workers)
{
	workers->next_left = house->left;
	house->left = workers;
}

static void free_left(void)
{
	struct worker *workers;

	while ((workers = house->left)) {
		house->left = workers->next_left;
		belay__free(workers);
	}
}

static void close_workers(unsigned count)
{
	belay__tally_close();
	for (unsigned i = 0; i < count; i++)
		worker_close(&house->workers[i]);
	if (belay__task_count() > 0) {
		keep_for_the_left(house->workers);
	} else {
		belay__free(house->workers);
		free_left();
	}
	house->workers = NULL;
	house->count = 0;
}

static void join_workers(unsigned count)
{
	atomic_store(&house->quit, true);
	for (unsigned i = 0; i < count; i++)
		belay__worker_kick(&house->workers[i]);
	for (unsigned i = 0; i < count; i++)
		pthread_join(house->workers[i].thread, NULL);
	atomic_store(&house->quit, false);
	atomic_store(&house->idle, 0);
	atomic_store(&house->searching, 0);
}

static int open_workers(void)
{
	unsigned count = belay__cpus();
	int err = 0;

	house->workers = belay__aligned_alloc(64, count * sizeof *house->workers);
	if (!house->workers)
		return -ENOMEM;
	for (unsigned i = 0; i < count && err == 0; i++) {
		err = worker_open(&house->workers[i], i);
		if (err < 0)
			close_workers(i + 1);
		else
			house->count = i + 1;
	}
	return err;
}

static int start_locked(void)
{
	int err;

	if (atomic_load_explicit(&house->running, memory_order_relaxed))
		return 0;
	if (house->stopping)
		return -EAGAIN;
	err = open_workers();
	if (err < 0)
		return err;
	for (unsigned i = 0; i < house->count; i++) {
		err = worker_spawn(&house->workers[i]);
		if (err < 0) {
			join_workers(i);
			close_workers(house->count);
			return err;
		}
	}
	belay__overflow_start();
	belay__tally_open();
	atomic_store_explicit(&house->running, true, memory_order_release);
	return 0;
}

int belay__workers_start_slow(void)
{
	int err;

	belay__lock_take(&house->lock, BELAY__RANK_START);
	err = start_locked();
	belay__lock_give(&house->lock, BELAY__RANK_START);
	if (err == 0)
		belay__hogs_watch();
	return err;
}

static bool set_stopping(bool stopping)
{
	bool running;

	belay__lock_take(&house->lock, BELAY__RANK_START);
	running = atomic_load_explicit(&house->running, memory_order_relaxed);
	house->stopping = stopping;
	atomic_store(&house->running, false);
	belay__lock_give(&house->lock, BELAY__RANK_START);
	return running;
}

/* Tasks may still run for a moment, and can start no others. */
void belay__workers_stop(void)
{
	if (set_stopping(true)) {
		join_workers(house->count);
		belay__overflow_stop();
		close_workers(house->count);
	}
	set_stopping(false);
}

int belay__poller_fd(void)
{
	int err = belay__workers_start();
	unsigned turn;

	if (err < 0)
		return err;
	if (belay__worker)
		return belay__worker->epoll;
	turn = atomic_fetch_add_explicit(&house->next, 1, memory_order_relaxed);
	return house->workers[turn % house->count].epoll;
}
