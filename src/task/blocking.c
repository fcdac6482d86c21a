/* SPDX-License-Identifier: MIT
 *
 * blocking.c - a pool of threads for calls that block.
 *
 * A thread is started where a job comes and none is free, up to MOST; one that has had nothing to
 * do for IDLE exits. Jobs beyond that wait in the order of their arrival.
 *
 * Locking     pool.lock guards everything here, and a call's finished and second.
 * Lifetime    A job is its owner's memory. The pool's last touch is the call of run().
 * No loss     A thread that finds no job queues its waiter in the same lock section; who adds a job
 *             claims a waiter in the same lock section, or starts a thread.
 */
#include "base/alloc.h"
#include "base/thread.h"
#include "context/context.h"
#include "task/worker.h"
#include "wait/timer.h"

#include <errno.h>

enum { MOST = 512 };
#define IDLE BELAY_S(10)

static struct {
	struct belay__lock lock;
	struct belay__list jobs;    /* struct belay__job */
	struct belay__list waiting; /* threads: struct belay__wait */
	unsigned threads, idle;
	bool quit;
	bool somebody_exited;
	pthread_t exited;           /* the last to exit, which has joined the one before it */
	struct belay__wait *joiner; /* waits for threads to become 0; NULL: nobody does */
} pool = {.jobs = {&pool.jobs, &pool.jobs}, .waiting = {&pool.waiting, &pool.waiting}};

static void take(void)
{
	belay__lock_take(&pool.lock, BELAY__RANK_WORKER);
}

static void give(void)
{
	belay__lock_give(&pool.lock, BELAY__RANK_WORKER);
}

/* ---- The threads ----------------------------------------------------------------------------- */

/* With the lock held, given up meanwhile and taken again. False: idle for too long. */
static bool wait_for_job(void)
{
	struct belay__timeout timeout;
	struct belay__waiter waiter;
	struct belay__wait wait, *winner;

	belay__waiter_init(&waiter);
	belay__wait_init(&wait, &waiter);
	/* In front, so that the warmest is taken first. */
	belay__list_append(pool.waiting.next, &wait.link);
	pool.idle++;
	give();
	belay__quiet_changed();
	belay__timeout_init(&timeout, &waiter, belay__moment(IDLE));
	winner = belay__waiter_park_until(&waiter, &timeout);
	take();
	pool.idle--;
	if (belay__list_linked(&wait.link))
		belay__list_remove(&wait.link);
	return winner == &wait;
}

/* The next job; NULL: the thread is not needed any more. With the lock held. A job may have come
 * while the idle time ran out, so the look at the jobs follows every wait. */
static struct belay__job *next_job(void)
{
	for (bool stay = true;; stay = wait_for_job()) {
		struct belay__list *link = belay__list_pop(&pool.jobs);

		if (link)
			return belay__container(link, struct belay__job, link);
		if (!stay || pool.quit)
			return NULL;
	}
}

/* Each that exits joins the one that did before, and the shutdown the last: so no list is needed,
 * and at most one is left unjoined while the pool rests. */
static void retire(void)
{
	struct belay__wait *joiner = NULL;
	bool somebody = pool.somebody_exited;
	pthread_t before = pool.exited;

	pool.exited = pthread_self();
	pool.somebody_exited = true;
	if (--pool.threads == 0 && pool.joiner && belay__wait_claim(pool.joiner)) {
		joiner = pool.joiner;
		pool.joiner = NULL;
	}
	give();
	if (somebody)
		pthread_join(before, NULL);
	if (joiner)
		belay__wait_wake(joiner);
}

static void *thread_main(void *unused)
{
	struct belay__job *job;

	belay__own_thread = true;
	take();
	while ((job = next_job())) {
		give();
		job->run(job);
		take();
	}
	retire();
	return NULL;
}

static int start_thread(void)
{
	pthread_t thread;

	return belay__thread_start(&thread, "belay-blocking", thread_main, NULL);
}

/* ---- Jobs ------------------------------------------------------------------------------------ */

int belay__job_submit(struct belay__job *job)
{
	struct belay__wait *thread;
	int err = 0;

	take();
	thread = belay__queue_claim(&pool.waiting);
	if (!thread && pool.threads < MOST) {
		err = start_thread();
		if (err == 0)
			pool.threads++;
		else if (pool.threads > 0)
			err = 0; /* those that are there will come to it */
	}
	if (err == 0)
		belay__list_append(&pool.jobs, &job->link);
	give();
	if (thread)
		belay__wait_wake(thread);
	return err;
}

bool belay__job_withdraw(struct belay__job *job)
{
	bool queued;

	take();
	queued = belay__list_linked(&job->link);
	if (queued)
		belay__list_remove(&job->link);
	give();
	return queued;
}

/* ---- belay_blocking() ------------------------------------------------------------------------ */

/* Stands on the caller's stack: the thread's last touch is within the lock section of finish(), or
 * the wake that the caller waits for. */
struct call {
	struct belay__job job;
	void (*fn)(void *arg);
	void *arg;
	bool finished;
	struct belay__wait *wait; /* to be claimed when fn has returned */
};

static void run_call(struct belay__job *job)
{
	struct call *call = belay__container(job, struct call, job);
	struct belay__wait *caller;

	call->fn(call->arg);
	take();
	call->finished = true;
	caller = belay__wait_claim(call->wait) ? call->wait : NULL;
	give();
	if (caller)
		belay__wait_wake(caller);
}

/* The context has ended while fn runs: wait once more, for fn alone. */
static void wait_for_fn(struct call *call)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	bool finished;

	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_BLOCKING;
	belay__wait_init(&wait, &waiter);
	take();
	finished = call->finished;
	call->wait = &wait;
	give();
	if (!finished)
		belay__waiter_park(&waiter);
}

static int call_on_pool(belay_ctx *ctx, void (*fn)(void *arg), void *arg)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	struct call call = {.job.run = run_call, .fn = fn, .arg = arg, .wait = &wait};
	int err;

	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_BLOCKING;
	belay__wait_init(&wait, &waiter);
	err = belay__job_submit(&call.job);
	if (err < 0)
		return err;
	if (belay__block(ctx, &waiter))
		return 0;
	if (belay__job_withdraw(&call.job))
		return belay_err(ctx);
	wait_for_fn(&call);
	return 0;
}

int belay_blocking(belay_ctx *ctx, void (*fn)(void *arg), void *arg)
{
	int err = belay_err(ctx);

	if (err < 0)
		return err;
	if (!fn)
		return -EINVAL;
	if (belay__in_task())
		return call_on_pool(ctx, fn, arg);
	fn(arg);
	return 0;
}

/* ---- For shutdown.c -------------------------------------------------------------------------- */

bool belay__pool_quiet(void)
{
	bool quiet;

	take();
	quiet = belay__list_empty(&pool.jobs) && pool.idle == pool.threads;
	give();
	return quiet;
}

void belay__pool_count(unsigned *ret_threads, unsigned *ret_idle)
{
	take();
	*ret_threads = pool.threads;
	*ret_idle = pool.idle;
	give();
}

/* Has all threads exit, and waits until none is left. */
static void wait_for_exits(void)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	struct belay__list woken;
	bool running;

	belay__waiter_init(&waiter);
	belay__wait_init(&wait, &waiter);
	belay__list_init(&woken);
	take();
	running = pool.threads > 0;
	pool.quit = running;
	pool.joiner = running ? &wait : NULL;
	belay__queue_claim_all(&pool.waiting, &woken);
	give();
	belay__wake_all(&woken);
	if (running)
		belay__waiter_park(&waiter);
}

/* A task that still runs may have another thread started at any moment: that one stays, for the
 * next stop, and joins who exited before it, or this does. */
void belay__pool_stop(void)
{
	pthread_t exited;
	bool somebody;

	wait_for_exits();
	take();
	exited = pool.exited;
	somebody = pool.somebody_exited;
	pool.somebody_exited = pool.quit = false;
	give();
	if (somebody)
		pthread_join(exited, NULL);
}
