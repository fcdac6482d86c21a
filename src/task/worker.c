/* SPDX-License-Identifier: MIT
 *
 * worker.c - the threads that run tasks: one loop each, with a poller beneath.
 *
 * Queues      ready: tasks of this worker that can go on, first in first out; the owner's alone.
 *             inbox: tasks of this worker that others have woken; a lock-free stack, taken whole.
 *             fresh: tasks that never ran; anybody may take the oldest (under fresh_lock). A task
 *             that has run stays with its worker for good.
 * Fairness    Every 64th turn looks at the poller, every 8th prefers a fresh task to a ready one,
 *             and the inbox is emptied on every turn: no queue can starve another.
 * No loss     Who goes to sleep sets asleep, then looks at its inbox and at all fresh counts; who
 *             adds something, adds first, then exchanges asleep. All of these are seq_cst, so one
 *             of the two sees the other (Dekker). Who turns asleep off owes one write to the kick,
 *             which ends the sleep. For fresh tasks idle plays asleep's part: any sleeper will do.
 */
#include "task/worker.h"

#include "base/alloc.h"
#include "base/futex.h"
#include "base/thread.h"
#include "task/cpus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POLL_EVERY = 64, FRESH_EVERY = 8, EVENTS = 128, SPINS = 200 };

static struct {
	struct belay__lock lock;   /* start and stop */
	_Atomic bool running;      /* release after all else is set up */
	struct worker *workers;    /* constant while running, as is count */
	struct worker *left;       /* of earlier runs, for tasks that still wait */
	unsigned count;
	_Atomic unsigned next;     /* whose turn it is for what comes from plain threads */
	_Atomic unsigned idle;     /* how many are asleep or about to be */
	_Atomic uint64_t kicks;    /* how many sleeps have been ended by others */
	_Atomic bool quit;
} house;

_Thread_local struct worker *belay__worker;

/* ---- Kicks ----------------------------------------------------------------------------------- */

/* True: it was asleep, and is not any more. */
static bool kick(struct worker *worker)
{
	uint64_t one = 1;

	if (!atomic_load(&worker->asleep) || !atomic_exchange(&worker->asleep, false))
		return false;
	atomic_fetch_add(&house.kicks, 1);
	while (write(worker->kick, &one, sizeof one) < 0 && errno == EINTR)
		;
	return true;
}

static void kick_somebody(void)
{
	if (atomic_load(&house.idle) == 0)
		return;
	for (unsigned i = 0; i < house.count; i++)
		if (kick(&house.workers[i]))
			return;
}

static void kicked(struct belay__source *source, uint32_t events)
{
	struct worker *worker = belay__container(source, struct worker, kick_source);
	uint64_t count;

	if (read(worker->kick, &count, sizeof count) < 0)
		return; /* read already: nothing to do but go on */
}

/* ---- Queues ---------------------------------------------------------------------------------- */

static void push_fresh(struct worker *worker, struct belay__task *task)
{
	belay__lock_take(&worker->fresh_lock, BELAY__RANK_WORKER);
	belay__list_append(&worker->fresh, &task->link);
	atomic_fetch_add(&worker->fresh_count, 1);
	belay__lock_give(&worker->fresh_lock, BELAY__RANK_WORKER);
}

static struct belay__task *pop_fresh(struct worker *worker)
{
	struct belay__list *link;

	if (atomic_load_explicit(&worker->fresh_count, memory_order_relaxed) == 0)
		return NULL;
	belay__lock_take(&worker->fresh_lock, BELAY__RANK_WORKER);
	link = belay__list_pop(&worker->fresh);
	if (link)
		atomic_fetch_sub(&worker->fresh_count, 1);
	belay__lock_give(&worker->fresh_lock, BELAY__RANK_WORKER);
	return link ? belay__container(link, struct belay__task, link) : NULL;
}

static struct belay__task *steal(struct worker *thief)
{
	struct belay__task *task = NULL;

	for (unsigned i = 1; i < house.count && !task; i++)
		task = pop_fresh(&house.workers[(thief->index + i) % house.count]);
	return task;
}

/* The pointers in the stack are published by the release of the push. */
static void push_inbox(struct worker *worker, struct belay__task *task)
{
	task->next_inbox = atomic_load_explicit(&worker->inbox, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&worker->inbox, &task->next_inbox, task))
		;
}

/* In the order in which they came: the stack has them the other way round. */
static void empty_inbox(struct worker *worker)
{
	struct belay__task *task, *oldest = NULL;

	if (!atomic_load_explicit(&worker->inbox, memory_order_relaxed))
		return;
	task = atomic_exchange(&worker->inbox, NULL);
	while (task) {
		struct belay__task *next = task->next_inbox;

		task->next_inbox = oldest;
		oldest = task;
		task = next;
	}
	for (task = oldest; task; task = task->next_inbox)
		belay__list_append(&worker->ready, &task->link);
}

static struct belay__task *pop_ready(struct worker *worker)
{
	struct belay__list *link = belay__list_pop(&worker->ready);

	return link ? belay__container(link, struct belay__task, link) : NULL;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void dispatch(const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		struct belay__source *source = events[i].data.ptr;

		source->ready(source, events[i].events);
	}
}

static void poll_events(struct worker *worker)
{
	struct epoll_event events[EVENTS];

	dispatch(events, epoll_wait(worker->epoll, events, EVENTS, 0));
}

static struct belay__task *next_task(struct worker *worker)
{
	struct belay__task *task = NULL;

	worker->tick++;
	if (worker->tick % POLL_EVERY == 0)
		poll_events(worker);
	empty_inbox(worker);
	if (worker->tick % FRESH_EVERY == 0)
		task = pop_fresh(worker);
	if (!task)
		task = pop_ready(worker);
	if (!task)
		task = pop_fresh(worker);
	return task ? task : steal(worker);
}

static bool something_queued(struct worker *worker)
{
	if (atomic_load(&worker->inbox))
		return true;
	for (unsigned i = 0; i < house.count; i++)
		if (atomic_load(&house.workers[i].fresh_count) > 0)
			return true;
	return atomic_load(&house.quit);
}

/* A few microseconds in the hope of work, which spare both sides two system calls. */
static bool spin(struct worker *worker)
{
	for (int i = 0; i < SPINS; i++) {
		if (something_queued(worker))
			return true;
		belay__cpu_relax();
	}
	return false;
}

/* Awake again before any event is looked at: what that makes ready is work in hand. */
static void go_idle(struct worker *worker)
{
	struct epoll_event events[EVENTS];
	int n = 0;

	if (spin(worker))
		return;
	atomic_store(&worker->asleep, true);
	atomic_fetch_add(&house.idle, 1);
	if (!something_queued(worker)) {
		belay__quiet_changed();
		n = epoll_wait(worker->epoll, events, EVENTS, -1);
	}
	atomic_fetch_sub(&house.idle, 1);
	atomic_exchange(&worker->asleep, false);
	dispatch(events, n);
}

static void run(struct worker *worker, struct belay__task *task)
{
	task->worker = worker;
	belay__current_task = &task->runner;
	belay__fiber_switch(&worker->fiber, &task->fiber, 0);
	belay__current_task = NULL;
	if (worker->finished) {
		struct belay__stack *stack = worker->finished->stack;

		belay__fiber_fini(&worker->finished->fiber);
		worker->finished = NULL;
		belay__stack_give(stack);
	}
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct belay__task *task;

	belay__worker = worker;
	belay__fiber_init_thread(&worker->fiber);
	while (!atomic_load_explicit(&house.quit, memory_order_relaxed)) {
		task = next_task(worker);
		if (task)
			run(worker, task);
		else
			go_idle(worker);
	}
	return NULL;
}

void belay__worker_leave(struct belay__task *task)
{
	int saved = errno;

	belay__fiber_switch(&task->fiber, &task->worker->fiber, 0);
	errno = saved;
}

void belay__worker_finish(struct belay__task *task)
{
	task->worker->finished = task;
	belay__fiber_switch(&task->fiber, &task->worker->fiber, 1);
	__builtin_unreachable();
}

/* ---- From anywhere --------------------------------------------------------------------------- */

static struct worker *any_worker(void)
{
	unsigned turn = atomic_fetch_add_explicit(&house.next, 1, memory_order_relaxed);

	return belay__worker ? belay__worker : &house.workers[turn % house.count];
}

/* After the stop, by an after-func's context that ends then: nobody is there to run it. */
void belay__worker_submit(struct belay__task *task)
{
	struct worker *worker;

	if (!atomic_load_explicit(&house.running, memory_order_acquire))
		return;
	worker = any_worker();
	push_fresh(worker, task);
	if (worker == belay__worker || !kick(worker))
		kick_somebody();
}

void belay__worker_ready(struct worker *worker, struct belay__task *task)
{
	if (worker == belay__worker) {
		belay__list_append(&worker->ready, &task->link);
		return;
	}
	push_inbox(worker, task);
	kick(worker);
}

int belay__poller_fd(void)
{
	int err = belay__workers_start();

	return err < 0 ? err : any_worker()->epoll;
}

/* ---- Start and stop -------------------------------------------------------------------------- */

static void worker_close(struct worker *worker)
{
	if (worker->epoll >= 0)
		close(worker->epoll);
	if (worker->kick >= 0)
		close(worker->kick);
}

static int worker_open(struct worker *worker, unsigned index)
{
	struct epoll_event event = {.events = EPOLLIN};

	memset(worker, 0, sizeof *worker);
	worker->index = index;
	belay__list_init(&worker->fresh);
	belay__list_init(&worker->ready);
	worker->kick_source.ready = kicked;
	worker->epoll = epoll_create1(EPOLL_CLOEXEC);
	worker->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.ptr = &worker->kick_source;
	if (worker->epoll >= 0 && worker->kick >= 0 &&
	    epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->kick, &event) == 0)
		return 0;
	return -errno;
}

static int worker_spawn(struct worker *worker)
{
	char name[16];

	snprintf(name, sizeof name, "belay-%u", worker->index);
	return belay__thread_start(&worker->thread, name, worker_main, worker);
}

/* Tasks that were left waiting may be woken still, by a channel or a timer: their worker must be
 * there to be told, and do nothing about it. It is not asleep, so that nobody writes to its
 * kick. */
static void keep_for_the_left(struct worker *workers)
{
	workers->next_left = house.left;
	house.left = workers;
}

static void free_left(void)
{
	struct worker *workers;

	while ((workers = house.left)) {
		house.left = workers->next_left;
		belay__free(workers);
	}
}

static void close_workers(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		worker_close(&house.workers[i]);
	if (belay__stack_count() > 0) {
		keep_for_the_left(house.workers);
	} else {
		belay__free(house.workers);
		free_left();
	}
	house.workers = NULL;
	house.count = 0;
}

static void join_workers(unsigned count)
{
	atomic_store(&house.quit, true);
	for (unsigned i = 0; i < count; i++)
		kick(&house.workers[i]);
	for (unsigned i = 0; i < count; i++)
		pthread_join(house.workers[i].thread, NULL);
	atomic_store(&house.quit, false);
}

static int open_workers(void)
{
	unsigned count = belay__cpus();
	int err = 0;

	house.workers = belay__aligned_alloc(64, count * sizeof *house.workers);
	if (!house.workers)
		return -ENOMEM;
	for (unsigned i = 0; i < count && err == 0; i++) {
		err = worker_open(&house.workers[i], i);
		if (err < 0)
			close_workers(i + 1);
		else
			house.count = i + 1;
	}
	return err;
}

static int start_locked(void)
{
	int err;

	if (atomic_load_explicit(&house.running, memory_order_relaxed))
		return 0;
	err = open_workers();
	if (err < 0)
		return err;
	for (unsigned i = 0; i < house.count; i++) {
		err = worker_spawn(&house.workers[i]);
		if (err < 0) {
			join_workers(i);
			close_workers(house.count);
			return err;
		}
	}
	atomic_store_explicit(&house.running, true, memory_order_release);
	return 0;
}

/* Acquire pairs with the release in start_locked(): workers and count are there. */
int belay__workers_start(void)
{
	int err;

	if (atomic_load_explicit(&house.running, memory_order_acquire))
		return 0;
	belay__lock_take(&house.lock, BELAY__RANK_LEAF);
	err = start_locked();
	belay__lock_give(&house.lock, BELAY__RANK_LEAF);
	return err;
}

void belay__workers_stop(void)
{
	if (!atomic_load_explicit(&house.running, memory_order_acquire))
		return;
	atomic_store(&house.running, false);
	join_workers(house.count);
	close_workers(house.count);
}

/* Kicks are counted so that one who woke another between the two looks is not missed. */
bool belay__workers_quiet(void)
{
	uint64_t kicks = atomic_load(&house.kicks);

	if (!atomic_load_explicit(&house.running, memory_order_acquire))
		return true;
	for (unsigned i = 0; i < house.count; i++)
		if (!atomic_load(&house.workers[i].asleep) ||
		    atomic_load(&house.workers[i].inbox) ||
		    atomic_load(&house.workers[i].fresh_count) > 0)
			return false;
	return atomic_load(&house.kicks) == kicks;
}
