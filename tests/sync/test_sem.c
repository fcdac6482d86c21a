/* SPDX-License-Identifier: MIT
 *
 * test_sem.c - permits are neither lost nor made, and handed out in the order of asking.
 */
#include "crew.h"

#include <errno.h>

static void permits_are_taken_and_given_back(void **state)
{
	belay_sem sem = BELAY_SEM_INIT(3);

	assert_int_equal(belay_sem_acquire(belay_background(), &sem, 2), 0);
	assert_int_equal(belay_sem_try_acquire(&sem, 2), -EAGAIN);
	assert_int_equal(belay_sem_try_acquire(&sem, 1), 0);
	assert_int_equal(belay_sem_try_acquire(&sem, 1), -EAGAIN);
	assert_int_equal(belay_sem_release(&sem, 3), 0);
	assert_int_equal(belay_sem_try_acquire(&sem, 3), 0);
}

static void init_makes_a_semaphore_of_any_memory(void **state)
{
	belay_sem sem;

	memset(&sem, 0xa5, sizeof sem);
	belay_sem_init(&sem, 1);
	assert_int_equal(belay_sem_try_acquire(&sem, 1), 0);
	assert_int_equal(belay_sem_try_acquire(&sem, 1), -EAGAIN);
}

static void none_can_always_be_had(void **state)
{
	belay_sem sem = BELAY_SEM_INIT(0);

	assert_int_equal(belay_sem_acquire(belay_background(), &sem, 0), 0);
	assert_int_equal(belay_sem_try_acquire(&sem, 0), 0);
	assert_int_equal(belay_sem_release(&sem, 0), 0);
	assert_int_equal(belay_sem_try_acquire(&sem, 1), -EAGAIN);
}

static void a_release_past_the_end_is_an_error_without_effect(void **state)
{
	belay_sem sem = BELAY_SEM_INIT(SIZE_MAX - 1);

	assert_int_equal(belay_sem_release(&sem, 2), -EOVERFLOW);
	assert_int_equal(belay_sem_release(&sem, 1), 0);
	assert_int_equal(belay_sem_release(&sem, 1), -EOVERFLOW);
	assert_int_equal(belay_sem_try_acquire(&sem, SIZE_MAX), 0);
	assert_int_equal(belay_sem_try_acquire(&sem, 1), -EAGAIN);
}

static void a_done_context_wins_over_free_permits(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), 0));
	belay_sem sem = BELAY_SEM_INIT(2);

	assert_int_equal(belay_sem_acquire(ctx, &sem, 1), -ETIME);
	assert_int_equal(belay_sem_acquire(ctx, &sem, 0), -ETIME);
	assert_int_equal(belay_sem_try_acquire(&sem, 2), 0);
}

/* ---- Order ----------------------------------------------------------------------------------- */

struct line {
	belay_sem sem;
	const size_t *wants;
	belay_ctx *ctx[CREW_MOST];
	int result[CREW_MOST];
	atomic_uint served;
};

static void take_some(struct hand *hand)
{
	struct line *line = hand->crew->arg;

	line->result[hand->number] =
		belay_sem_acquire(line->ctx[hand->number], &line->sem, line->wants[hand->number]);
	atomic_fetch_add(&line->served, 1);
}

static void line_up(struct line *line, struct crew *crew, const size_t *wants, unsigned n)
{
	*line = (struct line){.sem = BELAY_SEM_INIT(0), .wants = wants};
	*crew = (struct crew){.fn = take_some, .arg = line};
	for (unsigned i = 0; i < n; i++) {
		line->ctx[i] = check_live(belay_with_cancel(belay_background()));
		crew_add(crew);
		assert_true(check_until(queued(&line->sem.waiters) == i + 1));
	}
}

static void line_end(struct line *line, struct crew *crew)
{
	crew_join(crew);
	for (unsigned i = 0; i < crew->size; i++)
		belay_end(line->ctx[i]);
	assert_int_equal(queued(&line->sem.waiters), 0);
}

static void who_asks_for_many_is_not_overtaken(void **state)
{
	static const size_t wants[] = {3, 1, 1};
	struct line line;
	struct crew crew;

	line_up(&line, &crew, wants, 3);
	assert_int_equal(belay_sem_release(&line.sem, 2), 0);
	assert_int_equal(queued(&line.sem.waiters), 3);
	assert_int_equal(belay_sem_try_acquire(&line.sem, 1), -EAGAIN);
	assert_int_equal(belay_sem_release(&line.sem, 1), 0);
	assert_int_equal(queued(&line.sem.waiters), 2);
	assert_true(check_until(atomic_load(&line.served) == 1));
	assert_int_equal(belay_sem_release(&line.sem, 2), 0);
	line_end(&line, &crew);
	for (int i = 0; i < 3; i++)
		assert_int_equal(line.result[i], 0);
	assert_int_equal(belay_sem_try_acquire(&line.sem, 1), -EAGAIN);
}

static void one_release_serves_as_many_as_it_can(void **state)
{
	static const size_t wants[] = {1, 2, 1, 3};
	struct line line;
	struct crew crew;

	line_up(&line, &crew, wants, 4);
	assert_int_equal(belay_sem_release(&line.sem, 5), 0);
	assert_true(check_until(atomic_load(&line.served) == 3));
	assert_int_equal(queued(&line.sem.waiters), 1);
	assert_int_equal(belay_sem_release(&line.sem, 2), 0);
	line_end(&line, &crew);
	assert_int_equal(belay_sem_try_acquire(&line.sem, 1), -EAGAIN);
}

/* No release comes meanwhile: only the leaving can let the others in. */
static void who_gives_up_lets_in_those_behind_it(void **state)
{
	static const size_t wants[] = {5, 1, 1};
	struct line line;
	struct crew crew;

	line_up(&line, &crew, wants, 3);
	assert_int_equal(belay_sem_release(&line.sem, 3), 0);
	assert_int_equal(queued(&line.sem.waiters), 3);
	belay_cancel(line.ctx[0]);
	line_end(&line, &crew);
	assert_int_equal(line.result[0], -ECANCELED);
	assert_int_equal(line.result[1], 0);
	assert_int_equal(line.result[2], 0);
	assert_int_equal(belay_sem_try_acquire(&line.sem, 2), -EAGAIN);
	assert_int_equal(belay_sem_try_acquire(&line.sem, 1), 0);
}

/* ---- Storm ----------------------------------------------------------------------------------- */

enum { PERMITS = 5 };

struct storm {
	belay_sem sem;
	_Atomic size_t taken;
	_Atomic unsigned long successes;
};

static void take_often(struct hand *hand)
{
	struct storm *storm = hand->crew->arg;

	for (int i = 0; i < 1500; i++) {
		BELAY_SCOPED belay_ctx *ctx = hand_ctx(hand);
		size_t n = 1 + hand_random(hand, PERMITS);

		if (belay_sem_acquire(ctx, &storm->sem, n) != 0)
			continue;
		check(atomic_fetch_add(&storm->taken, n) + n <= PERMITS);
		if (hand_random(hand, 4) == 0)
			belay_yield();
		atomic_fetch_sub(&storm->taken, n);
		atomic_fetch_add(&storm->successes, 1);
		check(belay_sem_release(&storm->sem, n) == 0);
	}
}

static void permits_are_conserved_while_contexts_end_at_random(void **state)
{
	struct storm storm = {.sem = BELAY_SEM_INIT(PERMITS)};

	crew_all(8, take_often, &storm);
	assert_true(atomic_load(&storm.successes) > 0);
	assert_int_equal(queued(&storm.sem.waiters), 0);
	assert_int_equal(belay_sem_try_acquire(&storm.sem, PERMITS), 0);
	assert_int_equal(belay_sem_try_acquire(&storm.sem, 1), -EAGAIN);
}

BELAY_TEST_MAIN(cmocka_unit_test(permits_are_taken_and_given_back),
		cmocka_unit_test(init_makes_a_semaphore_of_any_memory),
		cmocka_unit_test(none_can_always_be_had),
		cmocka_unit_test(a_release_past_the_end_is_an_error_without_effect),
		cmocka_unit_test(a_done_context_wins_over_free_permits),
		cmocka_unit_test(who_asks_for_many_is_not_overtaken),
		cmocka_unit_test(one_release_serves_as_many_as_it_can),
		cmocka_unit_test(who_gives_up_lets_in_those_behind_it),
		cmocka_unit_test(permits_are_conserved_while_contexts_end_at_random))
