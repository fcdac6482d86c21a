/* SPDX-License-Identifier: MIT
 *
 * test_group.c - tasks that start together, fail together and can't be leaked.
 */
#include "crew.h"

#include <belay/group.h>

#include <errno.h>
#include <string.h>

static int succeed(belay_ctx *ctx, void *arg)
{
	if (arg)
		atomic_fetch_add((atomic_uint *)arg, 1);
	return 0;
}

static int fail_with(belay_ctx *ctx, void *arg)
{
	return *(int *)arg;
}

/* Returns what ended it. */
static int wait_for_the_end(belay_ctx *ctx, void *arg)
{
	int err = belay_wait(ctx);

	if (arg)
		atomic_fetch_add((atomic_uint *)arg, 1);
	return err;
}

static void an_empty_group_returns_at_once(void **state)
{
	assert_int_equal(belay_group_wait(check_made(belay_group_new(belay_background()))), 0);
}

static void no_group_is_an_error(void **state)
{
	belay_group *group = check_made(belay_group_new(belay_background()));

	assert_int_equal(belay_group_go(NULL, succeed, NULL), -EINVAL);
	assert_int_equal(belay_group_try_go(NULL, succeed, NULL), -EINVAL);
	assert_int_equal(belay_group_go(group, NULL, NULL), -EINVAL);
	assert_int_equal(belay_group_wait(NULL), -EINVAL);
	assert_null(belay_group_ctx(NULL));
	belay_group_limit(NULL, 1);
	assert_int_equal(belay_group_wait(group), 0);
}

/* semantics 3.1 */
static void wait_returns_once_all_have_ended(void **state)
{
	belay_group *group = check_made(belay_group_new(belay_background()));
	atomic_uint ended = 0;

	for (int i = 0; i < 100; i++)
		assert_int_equal(belay_group_go(group, succeed, &ended), 0);
	assert_int_equal(belay_group_wait(group), 0);
	assert_int_equal(atomic_load(&ended), 100);
}

/* semantics 3.1 */
static void the_first_error_ends_the_context_with_it_as_its_cause(void **state)
{
	belay_group *group = check_made(belay_group_new(belay_background()));
	belay_ctx *ctx = belay_ref(belay_group_ctx(group));
	int first = -EHOSTUNREACH, second = -EIO;
	atomic_uint ended = 0;
	belay_cause cause;

	for (int i = 0; i < 10; i++)
		assert_int_equal(belay_group_go(group, wait_for_the_end, &ended), 0);
	assert_int_equal(belay_group_go(group, fail_with, &first), 0);
	assert_int_equal(belay_wait(ctx), -ECANCELED);
	assert_int_equal(belay_group_go(group, fail_with, &second), -ECANCELED);
	assert_int_equal(belay_group_wait(group), -EHOSTUNREACH);
	assert_int_equal(atomic_load(&ended), 10);
	assert_int_equal(belay_cause_of(ctx, &cause), 0);
	assert_int_equal(cause.code, -EHOSTUNREACH);
	assert_non_null(strstr(cause.message, belay_strerror(-EHOSTUNREACH)));
	assert_non_null(strstr(cause.message, "test_group.c"));
	belay_unref(ctx);
}

/* The cause tells one task from another by the line that started it. */
static void the_cause_is_signed_with_the_line_that_started_the_task(void **state)
{
	belay_group *group = check_made(belay_group_new(belay_background()));
	belay_ctx *ctx = belay_ref(belay_group_ctx(group));
	int line, err = -EIO;
	belay_cause cause;

	line = __LINE__ + 1;
	assert_int_equal(belay_group_go(group, fail_with, &err), 0);
	assert_int_equal(belay_group_wait(group), -EIO);
	assert_int_equal(belay_cause_of(ctx, &cause), 0);
	assert_int_equal(cause.line, line);
	assert_string_equal(cause.func, __func__);
	belay_unref(ctx);
}

static void the_functions_behind_the_macros_do_the_same(void **state)
{
	belay_group *group = check_made((belay_group_new)(belay_background()));
	belay_ctx *ctx = belay_ref(belay_group_ctx(group));
	int err = -EIO;
	belay_cause cause;

	assert_int_equal((belay_group_try_go)(group, succeed, NULL), 0);
	assert_int_equal((belay_group_go)(group, fail_with, &err), 0);
	assert_int_equal(belay_group_wait(group), -EIO);
	assert_int_equal(belay_cause_of(ctx, &cause), 0);
	assert_null(cause.file);
	assert_non_null(strstr(cause.message, belay_strerror(-EIO)));
	belay_unref(ctx);
}

/* semantics 3.1 */
static void only_the_first_of_many_errors_counts(void **state)
{
	for (int round = 0; round < 50; round++) {
		belay_group *group = check_made(belay_group_new(belay_background()));
		belay_ctx *ctx = belay_ref(belay_group_ctx(group));
		int errs[] = {-1, -2, -3, -4, -5, -6, -7, -8};
		belay_cause cause;
		int err;

		for (int i = 0; i < 8; i++) {
			err = belay_group_go(group, fail_with, &errs[i]);
			assert_true(err == 0 || err == -ECANCELED);
		}
		err = belay_group_wait(group);
		assert_in_range(-err, 1, 8);
		assert_int_equal(belay_cause_of(ctx, &cause), 0);
		assert_int_equal(cause.code, err);
		belay_unref(ctx);
	}
}

/* semantics 3.2 */
static void wait_ends_the_context_on_success_too(void **state)
{
	belay_group *group = check_made(belay_group_new(belay_background()));
	belay_ctx *child = check_live(belay_with_cancel(belay_group_ctx(group)));
	belay_cause cause;

	assert_int_equal(belay_group_go(group, succeed, NULL), 0);
	assert_int_equal(belay_err(child), 0);
	assert_int_equal(belay_group_wait(group), 0);
	assert_int_equal(belay_err(child), -ECANCELED);
	assert_int_equal(belay_cause_of(child, &cause), 0);
	assert_string_equal(cause.message, "the group has finished");
	belay_end(child);
}

static int end_it(belay_ctx *ctx, void *arg)
{
	belay_cancel(arg);
	return belay_err(ctx);
}

static void the_parents_end_shortens_the_wait(void **state)
{
	BELAY_SCOPED belay_ctx *parent = check_live(belay_with_cancel(belay_background()));
	belay_group *group = check_made(belay_group_new(parent));
	atomic_uint ended = 0;

	assert_int_equal(belay_group_go(group, wait_for_the_end, &ended), 0);
	assert_int_equal(belay_group_go(group, wait_for_the_end, &ended), 0);
	assert_int_equal(belay_group_go(group, end_it, parent), 0);
	assert_int_equal(belay_group_wait(group), -ECANCELED);
	assert_int_equal(atomic_load(&ended), 2);
}

static void the_groups_end_does_not_touch_the_parent(void **state)
{
	BELAY_SCOPED belay_ctx *parent = check_live(belay_with_cancel(belay_background()));
	belay_group *group = check_made(belay_group_new(parent));
	int err = -EIO;

	assert_int_equal(belay_group_go(group, fail_with, &err), 0);
	assert_int_equal(belay_group_wait(group), -EIO);
	assert_int_equal(belay_err(parent), 0);
}

static void a_done_context_starts_nothing(void **state)
{
	BELAY_SCOPED belay_ctx *parent = check_live(belay_with_timeout(belay_background(), 0));
	belay_group *group = check_made(belay_group_new(parent));

	assert_int_equal(belay_group_go(group, succeed, NULL), -ETIME);
	assert_int_equal(belay_group_try_go(group, succeed, NULL), -ETIME);
	assert_int_equal(belay_group_wait(group), 0);
}

/* ---- Tasks that start tasks ------------------------------------------------------------------ */

struct tree {
	belay_group *group;
	atomic_uint ended;
};

struct branch {
	struct tree *tree;
	struct branch *below; /* two of them; NULL: a leaf */
};

static int grow(belay_ctx *ctx, void *arg)
{
	struct branch *branch = arg;
	struct tree *tree = branch->tree;

	for (int i = 0; branch->below && i < 2; i++)
		check(belay_group_go(tree->group, grow, &branch->below[i]) == 0);
	atomic_fetch_add(&tree->ended, 1);
	return 0;
}

enum { DEPTH = 6 };

static void a_task_may_start_others_in_its_group(void **state)
{
	struct tree tree = {.group = check_made(belay_group_new(belay_background()))};
	struct branch branches[(2 << DEPTH) - 1];
	size_t inner = (1 << DEPTH) - 1;

	for (size_t i = 0; i < (2 << DEPTH) - 1; i++)
		branches[i] = (struct branch){&tree, i < inner ? &branches[2 * i + 1] : NULL};
	assert_int_equal(belay_group_go(tree.group, grow, &branches[0]), 0);
	assert_int_equal(belay_group_wait(tree.group), 0);
	assert_int_equal(atomic_load(&tree.ended), (2 << DEPTH) - 1);
}

/* ---- The limit ------------------------------------------------------------------------------- */

struct slots {
	belay_group *group;
	atomic_uint now, most, started;
	atomic_bool go;
	belay_sem finish;
	atomic_int result;
};

static int count(belay_ctx *ctx, void *arg)
{
	struct slots *slots = arg;
	unsigned now = atomic_fetch_add(&slots->now, 1) + 1;
	unsigned most = atomic_load(&slots->most);
	int err;

	while (now > most && !atomic_compare_exchange_weak(&slots->most, &most, now))
		;
	atomic_fetch_add(&slots->started, 1);
	err = belay_sem_acquire(ctx, &slots->finish, 1);
	atomic_fetch_sub(&slots->now, 1);
	return err;
}

/* semantics 3.3 */
static void try_go_says_when_the_limit_is_reached(void **state)
{
	struct slots slots = {.group = check_made(belay_group_new(belay_background()))};
	int err;

	belay_group_limit(slots.group, 2);
	assert_int_equal(belay_group_try_go(slots.group, count, &slots), 0);
	assert_int_equal(belay_group_try_go(slots.group, count, &slots), 0);
	assert_int_equal(belay_group_try_go(slots.group, count, &slots), -EAGAIN);
	assert_true(check_until(atomic_load(&slots.started) == 2));
	assert_int_equal(belay_sem_release(&slots.finish, 1), 0);
	assert_true(check_until((err = belay_group_try_go(slots.group, count, &slots)) != -EAGAIN));
	assert_int_equal(err, 0);
	assert_int_equal(belay_sem_release(&slots.finish, 2), 0);
	assert_int_equal(belay_group_wait(slots.group), 0);
	assert_int_equal(atomic_load(&slots.started), 3);
	assert_int_equal(atomic_load(&slots.most), 2);
}

static void go_one_more(struct hand *hand)
{
	struct slots *slots = hand->crew->arg;
	int err = belay_group_go(slots->group, count, slots);

	check(err != -ENOMEM && err != -EAGAIN);
	check(err != 0 || atomic_load(&slots->go));
	atomic_store(&slots->result, err);
}

/* semantics 3.3 */
static void go_waits_at_the_limit(void **state)
{
	struct slots slots = {.group = check_made(belay_group_new(belay_background()))};
	struct crew crew = {.fn = go_one_more, .arg = &slots};

	belay_group_limit(slots.group, 1);
	assert_int_equal(belay_group_go(slots.group, count, &slots), 0);
	crew_add(&crew);
	crew_add(&crew);
	atomic_store(&slots.go, true);
	assert_int_equal(belay_sem_release(&slots.finish, 3), 0);
	crew_join(&crew);
	assert_int_equal(belay_group_wait(slots.group), 0);
	assert_int_equal(atomic_load(&slots.started), 3);
	assert_int_equal(atomic_load(&slots.most), 1);
}

/* semantics 3.3 */
static void without_a_limit_all_run_at_once(void **state)
{
	struct slots slots = {.group = check_made(belay_group_new(belay_background()))};

	belay_group_limit(slots.group, 1);
	belay_group_limit(slots.group, 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(belay_group_try_go(slots.group, count, &slots), 0);
	assert_true(check_until(atomic_load(&slots.now) == 50));
	assert_int_equal(belay_sem_release(&slots.finish, 50), 0);
	assert_int_equal(belay_group_wait(slots.group), 0);
}

static void go_at_the_limit_ends_with_the_groups_context(void **state)
{
	BELAY_SCOPED belay_ctx *parent = check_live(belay_with_cancel(belay_background()));
	struct slots slots = {.group = check_made(belay_group_new(parent))};
	struct crew crew = {.fn = go_one_more, .arg = &slots};

	belay_group_limit(slots.group, 1);
	assert_int_equal(belay_group_go(slots.group, count, &slots), 0);
	crew_add(&crew);
	assert_true(check_until(belay__group_blocked(slots.group) == 1));
	belay_cancel(parent);
	assert_int_equal(belay_group_wait(slots.group), -ECANCELED);
	crew_join(&crew);
	assert_int_equal(atomic_load(&slots.result), -ECANCELED);
	assert_int_equal(atomic_load(&slots.started), 1);
}

static void raising_the_limit_lets_in_those_who_wait(void **state)
{
	struct slots slots = {.group = check_made(belay_group_new(belay_background())), .go = true};
	struct crew crew = {.fn = go_one_more, .arg = &slots};

	belay_group_limit(slots.group, 1);
	assert_int_equal(belay_group_go(slots.group, count, &slots), 0);
	for (unsigned i = 0; i < 4; i++)
		crew_add(&crew);
	assert_true(check_until(belay__group_blocked(slots.group) == 4));
	belay_group_limit(slots.group, 3);
	assert_true(check_until(atomic_load(&slots.now) == 3));
	assert_int_equal(belay__group_blocked(slots.group), 2);
	belay_group_limit(slots.group, 0);
	assert_true(check_until(atomic_load(&slots.now) == 5));
	assert_int_equal(belay_sem_release(&slots.finish, 5), 0);
	crew_join(&crew);
	assert_int_equal(belay_group_wait(slots.group), 0);
}

/* ---- Storm ----------------------------------------------------------------------------------- */

struct storm {
	belay_group *group;
	atomic_uint started, ended, now;
	int err; /* of one task */
};

enum { LIMIT = 3 };

static int work(belay_ctx *ctx, void *arg)
{
	struct storm *storm = arg;
	unsigned number = atomic_fetch_add(&storm->ended, 1);

	check(atomic_fetch_add(&storm->now, 1) < LIMIT);
	belay_yield();
	atomic_fetch_sub(&storm->now, 1);
	return number == 150 ? storm->err : 0;
}

static void go_often(struct hand *hand)
{
	struct storm *storm = hand->crew->arg;

	for (int i = 0; i < 100; i++) {
		int err = hand_random(hand, 2) ? belay_group_go(storm->group, work, storm)
					       : belay_group_try_go(storm->group, work, storm);

		if (err == 0)
			atomic_fetch_add(&storm->started, 1);
		check(err == 0 || err == -EAGAIN || err == -ECANCELED);
	}
}

static void as_many_end_as_were_started(void **state)
{
	for (int round = 0; round < 6; round++) {
		struct storm storm = {.group = check_made(belay_group_new(belay_background())),
				      .err = round % 2 ? -EIO : 0};
		int err;

		belay_group_limit(storm.group, LIMIT);
		crew_all(6, go_often, &storm);
		err = belay_group_wait(storm.group);
		assert_int_equal(atomic_load(&storm.ended), atomic_load(&storm.started));
		assert_int_equal(err, atomic_load(&storm.ended) > 150 ? storm.err : 0);
	}
}

/* The join and the leaving of those who wait for a slot, both set off by one end: under the address
 * sanitizer this shows who touches the group last. */
static void a_group_outlives_those_who_wait_for_a_slot(void **state)
{
	for (int round = 0; round < 100; round++) {
		BELAY_SCOPED belay_ctx *parent = check_live(belay_with_cancel(belay_background()));
		struct slots slots = {.group = check_made(belay_group_new(parent)), .go = true};
		struct crew crew = {.fn = go_one_more, .arg = &slots};

		belay_group_limit(slots.group, 1);
		assert_int_equal(belay_group_go(slots.group, count, &slots), 0);
		for (unsigned i = 0; i < 3; i++)
			crew_add(&crew);
		assert_true(check_until(belay__group_blocked(slots.group) == 3));
		belay_cancel(parent);
		assert_int_equal(belay_group_wait(slots.group), -ECANCELED);
		crew_join(&crew);
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(an_empty_group_returns_at_once),
		cmocka_unit_test(no_group_is_an_error),
		cmocka_unit_test(wait_returns_once_all_have_ended),
		cmocka_unit_test(the_first_error_ends_the_context_with_it_as_its_cause),
		cmocka_unit_test(the_cause_is_signed_with_the_line_that_started_the_task),
		cmocka_unit_test(the_functions_behind_the_macros_do_the_same),
		cmocka_unit_test(only_the_first_of_many_errors_counts),
		cmocka_unit_test(wait_ends_the_context_on_success_too),
		cmocka_unit_test(the_parents_end_shortens_the_wait),
		cmocka_unit_test(the_groups_end_does_not_touch_the_parent),
		cmocka_unit_test(a_done_context_starts_nothing),
		cmocka_unit_test(a_task_may_start_others_in_its_group),
		cmocka_unit_test(try_go_says_when_the_limit_is_reached),
		cmocka_unit_test(go_waits_at_the_limit),
		cmocka_unit_test(without_a_limit_all_run_at_once),
		cmocka_unit_test(go_at_the_limit_ends_with_the_groups_context),
		cmocka_unit_test(raising_the_limit_lets_in_those_who_wait),
		cmocka_unit_test(as_many_end_as_were_started),
		cmocka_unit_test(a_group_outlives_those_who_wait_for_a_slot))
