/* SPDX-License-Identifier: MIT
 *
 * worker.c - the threads that run tasks: one loop each, and the ways from task to task around it.
 *
 * Switches    A task that parks, yields or ends goes straight on with the next one, on its own
 *             stack's last strength; the loop has a stack of its own for what may take more: the
 *             poller, stealing, sleep. A task that ends before one that has not begun even leaves
 *             it its stack, and there is no switch at all.
 * Depth       After a switch the processor guesses each return wrongly, up to where the stacks are
 *             alike: it remembers the calls of the one that was left. So few calls stand between a
 *             call that blocks and its switch; what is marked LEVEL is no call. And a task that
 *             ends returns to belay__context_start(), which was called by whoever went on with it:
 *             where that one is next, as with a task that is joined at once, all guesses are right.
 * Queues      ready: tasks of this worker that can go on, first in first out; the owner's alone.
 *             inbox: tasks of this worker that others have woken; a lock-free stack, taken whole.
 *             New tasks: fresh.c.
 * Fairness    New tasks and ready ones take turns: READY_TURNS of the latter, then as many of the
 *             former as stand in line by then, so that neither queue can starve the other, nor grow
 *             without end as long as there is time for all. The inbox is emptied on every turn. The
 *             clock is looked at about every LOOK_EVERY, however long turns are: stride is how many
 *             of them that was of late; where turns become long all at once, a glance at the coarse
 *             clock between two looks shows it. Then sleepers are woken, and the poller is asked
 *             where that was POLL_EVERY ago: what comes in there would stand in line anyway.
 * Parking     A park always leaves, and a wake always queues, whichever comes first: only its
 *             worker runs a task, so one that is queued before it has left can't go on before it
 *             has. Hence no word tells whether a task is parked, and where both are of one worker
 *             neither needs an atomic operation.
 * Lifetime    A waker touches the task no more once it is queued: it may go on and end.
 * Memory      inbox: the push releases what the waker did and the pointers in the stack; the
 *             exchange that takes all acquires it.
 */
#include "task/worker.h"

#include "base/thread.h"
#include "context/context.h"
#include "task/overflow.h"
#include "task/stack_use.h"

#include <belay/time.h>

#include <errno.h>
#include <time.h>

enum { STRIDE_MOST = 256, GLANCE_EVERY = 32, READY_TURNS = 3 };
#define LOOK_EVERY BELAY_US(20)
#define POLL_EVERY BELAY_US(100)
#define TEND_EVERY BELAY_MS(10)
#define LEVEL      inline __attribute__((always_inline))

_Thread_local struct worker *belay__worker;

/* ---- Queues ---------------------------------------------------------------------------------- */

static void push_inbox(struct worker *worker, struct belay__task *task)
{
	task->next = atomic_load_explicit(&worker->inbox, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&worker->inbox, &task->next, task))
		;
}

/* In the order in which they came: the stack has them the other way round. */
static void empty_inbox(struct worker *worker)
{
	struct belay__task *task, *next, *oldest = NULL;

	task = atomic_exchange_explicit(&worker->inbox, NULL, memory_order_acquire);
	for (; task; task = next) {
		next = task->next;
		task->next = oldest;
		oldest = task;
	}
	for (task = oldest; task; task = next) {
		next = task->next;
		tally_wake(&worker->tally, task->why);
		line_append(&worker->ready, task);
	}
}

/* Ready ones have had their turns: now come as many new ones as stand in line when this is called
 * first, and the ready ones again. */
static __attribute__((noinline)) struct belay__task *change_over(struct worker *worker)
{
	uint32_t in_line = belay__fresh_count(worker); /* fewer than before, if some are stolen */
	struct belay__task *task;

	if (worker->fresh_turns == 0 || worker->fresh_turns > in_line)
		worker->fresh_turns = in_line;
	task = belay__fresh_pop(worker);
	if (task && worker->fresh_turns > 1) {
		worker->fresh_turns--;
		worker->ready_turns = 0;
		return task;
	}
	worker->fresh_turns = 0;
	worker->ready_turns = READY_TURNS;
	return task ? task : line_pop(&worker->ready);
}

/* Always, where no new ones stand in line. */
static LEVEL bool is_turn_of_ready(struct worker *worker)
{
	if (worker->ready_turns == 0)
		return belay__fresh_count(worker) == 0;
	worker->ready_turns--;
	return true;
}

static long coarse_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_nsec;
}

/* Whether to look around: after a stride, or where the coarse clock has moved on before that.
 * turns_left is 0 then. */
static LEVEL bool is_time(struct worker *worker)
{
	if (worker->turns_left % GLANCE_EVERY != 0)
		return false;
	if (worker->turns_left > 0 && coarse_clock() != worker->glanced)
		worker->turns_left = 0;
	return worker->turns_left == 0;
}

/* NULL: there is none. */
static LEVEL struct belay__task *pick(struct worker *worker)
{
	worker->turns_left--;
	if (atomic_load_explicit(&worker->inbox, memory_order_relaxed))
		empty_inbox(worker);
	if (!worker->ready.first)
		return belay__fresh_pop(worker);
	return is_turn_of_ready(worker) ? line_pop(&worker->ready) : change_over(worker);
}

/* What to go on with; NULL: ask the loop. */
static LEVEL struct belay__task *next_task(struct worker *worker)
{
	return is_time(worker) ? NULL : pick(worker);
}

/* ---- Switches -------------------------------------------------------------------------------- */

/* The first thing on the other side of every switch: whoever ended on this one is off its stack. */
static void arrive(struct worker *worker)
{
	struct belay__task *finished = worker->finished;

	if (finished) {
		worker->finished = NULL;
		belay__fiber_fini(&finished->fiber);
		belay__task_give(&worker->cache, finished);
	}
}

static bool has_begun(const struct belay__task *task)
{
	return task->worker != NULL;
}

/* Release pairs with the acquire in belay__running(), which looks at the task. */
static void set_current(struct belay__runner *runner)
{
	__atomic_store_n(&belay__current_task, runner, __ATOMIC_RELEASE);
}

static const struct belay__runner_ops ops;

static void take_over(struct worker *worker, struct belay__task *task)
{
	task->worker = worker;
	task->runner.ops = &ops;
	set_current(&task->runner);
	tally_add(&worker->tally, TALLY_BEGUN, 1);
}

static bool can_inherit(const struct belay__task *task, const struct belay__task *ended)
{
	return !has_begun(task) && task->stack.units == ended->stack.units;
}

/* task goes on with the stack of ended, on which this runs; that gets task's, which was not
 * used. */
static void inherit(struct belay__task *task, struct belay__task *ended)
{
	struct belay__stack stack = task->stack;
	struct belay__fiber fiber = task->fiber;

	task->stack = ended->stack;
	task->fiber = ended->fiber;
	ended->stack = stack;
	ended->fiber = fiber;
}

static struct belay__context *run_tasks(void *arg);

/* last: from will not be come back to. A call of its own, so that who goes on with one that has
 * begun saves fewer registers. */
static __attribute__((noinline)) void begin(struct worker *worker, struct belay__fiber *from,
					    struct belay__task *task, bool last)
{
	take_over(worker, task);
	task->stack.used = true;
	worker->left = from;
	belay__fiber_start(from, &task->fiber, task->stack.low, belay__stack_size(&task->stack),
			   run_tasks, task, &worker->control, last);
}

/* Ends for good, on the way to next or the loop. */
static struct belay__context *finish(struct worker *worker, struct belay__task *task,
				     struct belay__task *next)
{
	worker->finished = task;
	if (next && !has_begun(next)) {
		begin(worker, &task->fiber, next, true); /* its stack has another size */
		__builtin_unreachable();
	}
	set_current(next ? &next->runner : NULL);
	return belay__fiber_end(&task->fiber, next ? &next->fiber : &worker->fiber);
}

/* What uselocale(3) sets is the thread's. The task that was left last may have set it. */
static LEVEL void meet_locale(struct worker *worker, locale_t locale)
{
	if (worker->locale != locale)
		uselocale(locale);
}

/* The foot of every stack: one task, and those that inherit the stack. */
static struct belay__context *run_tasks(void *arg)
{
	struct worker *worker = belay__worker;
	struct belay__task *task = arg, *next;

	belay__fiber_begin(worker->left);
	arrive(worker);
	for (;;) {
		meet_locale(worker, LC_GLOBAL_LOCALE);
		*worker->error = 0;
		arg = task->arg;
		task->why = BELAY__WHY_OTHER;
		if (__builtin_expect(belay__stack_use_wanted, 0))
			belay__stack_use_run(task, arg);
		else
			task->fn(task->ctx, arg);
		worker->locale = uselocale((locale_t)0);
		belay_unref(task->ctx);
		tally_add(&worker->tally, TALLY_ENDED, 1);
		next = next_task(worker);
		if (!next || !can_inherit(next, task))
			return finish(worker, task, next);
		inherit(next, task);
		take_over(worker, next);
		belay__task_give(&worker->cache, task);
		belay__control_set(&worker->control);
		task = next;
	}
}

static LEVEL void go_on_with(struct belay__fiber *from, struct belay__task *next)
{
	set_current(&next->runner);
	belay__fiber_switch(from, &next->fiber);
}

/* Leaves from, which is queued somewhere or not to go on yet, for next. */
static LEVEL void switch_to(struct worker *worker, struct belay__fiber *from,
			    struct belay__task *next)
{
	if (has_begun(next))
		go_on_with(from, next);
	else
		begin(worker, from, next, false);
	arrive(worker);
}

static LEVEL void leave_for_loop(struct worker *worker, struct belay__task *task)
{
	set_current(NULL);
	belay__fiber_switch(&task->fiber, &worker->fiber);
	arrive(worker);
}

/* For next, or the loop. */
static LEVEL void leave(struct worker *worker, struct belay__task *task, struct belay__task *next)
{
	int saved = *worker->error;
	locale_t locale = uselocale((locale_t)0);

	worker->locale = locale;
	if (next)
		switch_to(worker, &task->fiber, next);
	else
		leave_for_loop(worker, task);
	*worker->error = saved;
	meet_locale(worker, locale);
}

static LEVEL void park_task(struct worker *worker, struct belay__task *task, unsigned why)
{
	struct belay__task *next;

	task->why = (uint8_t)why;
	tally_park(&worker->tally, why);
	next = next_task(worker);
	if (next != task)
		leave(worker, task, next);
}

static void park(struct belay__runner *runner, unsigned why)
{
	struct belay__task *task = task_of(runner);

	park_task(task->worker, task, why);
}

static void park_until(struct belay__runner *runner, unsigned why, struct belay__timeout *timeout)
{
	struct belay__task *task = task_of(runner);
	struct worker *worker = task->worker;

	belay__sleeper_add(&worker->sleepers, task, timeout);
	park_task(worker, task, why);
	belay__sleeper_remove(&worker->sleepers, task);
}

static void wake(struct belay__runner *runner)
{
	struct belay__task *task = task_of(runner);

	belay__worker_ready(task->worker, task);
}

static const struct belay__runner_ops ops = {park, park_until, wake};

/* Taken before task is lined up: of two that yield to each other, so, neither has to wait until the
 * processor has read back what was just written. */
void belay__worker_yield(struct belay__task *task)
{
	struct worker *worker = task->worker;
	struct belay__task *next = next_task(worker);

	tally_add(&worker->tally, TALLY_YIELDS, 1);
	if (next || worker->turns_left == 0) {
		line_append(&worker->ready, task);
		leave(worker, task, next);
	}
}

/* ---- The loop -------------------------------------------------------------------------------- */

/* Many turns in a short time: more of them next time; few in a long one: fewer. */
static void learn_stride(struct worker *worker, int64_t passed)
{
	if (passed < LOOK_EVERY && worker->stride < STRIDE_MOST)
		worker->stride *= 2;
	while (passed > 2 * LOOK_EVERY && worker->stride > 1) {
		worker->stride /= 2;
		passed /= 2;
	}
	worker->turns_left = worker->stride;
}

static void look_around(struct worker *worker)
{
	int64_t now = belay_now();

	learn_stride(worker, now - worker->looked);
	worker->looked = now;
	worker->glanced = coarse_clock();
	if (belay__sleepers_are_due(&worker->sleepers, now))
		belay__sleepers_wake(worker, now);
	if (now - worker->tended > TEND_EVERY) {
		worker->tended = now;
		belay__tasks_tend();
	}
	if (now - worker->polled >= POLL_EVERY) {
		worker->polled = now;
		belay__worker_poll(worker);
	}
}

static void run(struct worker *worker)
{
	struct belay__task *task;

	while (!atomic_load_explicit(&belay__house.quit, memory_order_relaxed)) {
		if (is_time(worker))
			look_around(worker);
		task = pick(worker);
		if (!task) {
			belay__worker_idle(worker);
			continue;
		}
		if (atomic_load_explicit(&worker->state, memory_order_relaxed) == SEARCHING)
			belay__search_over(worker);
		switch_to(worker, &worker->fiber, task);
	}
}

void *belay__worker_main(void *arg)
{
	char signal_stack[BELAY__SIGNAL_STACK];
	struct worker *worker = arg;
	stack_t before;

	belay__own_thread = true;
	belay__worker = worker;
	worker->locale = LC_GLOBAL_LOCALE;
	worker->error = &errno;
	belay__fiber_init_thread(&worker->fiber);
	belay__tally_join(worker);
	belay__control_get(&worker->control);
	belay__overflow_enter(signal_stack, &before);
	run(worker);
	belay__overflow_leave(&before);
	belay__cache_flush(&worker->cache);
	belay__tally_leave(worker);
	return NULL;
}

/* ---- From anywhere --------------------------------------------------------------------------- */

/* After the stop, by an after-func's context that ends then: nobody is there to run it. */
void belay__worker_submit(struct belay__task *task)
{
	struct worker *worker;

	if (!belay__workers_run())
		return;
	worker = belay__fresh_push(task);
	belay__search_wanted(worker);
	if (worker != belay__worker)
		belay__worker_kick(worker);
}

void belay__worker_ready(struct worker *worker, struct belay__task *task)
{
	if (worker == belay__worker) {
		tally_wake(&worker->tally, task->why);
		line_append(&worker->ready, task);
		return;
	}
	push_inbox(worker, task);
	belay__worker_kick(worker);
}
