/* SPDX-License-Identifier: MIT
 *
 * test_big.c - a million contexts: deep, wide, and not in anybody's way while they end.
 */
#include "check.h"

#include "scale.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { MILLION = 1000000 };

/* Small enough that recursion over a chain, even with frames of a few bytes, would overrun it. */
enum { SMALL_STACK = 256 << 10 };

static belay_ctx **make_array(size_t n)
{
	belay_ctx **all = malloc(n * sizeof *all);

	assert_non_null(all);
	return all;
}

static void run_on_small_stack(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, SMALL_STACK), 0);
	assert_int_equal(pthread_create(&thread, &attr, fn, arg), 0);
	pthread_attr_destroy(&attr);
	pthread_join(thread, NULL);
}

/* Each link is held by the next one alone. */
static belay_ctx *make_chain(size_t depth)
{
	static const belay_key key = {.name = "key"};
	belay_ctx *tip = belay_with_cancel(belay_background());

	for (size_t i = 1; i < depth; i++) {
		belay_ctx *next = i % 4 ? belay_with_cancel(tip)
					: belay_with_value(tip, &key, NULL);

		belay_unref(tip);
		tip = next;
	}
	return tip;
}

static void *chain_life(void *arg)
{
	belay_ctx *top = belay_with_cancel(belay_background());
	belay_ctx *tip = belay_ref(top);
	size_t depth = *(size_t *)arg;
	belay_cause cause = {0};

	for (size_t i = 0; i < depth; i++) {
		belay_ctx *next = belay_with_cancel(tip);

		belay_unref(tip);
		tip = next;
	}
	check(belay_err(tip) == 0);
	check(belay_cancel(top));
	check(belay_err(tip) == -ECANCELED);
	check(belay_cause_of(tip, &cause) == 0);
	check(cause.levels_up == depth);
	belay_end(top);
	belay_end(tip);
	return NULL;
}

/* semantics 1.11 */
static void a_chain_a_million_deep_is_cancelled_and_freed_without_recursion(void **state)
{
	size_t depth = scaled(MILLION), before = belay_tree_count();

	run_on_small_stack(chain_life, &depth);
	assert_int_equal(belay_tree_count(), before);
}

static void *drop_chain(void *tip)
{
	belay_unref(tip);
	return NULL;
}

/* semantics 1.11 */
static void a_live_chain_a_million_deep_is_freed_without_recursion(void **state)
{
	size_t depth = scaled(MILLION), before = belay_tree_count();
	belay_ctx *tip = make_chain(depth);

	assert_int_equal(belay_tree_count(), before + depth);
	run_on_small_stack(drop_chain, tip);
	assert_int_equal(belay_tree_count(), before);
}

/* semantics 1.11 */
static void a_parent_with_a_million_children_is_cancelled_and_freed(void **state)
{
	size_t n = scaled(MILLION);
	belay_ctx **child = make_array(n), *parent = belay_with_cancel(belay_background());

	for (size_t i = 0; i < n; i++)
		child[i] = i % 8 ? belay_with_cancel(parent)
				 : belay_with_timeout(parent, BELAY_S(3600) + (int64_t)i);
	assert_true(belay_cancel(parent));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(belay_err(child[i]), -ECANCELED);
	for (size_t i = 0; i < n; i++)
		belay_end(child[i]);
	belay_end(parent);
	free(child);
}

static void *merge_chain_life(void *arg)
{
	belay_ctx *top = belay_with_cancel(belay_background());
	belay_ctx *other = belay_with_cancel(belay_background());
	belay_ctx *tip = belay_ref(top);
	size_t depth = *(size_t *)arg;

	for (size_t i = 0; i < depth; i++) {
		belay_ctx *next = i % 2 ? belay_with_merge(tip, other)
					: belay_with_merge(other, tip);

		belay_unref(tip);
		tip = next;
	}
	check(belay_cancel(top));
	check(belay_err(tip) == -ECANCELED);
	check(belay_err(other) == 0);
	belay_end(top);
	belay_end(tip);
	belay_end(other);
	return NULL;
}

/* semantics 1.11, 1.45 */
static void a_deep_chain_of_merges_is_cancelled_and_freed_without_recursion(void **state)
{
	size_t depth = scaled(4000), before = belay_tree_count();

	run_on_small_stack(merge_chain_life, &depth);
	assert_int_equal(belay_tree_count(), before);
}

static void *cancel_on_a_thread(void *ctx)
{
	belay_cancel(ctx);
	return NULL;
}

/* semantics 1.11, 1.45 */
static void two_parents_of_many_merges_are_cancelled_at_once(void **state)
{
	size_t n = scaled(MILLION / 10);
	belay_ctx **merge = make_array(n), *first = belay_with_cancel(belay_background());
	belay_ctx *second = belay_with_cancel(belay_background());
	pthread_t thread;

	for (size_t i = 0; i < n; i++)
		merge[i] = i % 2 ? belay_with_merge(first, second)
				 : belay_with_merge(second, i ? merge[i - 1] : first);
	assert_int_equal(pthread_create(&thread, NULL, cancel_on_a_thread, second), 0);
	belay_cancel(first);
	pthread_join(thread, NULL);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(belay_err(merge[i]), -ECANCELED);
	for (size_t i = 0; i < n; i++)
		belay_end(merge[i]);
	belay_end(second);
	belay_end(first);
	free(merge);
}

/* ---- Others go on while the walk is under way ------------------------------------------------ */

/* A hook on one of the children holds the walk until the other thread has come through. It blocks,
 * which a hook must not do, to stand for a walk that takes very long. */
struct walk {
	belay_ctx *parent;
	belay_ctx **child;
	size_t n;
	struct belay_hook hook;
	atomic_bool held, passed, cancelled;
};

static void hold_walk(struct belay_hook *hook)
{
	struct walk *walk = (struct walk *)((char *)hook - offsetof(struct walk, hook));

	atomic_store(&walk->held, true);
	check(check_until(atomic_load(&walk->passed)));
}

static void *cancel_parent(void *arg)
{
	struct walk *walk = arg;

	belay_cancel_cause(walk->parent, 12, "all of them");
	atomic_store(&walk->cancelled, true);
	return NULL;
}

static void walk_init(struct walk *walk, size_t n)
{
	*walk = (struct walk){.parent = check_live(belay_with_cancel(belay_background())), .n = n};
	walk->child = make_array(n);
	for (size_t i = 0; i < n; i++)
		walk->child[i] = check_live(belay_with_cancel(walk->parent));
}

static void walk_fini(struct walk *walk)
{
	for (size_t i = 0; i < walk->n; i++)
		belay_end(walk->child[i]);
	belay_end(walk->parent);
	free(walk->child);
}

/* semantics 1.12 */
static void deriving_and_ending_a_child_pass_a_walk_that_stands_still(void **state)
{
	size_t n = scaled(MILLION);

	for (int where = 0; where < 3; where++) {
		size_t hooked = where * (n - 1) / 2;
		struct walk walk;
		belay_ctx *late;
		pthread_t thread;

		walk_init(&walk, n);
		assert_true(belay_hook_add(walk.child[hooked], &walk.hook, hold_walk));
		assert_int_equal(pthread_create(&thread, NULL, cancel_parent, &walk), 0);
		assert_true(check_until(atomic_load(&walk.held)));
		late = check_live(belay_with_cancel(walk.parent));
		assert_int_equal(belay_err(late), -ECANCELED);
		belay_end(late);
		for (size_t i = 0; i < 100; i++) {
			size_t victim = (hooked + 1 + i * 7919) % n;

			if (victim == hooked)
				continue;
			belay_end(walk.child[victim]);
			walk.child[victim] = NULL;
		}
		assert_false(atomic_load(&walk.cancelled));
		atomic_store(&walk.passed, true);
		pthread_join(thread, NULL);
		for (size_t i = 0; i < n; i++)
			if (walk.child[i])
				assert_int_equal(belay_err(walk.child[i]), -ECANCELED);
		walk_fini(&walk);
	}
}

/* semantics 1.4 */
static void a_cancel_that_comes_second_also_returns_only_when_all_are_done(void **state)
{
	struct walk walk;
	pthread_t thread;

	walk_init(&walk, scaled(10000));
	assert_true(belay_hook_add(walk.child[0], &walk.hook, hold_walk));
	assert_int_equal(pthread_create(&thread, NULL, cancel_parent, &walk), 0);
	assert_true(check_until(atomic_load(&walk.held)));
	assert_false(belay_cancel(walk.parent));
	for (size_t i = 0; i < walk.n; i++)
		assert_int_equal(belay_err(walk.child[i]), -ECANCELED);
	assert_false(atomic_load(&walk.cancelled));
	atomic_store(&walk.passed, true);
	pthread_join(thread, NULL);
	walk_fini(&walk);
}

/* How often this thread got through while the walk was under way. */
static unsigned pass_while_walking(struct walk *walk)
{
	unsigned passed = 0;

	while (belay_err(walk->parent) == 0)
		;
	for (size_t i = walk->n; i-- && !atomic_load(&walk->cancelled); passed++) {
		belay_ctx *late = belay_with_cancel(walk->parent);

		assert_int_equal(belay_err(late), -ECANCELED);
		belay_end(late);
		belay_end(walk->child[i]);
		walk->child[i] = NULL;
	}
	return passed;
}

/* semantics 1.12
 *
 * Were the walk one critical section, this thread would come through once, at its end. The
 * scheduler may keep it from running beside a walk; hence several tries. */
static void deriving_and_ending_a_child_do_not_wait_for_the_whole_walk(void **state)
{
	enum { TRIES = 200, ENOUGH = 10 };
	unsigned most = 0;

	if (scale_is_serial())
		skip();
	for (int i = 0; i < TRIES && most < ENOUGH; i++) {
		struct walk walk;
		pthread_t thread;
		unsigned passed;

		walk_init(&walk, scaled(MILLION));
		assert_int_equal(pthread_create(&thread, NULL, cancel_parent, &walk), 0);
		passed = pass_while_walking(&walk);
		pthread_join(thread, NULL);
		most = passed > most ? passed : most;
		walk_fini(&walk);
	}
	assert_true(most >= ENOUGH);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(a_chain_a_million_deep_is_cancelled_and_freed_without_recursion),
	cmocka_unit_test(a_live_chain_a_million_deep_is_freed_without_recursion),
	cmocka_unit_test(a_parent_with_a_million_children_is_cancelled_and_freed),
	cmocka_unit_test(a_deep_chain_of_merges_is_cancelled_and_freed_without_recursion),
	cmocka_unit_test(two_parents_of_many_merges_are_cancelled_at_once),
	cmocka_unit_test(a_cancel_that_comes_second_also_returns_only_when_all_are_done),
	cmocka_unit_test(deriving_and_ending_a_child_pass_a_walk_that_stands_still),
	cmocka_unit_test(deriving_and_ending_a_child_do_not_wait_for_the_whole_walk))
