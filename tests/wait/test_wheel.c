/* SPDX-License-Identifier: MIT
 *
 * test_wheel.c - the timer wheel against the plainest thing that could do the same: a list.
 */
#include "check.h"

#include "wait/wheel.h"

#include <stdlib.h>
#include <string.h>

enum { TIMERS = 2000, STEPS = 4000 };

static uint64_t state = 88172645463325252u;

static uint64_t random_number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* Near and far alike: as many moments in each power of two. */
static int64_t random_delay(void)
{
	return (int64_t)(random_number() >> (1 + random_number() % 62));
}

static int64_t after(int64_t now, int64_t delay)
{
	int64_t when;

	return __builtin_add_overflow(now, delay, &when) ? INT64_MAX - 1 : when;
}

struct fixture {
	struct belay__wheel wheel;
	struct belay__wheel_entry timers[TIMERS];
	bool in[TIMERS];
	int64_t now;
};

static int setup(void **made)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->now = belay_now();
	belay__wheel_init(&f->wheel, f->now);
	*made = f;
	return 0;
}

static int teardown(void **made)
{
	free(*made);
	return 0;
}

static void insert(struct fixture *f, int i)
{
	f->timers[i].when = after(f->now, random_delay());
	belay__wheel_insert(&f->wheel, &f->timers[i]);
	f->in[i] = true;
}

/* A tick is what a timer may be late; early it may never be. */
static void take_due(struct fixture *f)
{
	struct belay__list *link;

	while ((link = belay__list_pop(&f->wheel.due))) {
		struct belay__wheel_entry *timer =
			belay__container(link, struct belay__wheel_entry, link);
		ptrdiff_t i = timer - f->timers;

		assert_true(f->in[i]);
		assert_true(timer->when <= f->now);
		f->in[i] = false;
	}
	for (int i = 0; i < TIMERS; i++)
		if (f->in[i])
			assert_true(f->timers[i].when >
				    f->now - (INT64_C(1) << BELAY__WHEEL_TICK_BITS));
}

/* next is no later than a tick after the earliest timer, so that nobody is overslept. */
static void check_next(struct fixture *f)
{
	int64_t next = belay__wheel_next(&f->wheel), earliest = INT64_MAX;

	for (int i = 0; i < TIMERS; i++)
		if (f->in[i] && f->timers[i].when < earliest)
			earliest = f->timers[i].when;
	if (earliest == INT64_MAX)
		assert_true(next == BELAY_FOREVER);
	else
		assert_true(next - (INT64_C(1) << BELAY__WHEEL_TICK_BITS) <= earliest);
}

static void every_timer_comes_due_once_and_never_early(void **made)
{
	struct fixture *f = *made;

	for (int step = 0; step < STEPS; step++) {
		int i = (int)(random_number() % TIMERS);

		if (!f->in[i]) {
			insert(f, i);
		} else if (random_number() % 2) {
			belay__wheel_remove(&f->wheel, &f->timers[i]);
			f->in[i] = false;
		}
		if (random_number() % 4 == 0) {
			f->now = after(f->now, random_delay() >> 30);
			belay__wheel_advance(&f->wheel, f->now);
			take_due(f);
		}
		if (step % 16 == 0)
			check_next(f);
	}
}

static void following_next_reaches_every_timer_in_few_steps(void **made)
{
	struct fixture *f = *made;
	int steps = 0;
	int64_t next;

	for (int i = 0; i < TIMERS; i++)
		insert(f, i);
	while ((next = belay__wheel_next(&f->wheel)) != BELAY_FOREVER) {
		if (next > f->now)
			f->now = next;
		belay__wheel_advance(&f->wheel, f->now);
		take_due(f);
		assert_true(++steps <= TIMERS * BELAY__WHEEL_LEVELS);
	}
	for (int i = 0; i < TIMERS; i++)
		assert_false(f->in[i]);
}

static void a_removed_timer_leaves_its_slot_empty(void **made)
{
	struct fixture *f = *made;

	for (int i = 0; i < TIMERS; i++)
		insert(f, i);
	for (int i = 0; i < TIMERS; i++)
		belay__wheel_remove(&f->wheel, &f->timers[i]);
	assert_true(belay__wheel_next(&f->wheel) == BELAY_FOREVER);
}

static void a_timer_of_the_past_is_due_at_once(void **made)
{
	struct fixture *f = *made;

	f->timers[0].when = f->now - 1;
	belay__wheel_advance(&f->wheel, f->now + BELAY_S(1));
	belay__wheel_insert(&f->wheel, &f->timers[0]);
	assert_true(belay__wheel_next(&f->wheel) <= f->now);
	belay__wheel_advance(&f->wheel, f->now + BELAY_S(1));
	assert_ptr_equal(belay__list_pop(&f->wheel.due), &f->timers[0].link);
}

#define wheel_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

BELAY_TEST_MAIN(wheel_test(every_timer_comes_due_once_and_never_early),
		wheel_test(following_next_reaches_every_timer_in_few_steps),
		wheel_test(a_removed_timer_leaves_its_slot_empty),
		wheel_test(a_timer_of_the_past_is_due_at_once))
