/* SPDX-License-Identifier: MIT
 *
 * rooms.c - what the explored rooms stand on, in place of src/base, thread.c and clock.c.
 *
 * Locks       src/base/lock.h as it is; who finds a lock taken waits here for it to be free.
 * Runners     Each thread of a scenario has one: a wake is a bit, as a token is.
 * Memory      Every context has a block of its own from malloc, so that the address sanitizer knows
 *             of a use after its end. What is left alive after a run is counted.
 * Visits      Each thread of a scenario has what it drops references with, and a visit waits for
 *             those who drop as slab.c's does. What is freed meanwhile is kept for the visitor, but
 *             for its count it is poisoned.
 * Clock       Stands still at NOW, and its thread is whichever thread of a scenario calls
 *             rooms_run_clock(): there all that is armed is due. One wheel, its lock as in clock.c.
 */
#include "explore.h"

#include "base/alloc.h"
#include "base/bias.h"
#include "base/list.h"
#include "base/processors.h"
#include "base/report.h"
#include "base/slab.h"
#include "base/stop.h"
#include "base/thread.h"
#include "chan/random.h"
#include "wait/clock.h"
#include "wait/timer.h"
#include "wait/wait.h"

#include <belay/time.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const int64_t NOW = 1000000000;

static long alive; /* blocks and contexts */

/* ---- base: lock.c, alloc.c, processors.c, thread.c, slab.c, stop.c, report.c ----------------- */

static bool is_free(void *lock)
{
	return ((struct belay__lock *)lock)->word == 0;
}

/* As many as a scenario has threads. */
unsigned belay__processors(void)
{
	return 4;
}

void belay__lock_slow(struct belay__lock *lock)
{
	while (lock->word != 0)
		explore_wait(is_free, lock);
	lock->word = 1;
}

void belay__lock_await_slow(struct belay__lock *lock)
{
	while (lock->word != 0)
		explore_wait(is_free, lock);
}

void belay__lock_give_way(struct belay__lock *lock, enum belay__rank rank)
{
	belay__lock_give(lock, rank);
}

/* All threads of a scenario are one to the C library, so nothing is biased: bias.pml. */
void belay__bias_take_slow(struct belay__bias *bias, struct belay__lock *lock, const void *thread,
			   enum belay__rank rank)
{
	(void)bias, (void)thread;
	belay__lock_take(lock, rank);
}

static void *counted(void *block)
{
	alive += block != NULL;
	return block;
}

void *belay__malloc(size_t size)
{
	return counted(malloc(size));
}

void *belay__calloc(size_t count, size_t size)
{
	return counted(calloc(count, size));
}

void *belay__aligned_alloc(size_t alignment, size_t size)
{
	return counted(aligned_alloc(alignment, size));
}

void *belay__realloc(void *block, size_t size)
{
	return block ? realloc(block, size) : belay__malloc(size);
}

char *belay__strdup(const char *s)
{
	return counted(strdup(s));
}

void belay__free(void *block)
{
	alive -= block != NULL;
	free(block);
}

/* No scenario leaves so much behind that the reaper is called for. */
int belay__thread_start(pthread_t *ret, const char *name, void *(*fn)(void *arg), void *arg)
{
	return -EAGAIN;
}

_Thread_local struct belay__slab_thread *belay__slab_self;
_Atomic uint32_t belay__slab_visitors;

enum { SLOTS = 64 };

static struct belay__slab_thread slab_threads[THREADS_MAX];
static struct slot {
	struct belay__slab *slab; /* NULL: this one is unused            */
	void *object;
	bool freed;               /* and kept, since somebody visits     */
} slots[SLOTS];

void rooms_switch(int next)
{
	belay__slab_self = next < 0 ? NULL : &slab_threads[next];
}

static struct slot *slot_of(const void *object)
{
	struct slot *slot = slots;

	while (slot->object != object || (!object && slot->slab))
		if (++slot == slots + SLOTS)
			abort();
	return slot;
}

void *belay__slab_alloc_slow(struct belay__slab *slab)
{
	void *object = belay__calloc(1, slab->size);

	*slot_of(NULL) = (struct slot){.slab = slab, .object = object};
	return object;
}

static void empty_slot(struct slot *slot)
{
	BELAY__UNPOISON(slot->object, slot->slab->size);
	belay__free(slot->object);
	*slot = (struct slot){0};
}

/* A visitor may be about to look at its count. */
void belay__slab_free_slow(struct belay__slab *slab, void *object)
{
	struct slot *slot = slot_of(object);

	BELAY__POISON((char *)object + BELAY__SLAB_HEAD, slab->size - BELAY__SLAB_HEAD);
	EXPECT(!slot->freed && *(uint32_t *)object == 0);
	slot->freed = true;
	if (belay__slab_visitors == 0)
		empty_slot(slot);
}

static bool is_through(void *thread)
{
	return !((struct belay__slab_thread *)thread)->dropping;
}

static void begin_visit(void)
{
	atomic_fetch_add_explicit(&belay__slab_visitors, 1, memory_order_seq_cst);
	for (int i = 0; i < THREADS_MAX; i++)
		while (slab_threads[i].dropping)
			explore_wait(is_through, &slab_threads[i]);
}

static void end_visit(void)
{
	if (atomic_fetch_sub_explicit(&belay__slab_visitors, 1, memory_order_release) > 1)
		return;
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].freed)
			empty_slot(&slots[i]);
}

void belay__slab_visit(struct belay__slab *slab, void (*visit)(void *arg, void *object), void *arg)
{
	begin_visit();
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].slab == slab)
			visit(arg, slots[i].object);
	end_visit();
}

size_t belay__slab_total(struct belay__slab *slab)
{
	size_t total = 0;

	for (int i = 0; i < SLOTS; i++)
		total += slots[i].slab == slab;
	return total;
}

void belay__slab_trim(struct belay__slab *slab)
{
	(void)slab;
}

void belay__stop_register(struct belay__stop *stop)
{
	(void)stop;
}

void belay__report(const char *word, size_t (*print)(FILE *out), const char *none)
{
	(void)word, (void)print, (void)none;
}

/* ---- Runners: thread.c ----------------------------------------------------------------------- */

struct runner {
	struct belay__runner runner;
	bool woken;
};

_Thread_local struct belay__runner *belay__current_task;

/* A time-out, as a timer of this file's clock. */
struct wait_timer {
	struct belay__timer timer;
	struct belay__timeout *timeout;
};

static struct belay__wait *wait_of(struct belay__timer *timer)
{
	return &belay__container(timer, struct wait_timer, timer)->timeout->wait;
}

static bool claim_wait(struct belay__timer *timer)
{
	return belay__wait_claim(wait_of(timer));
}

static void fire_wait(struct belay__timer *timer)
{
	belay__wait_wake(wait_of(timer));
}

static const struct belay__timer_ops wait_ops = {claim_wait, fire_wait};

static bool is_woken(void *runner)
{
	return ((struct runner *)runner)->woken;
}

static void park(struct belay__runner *runner, unsigned why)
{
	struct runner *self = belay__container(runner, struct runner, runner);

	explore_wait(is_woken, self);
	self->woken = false;
}

/* Time is up when the clock runs, as for every timer. */
static void park_until(struct belay__runner *runner, unsigned why, struct belay__timeout *timeout)
{
	struct wait_timer timer = {.timeout = timeout};

	belay__timer_init(&timer.timer, &wait_ops);
	belay__timer_arm(&timer.timer, timeout->when);
	park(runner, why);
	belay__timer_disarm(&timer.timer);
}

/* A second wake before the first was consumed would be lost: nobody may owe two. */
static void wake(struct belay__runner *runner)
{
	struct runner *sleeper = belay__container(runner, struct runner, runner);

	explore_point();
	EXPECT(!sleeper->woken);
	sleeper->woken = true;
}

static const struct belay__runner_ops runner_ops = {park, park_until, wake};
static struct runner runners[THREADS_MAX + 1]; /* the last: outside of all threads */

struct belay__runner *belay__self(void)
{
	int self = explore_self();

	return &runners[self < 0 ? THREADS_MAX : self].runner;
}

/* ---- The clock: clock.c ---------------------------------------------------------------------- */

static struct {
	struct belay__lock lock;
	struct belay__list armed;
} clock_wheel;

int64_t belay_now(void)
{
	return NOW;
}

int64_t belay__moment(int64_t ns)
{
	int64_t when;

	return __builtin_add_overflow(NOW, ns, &when) ? (ns > 0 ? BELAY_FOREVER : 0) : when;
}

int belay__clock_start(void)
{
	return 0;
}

bool belay__on_clock_thread(void)
{
	return false;
}

void belay__timer_init(struct belay__timer *timer, const struct belay__timer_ops *ops)
{
	*timer = (struct belay__timer){.ops = ops};
}

void belay__timer_arm(struct belay__timer *timer, int64_t when)
{
	belay__lock_take(&clock_wheel.lock, BELAY__RANK_WHEEL);
	timer->entry.when = when;
	timer->armed = true;
	belay__list_append(&clock_wheel.armed, &timer->entry.link);
	belay__lock_give(&clock_wheel.lock, BELAY__RANK_WHEEL);
}

bool belay__timer_disarm(struct belay__timer *timer)
{
	bool armed;

	belay__lock_take(&clock_wheel.lock, BELAY__RANK_WHEEL);
	armed = timer->armed;
	if (armed) {
		timer->armed = false;
		belay__list_remove(&timer->entry.link);
	}
	belay__lock_give(&clock_wheel.lock, BELAY__RANK_WHEEL);
	return armed;
}

static struct belay__timer *timer_of(struct belay__list *link)
{
	return belay__container(link, struct belay__timer, entry.link);
}

void rooms_run_clock(void)
{
	struct belay__list fired, *link;

	belay__list_init(&fired);
	belay__lock_take(&clock_wheel.lock, BELAY__RANK_WHEEL);
	while ((link = belay__list_pop(&clock_wheel.armed))) {
		struct belay__timer *timer = timer_of(link);

		timer->armed = false;
		if (timer->ops->claim(timer))
			belay__list_append(&fired, link);
	}
	belay__lock_give(&clock_wheel.lock, BELAY__RANK_WHEEL);
	while ((link = belay__list_pop(&fired))) {
		struct belay__timer *timer = timer_of(link);

		timer->ops->fire(timer);
	}
}

/* ---- Chance: random.c ------------------------------------------------------------------------ */

size_t belay__random_below(size_t n)
{
	return explore_choose(n);
}

/* ---- Runs ------------------------------------------------------------------------------------ */

void rooms_reset(void)
{
	alive = 0;
	belay__slab_visitors = 0;
	for (int i = 0; i < THREADS_MAX; i++)
		slab_threads[i] = (struct belay__slab_thread){0};
	for (int i = 0; i < SLOTS; i++)
		slots[i] = (struct slot){0};
	clock_wheel.lock.word = 0;
	belay__list_init(&clock_wheel.armed);
	for (int i = 0; i <= THREADS_MAX; i++)
		runners[i] = (struct runner){.runner = {&runner_ops}};
}

void rooms_check(void)
{
	EXPECT(alive == 0);
	EXPECT(belay__list_empty(&clock_wheel.armed));
}
