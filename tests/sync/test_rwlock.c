/* SPDX-License-Identifier: MIT
 *
 * test_rwlock.c - many readers or one writer, and none of either starved.
 */
#include "crew.h"

#include <errno.h>
#include <string.h>

static void readers_share(void **state)
{
	belay_rwlock rwlock = BELAY_RWLOCK_INIT;

	assert_int_equal(belay_rwlock_read_lock(belay_background(), &rwlock), 0);
	assert_int_equal(belay_rwlock_read_lock(belay_background(), &rwlock), 0);
	assert_int_equal(belay_rwlock_try_read_lock(&rwlock), 0);
	assert_int_equal(belay_rwlock_try_write_lock(&rwlock), -EAGAIN);
	for (int i = 0; i < 3; i++)
		assert_int_equal(belay_rwlock_read_unlock(&rwlock), 0);
	assert_int_equal(belay_rwlock_try_write_lock(&rwlock), 0);
	assert_int_equal(belay_rwlock_write_unlock(&rwlock), 0);
}

static void a_writer_is_alone(void **state)
{
	belay_rwlock rwlock = BELAY_RWLOCK_INIT;

	assert_int_equal(belay_rwlock_write_lock(belay_background(), &rwlock), 0);
	assert_int_equal(belay_rwlock_try_write_lock(&rwlock), -EAGAIN);
	assert_int_equal(belay_rwlock_try_read_lock(&rwlock), -EAGAIN);
	assert_int_equal(belay_rwlock_write_unlock(&rwlock), 0);
	assert_int_equal(belay_rwlock_try_read_lock(&rwlock), 0);
	assert_int_equal(belay_rwlock_read_unlock(&rwlock), 0);
}

static void unlocking_what_is_not_locked_is_an_error_without_effect(void **state)
{
	belay_rwlock rwlock = BELAY_RWLOCK_INIT;

	assert_int_equal(belay_rwlock_read_unlock(&rwlock), -EPERM);
	assert_int_equal(belay_rwlock_write_unlock(&rwlock), -EPERM);
	assert_int_equal(belay_rwlock_try_read_lock(&rwlock), 0);
	assert_int_equal(belay_rwlock_write_unlock(&rwlock), -EPERM);
	assert_int_equal(belay_rwlock_read_unlock(&rwlock), 0);
	assert_int_equal(belay_rwlock_try_write_lock(&rwlock), 0);
	assert_int_equal(belay_rwlock_read_unlock(&rwlock), -EPERM);
	assert_int_equal(belay_rwlock_write_unlock(&rwlock), 0);
}

static void a_done_context_wins_over_a_free_lock(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	belay_rwlock rwlock = BELAY_RWLOCK_INIT;

	belay_cancel(ctx);
	assert_int_equal(belay_rwlock_read_lock(ctx, &rwlock), -ECANCELED);
	assert_int_equal(belay_rwlock_write_lock(ctx, &rwlock), -ECANCELED);
	assert_int_equal(belay_rwlock_try_write_lock(&rwlock), 0);
	assert_int_equal(belay_rwlock_write_unlock(&rwlock), 0);
}

/* ---- Order ----------------------------------------------------------------------------------- */

/* What each hand does: 'r' or 'w', under its context; then it writes its kind down and unlocks. */
struct line {
	belay_rwlock rwlock;
	const char *kinds;
	belay_ctx *ctx[CREW_MOST];
	int result[CREW_MOST];
	atomic_uint inside, next;
	char order[CREW_MOST + 1];
	atomic_bool go;
};

static int line_lock(struct line *line, unsigned number)
{
	if (line->kinds[number] == 'w')
		return belay_rwlock_write_lock(line->ctx[number], &line->rwlock);
	return belay_rwlock_read_lock(line->ctx[number], &line->rwlock);
}

static int line_unlock(struct line *line, unsigned number)
{
	if (line->kinds[number] == 'w')
		return belay_rwlock_write_unlock(&line->rwlock);
	return belay_rwlock_read_unlock(&line->rwlock);
}

static void stand_in_line(struct hand *hand)
{
	struct line *line = hand->crew->arg;

	line->result[hand->number] = line_lock(line, hand->number);
	if (line->result[hand->number])
		return;
	line->order[atomic_fetch_add(&line->next, 1)] = line->kinds[hand->number];
	atomic_fetch_add(&line->inside, 1);
	check(check_until(atomic_load(&line->go)));
	check(line_unlock(line, hand->number) == 0);
}

static void line_up(struct line *line, struct crew *crew, const char *kinds)
{
	line->kinds = kinds;
	crew->fn = stand_in_line;
	crew->arg = line;
	for (unsigned i = 0; kinds[i]; i++) {
		line->ctx[i] = check_live(belay_with_cancel(belay_background()));
		crew_add(crew);
		assert_true(check_until(queued(&line->rwlock.waiters) == i + 1));
	}
}

static void line_end(struct line *line, struct crew *crew)
{
	atomic_store(&line->go, true);
	crew_join(crew);
	for (unsigned i = 0; line->kinds[i]; i++)
		belay_end(line->ctx[i]);
	assert_int_equal(queued(&line->rwlock.waiters), 0);
	assert_int_equal(belay_rwlock_try_write_lock(&line->rwlock), 0);
}

static void a_reader_stands_behind_a_writer_that_waits(void **state)
{
	struct line line = {.rwlock = BELAY_RWLOCK_INIT};
	struct crew crew = {0};

	assert_int_equal(belay_rwlock_try_read_lock(&line.rwlock), 0);
	line_up(&line, &crew, "w");
	assert_int_equal(belay_rwlock_try_read_lock(&line.rwlock), -EAGAIN);
	assert_int_equal(belay_rwlock_read_unlock(&line.rwlock), 0);
	line_end(&line, &crew);
	assert_string_equal(line.order, "w");
}

static void they_are_let_in_in_the_order_of_arrival(void **state)
{
	struct line line = {.rwlock = BELAY_RWLOCK_INIT};
	struct crew crew = {0};

	assert_int_equal(belay_rwlock_try_write_lock(&line.rwlock), 0);
	line_up(&line, &crew, "rrwrrrwwr");
	assert_int_equal(belay_rwlock_write_unlock(&line.rwlock), 0);
	line_end(&line, &crew);
	assert_string_equal(line.order, "rrwrrrwwr");
}

static void readers_that_wait_together_go_in_together(void **state)
{
	struct line line = {.rwlock = BELAY_RWLOCK_INIT};
	struct crew crew = {0};

	assert_int_equal(belay_rwlock_try_write_lock(&line.rwlock), 0);
	line_up(&line, &crew, "rrrw");
	assert_int_equal(belay_rwlock_write_unlock(&line.rwlock), 0);
	assert_true(check_until(atomic_load(&line.inside) == 3));
	assert_int_equal(queued(&line.rwlock.waiters), 1);
	line_end(&line, &crew);
	assert_string_equal(line.order, "rrrw");
}

/* The reader in front never leaves meanwhile: only the writer's leaving can let the others in. */
static void a_writer_that_gives_up_lets_in_the_readers_behind_it(void **state)
{
	struct line line = {.rwlock = BELAY_RWLOCK_INIT};
	struct crew crew = {0};

	assert_int_equal(belay_rwlock_try_read_lock(&line.rwlock), 0);
	line_up(&line, &crew, "wrr");
	belay_cancel(line.ctx[0]);
	assert_true(check_until(atomic_load(&line.inside) == 2));
	assert_int_equal(belay_rwlock_read_unlock(&line.rwlock), 0);
	line_end(&line, &crew);
	assert_int_equal(line.result[0], -ECANCELED);
	assert_string_equal(line.order, "rr");
}

static void a_reader_leaves_when_its_context_ends(void **state)
{
	struct line line = {.rwlock = BELAY_RWLOCK_INIT};
	struct crew crew = {0};

	assert_int_equal(belay_rwlock_try_write_lock(&line.rwlock), 0);
	line_up(&line, &crew, "rr");
	belay_cancel(line.ctx[0]);
	assert_true(check_until(queued(&line.rwlock.waiters) == 1));
	assert_int_equal(belay_rwlock_write_unlock(&line.rwlock), 0);
	line_end(&line, &crew);
	assert_int_equal(line.result[0], -ECANCELED);
	assert_int_equal(line.result[1], 0);
}

/* ---- Storm ----------------------------------------------------------------------------------- */

struct storm {
	belay_rwlock rwlock;
	unsigned long a, b; /* equal, but for a writer; plain, so that a race would show */
	_Atomic unsigned long writes, reads;
};

static void write_often(struct storm *storm, struct hand *hand, belay_ctx *ctx)
{
	if (belay_rwlock_write_lock(ctx, &storm->rwlock) != 0)
		return;
	storm->a++;
	if (hand_random(hand, 4) == 0)
		belay_yield();
	storm->b++;
	atomic_fetch_add(&storm->writes, 1);
	check(belay_rwlock_write_unlock(&storm->rwlock) == 0);
}

static void read_often(struct storm *storm, struct hand *hand, belay_ctx *ctx)
{
	if (belay_rwlock_read_lock(ctx, &storm->rwlock) != 0)
		return;
	check(storm->a == storm->b);
	if (hand_random(hand, 4) == 0)
		belay_yield();
	check(storm->a == storm->b);
	atomic_fetch_add(&storm->reads, 1);
	check(belay_rwlock_read_unlock(&storm->rwlock) == 0);
}

static void read_or_write(struct hand *hand)
{
	struct storm *storm = hand->crew->arg;

	for (int i = 0; i < 1500; i++) {
		BELAY_SCOPED belay_ctx *ctx = hand_ctx(hand);

		if (hand_random(hand, 3) == 0)
			write_often(storm, hand, ctx);
		else
			read_often(storm, hand, ctx);
	}
}

static void readers_and_writers_exclude_each_other_in_a_storm(void **state)
{
	struct storm storm = {.rwlock = BELAY_RWLOCK_INIT};

	crew_all(8, read_or_write, &storm);
	assert_int_equal(storm.a, atomic_load(&storm.writes));
	assert_true(storm.writes > 0 && storm.reads > 0);
	assert_int_equal(queued(&storm.rwlock.waiters), 0);
	assert_int_equal(belay_rwlock_try_write_lock(&storm.rwlock), 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(readers_share), cmocka_unit_test(a_writer_is_alone),
		cmocka_unit_test(unlocking_what_is_not_locked_is_an_error_without_effect),
		cmocka_unit_test(a_done_context_wins_over_a_free_lock),
		cmocka_unit_test(a_reader_stands_behind_a_writer_that_waits),
		cmocka_unit_test(they_are_let_in_in_the_order_of_arrival),
		cmocka_unit_test(readers_that_wait_together_go_in_together),
		cmocka_unit_test(a_writer_that_gives_up_lets_in_the_readers_behind_it),
		cmocka_unit_test(a_reader_leaves_when_its_context_ends),
		cmocka_unit_test(readers_and_writers_exclude_each_other_in_a_storm))
