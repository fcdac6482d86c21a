/* SPDX-License-Identifier: MIT
 *
 * readable.c - a task that begins once a connection has something to read: until then there is
 * neither a task nor a stack, but a record of some 180 bytes.
 *
 * The record is a waiter like any other (wait.h), with two reasons to be woken: the descriptor's
 * queue of readers and the context's done channel. But its runner is neither a thread nor a task:
 * where a task would go on, it is started. So the claim decides between input and end, as
 * everywhere, and the records' owners need no lock.
 *
 * State       made -> queued and not woken, or woken and not queued everywhere yet -> both:
 *             whoever completes it, the maker or the waker, starts the task (two_halves) -> the
 *             task has left both queues, and frees the record. Where memory for the task is lacking
 *             it is `starved`, and tried again every PAUSE.
 * No loss     Input: pollfd.c's, with a look at the socket in place of a try. The end: as in
 *             belay__block(). One that is starved has been won, and needs nobody but the clock.
 * Lifetime    The maker touches the record until it has added its half, a waker until it has
 *             started the task, or made it one of the starved. A loser's use ends with his queue's
 *             lock, which the task takes once more. The winner's wait stands in no queue.
 * Memory      two_halves is exchanged acq_rel: who comes second, and through him the task, sees
 *             what the first one did.
 * Locking     starved.lock guards the list of the starved and whether the timer is armed or about
 *             to fire. No task is started under it.
 */
#include "base/alloc.h"
#include "context/context.h"
#include "net/conn.h"
#include "net/pollfd.h"
#include "task/task.h"
#include "wait/timer.h"

#include <belay/conn_filter.h>

#include <errno.h>

/* Before a task is tried to be started again. */
#define PAUSE BELAY_MS(50)

struct sleeper {
	struct belay__runner runner;
	struct belay__waiter waiter;
	struct belay__wait input, end;
	_Atomic bool two_halves;       /* it is queued, or woken: one of the two */
	belay_conn *conn;              /* stays until the task runs              */
	struct belay__pollfd *record;
	belay_ctx *ctx;                /* referenced                             */
	void (*fn)(belay_ctx *ctx, void *arg);
	void *arg;
	const struct belay_site *site;
	struct sleeper *next;          /* in starved's list                      */
};

/* ---- The task -------------------------------------------------------------------------------- */

static void leave(struct sleeper *sleeper)
{
	belay_chan *done = belay_done(sleeper->ctx);

	belay__pollfd_leave(sleeper->record, &sleeper->input);
	if (done)
		belay__done_leave(done, &sleeper->end);
}

static void sleeper_free(struct sleeper *sleeper)
{
	belay_unref(sleeper->ctx);
	belay__free(sleeper);
}

/* Nobody waits for input any more, and who comes next may never read: so what has arrived, or will,
 * is looked at again. Where a rest has begun already its look is still to come: behind the wake, by
 * whatever lock the filter has for its state. */
static void wake_filter(belay_conn *conn)
{
	if (!conn->filter || !conn->filter->wake)
		return;
	conn->filter->wake(conn, conn->filter_state);
	belay__hangup_rest(&conn->hangup);
}

/* The task has a reference to ctx of its own. */
static void task_main(belay_ctx *ctx, void *arg)
{
	struct sleeper *sleeper = arg;
	void (*fn)(belay_ctx *ctx, void *arg) = sleeper->fn;

	arg = sleeper->arg;
	leave(sleeper);
	belay__pollfd_follow(sleeper->record);
	wake_filter(sleeper->conn);
	sleeper_free(sleeper);
	fn(ctx, arg);
}

static bool start_task(struct sleeper *sleeper)
{
	struct belay__task *task = belay__task_new(sleeper->ctx, task_main, sleeper, sleeper->site);

	if (task)
		belay__task_start(task);
	return task != NULL;
}

/* ---- Those that no task could be had for ----------------------------------------------------- */

static struct {
	struct belay__lock lock;
	struct sleeper *first;
	struct belay__timer timer;
	bool armed;
} starved;

static bool claim_retry(struct belay__timer *timer)
{
	(void)timer;
	return true;
}

static void retry(struct belay__timer *timer);

/* Adds them, and sees to it that the clock comes by. (Where it was stopped and can't be started it
 * comes once it has been.) */
static void starve(struct sleeper *first, struct sleeper *last)
{
	static const struct belay__timer_ops ops = {claim_retry, retry};

	(void)!belay__clock_start();
	belay__lock_take(&starved.lock, BELAY__RANK_SYNC);
	last->next = starved.first;
	starved.first = first;
	if (!starved.armed) {
		starved.armed = true;
		belay__timer_init(&starved.timer, &ops);
		belay__timer_arm(&starved.timer, belay__moment(PAUSE));
	}
	belay__lock_give(&starved.lock, BELAY__RANK_SYNC);
}

static struct sleeper *take_starved(void)
{
	struct sleeper *first;

	belay__lock_take(&starved.lock, BELAY__RANK_SYNC);
	first = starved.first;
	starved.first = NULL;
	starved.armed = false;
	belay__lock_give(&starved.lock, BELAY__RANK_SYNC);
	return first;
}

static struct sleeper *last_of(struct sleeper *sleeper)
{
	while (sleeper->next)
		sleeper = sleeper->next;
	return sleeper;
}

/* Where one can't be started the others need not be tried. */
static void retry(struct belay__timer *timer)
{
	struct sleeper *sleeper = take_starved(), *next;

	(void)timer;
	for (; sleeper; sleeper = next) {
		next = sleeper->next;
		if (!start_task(sleeper))
			break;
	}
	if (sleeper)
		starve(sleeper, last_of(sleeper));
}

/* ---- Asleep ---------------------------------------------------------------------------------- */

/* What is queued and woken is done with. */
static void add_half(struct sleeper *sleeper)
{
	if (atomic_exchange_explicit(&sleeper->two_halves, true, memory_order_acq_rel) &&
	    !start_task(sleeper))
		starve(sleeper, sleeper);
}

static void wake(struct belay__runner *runner)
{
	add_half(belay__container(runner, struct sleeper, runner));
}

/* 1: nothing, and what comes makes an edge; 0: something, or the end; -EOPNOTSUPP. */
static int is_dry(belay_conn *conn)
{
	char byte;
	ssize_t n;

	if (conn->filter && !conn->filter->doze)
		return -EOPNOTSUPP;
	if (conn->filter)
		return conn->filter->doze(conn, conn->filter_state);
	do {
		n = recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n < 0 && errno == EAGAIN;
}

/* 1: queued, or won already. 0: it need not be: there is something to read. Or an error. */
static int join_input(struct sleeper *sleeper)
{
	uint32_t edges = belay__pollfd_edges(sleeper->record);
	int dry = is_dry(sleeper->conn);

	return dry > 0 ? belay__pollfd_join(sleeper->record, &sleeper->input, edges) : dry;
}

/* 0, or ctx's error: it is done, and nobody else has won or will. */
static int join_end(struct sleeper *sleeper)
{
	belay_chan *done = belay_done(sleeper->ctx);

	if (!done || belay__done_join(done, &sleeper->end) || !belay__wait_claim(&sleeper->end))
		return 0;
	belay__pollfd_leave(sleeper->record, &sleeper->input);
	return belay_err(sleeper->ctx);
}

static int fall_asleep(struct sleeper *sleeper)
{
	int queued = join_input(sleeper);
	int err = queued > 0 ? join_end(sleeper) : queued;

	if (err < 0) {
		wake_filter(sleeper->conn);
		return err;
	}
	if (queued == 0)
		add_half(sleeper);
	add_half(sleeper);
	return 0;
}

static struct sleeper *sleeper_new(belay_ctx *ctx, belay_conn *conn,
				   void (*fn)(belay_ctx *ctx, void *arg), void *arg,
				   const struct belay_site *site)
{
	static const struct belay__runner_ops ops = {.wake = wake}; /* it never parks */
	struct sleeper *sleeper = belay__malloc(sizeof *sleeper);

	if (!sleeper)
		return NULL;
	*sleeper = (struct sleeper){
		.runner = {&ops}, .conn = conn, .fn = fn, .arg = arg, .site = site};
	belay__waiter_init(&sleeper->waiter);
	sleeper->waiter.runner = &sleeper->runner;
	belay__wait_init(&sleeper->input, &sleeper->waiter);
	belay__wait_init(&sleeper->end, &sleeper->waiter);
	sleeper->ctx = belay_ref(ctx);
	return sleeper;
}

int belay_go_when_readable_at(belay_ctx *ctx, belay_conn *conn,
			      void (*fn)(belay_ctx *ctx, void *arg), void *arg,
			      const struct belay_site *site)
{
	int err = conn && fn ? belay_err(ctx) : -EINVAL;
	struct sleeper *sleeper;

	if (err == 0)
		err = belay__clock_start();
	if (err < 0)
		return err;
	belay__hangup_tidy(&conn->hangup);
	sleeper = sleeper_new(ctx, conn, fn, arg, site);
	if (!sleeper)
		return -ENOMEM;
	sleeper->record = belay__pollfd_of(conn->fd);
	err = sleeper->record ? fall_asleep(sleeper) : -ENOMEM;
	if (err < 0)
		sleeper_free(sleeper);
	return err;
}

int(belay_go_when_readable)(belay_ctx *ctx, belay_conn *conn, void (*fn)(belay_ctx *ctx, void *arg),
			    void *arg)
{
	return belay_go_when_readable_at(ctx, conn, fn, arg, NULL);
}
