/* SPDX-License-Identifier: MIT
 *
 * test_registration.c - what hangs on which node, and is gone again when it should be.
 *
 * Seen from the inside, since from the outside a registration that is left over is only memory.
 */
#include "check.h"

#include "context/node.h"

#include <errno.h>

static const belay_key key = {.name = "key"};

static size_t length(const struct belay__list *ring)
{
	const struct belay__list *at = ring;
	size_t n = 0;

	if (!ring)
		return 0;
	do {
		n++;
		at = at->next;
	} while (at != ring);
	return n;
}

static size_t children(belay_ctx *ctx)
{
	struct node *node = node_of(ctx);
	size_t n = 0;

	for (unsigned i = 0; i < belay__branch_count(node); i++) {
		struct place *first = belay__branch_first(node, i);

		n += first ? length(&first->link) : 0;
	}
	return n;
}

static size_t hooks(belay_ctx *ctx)
{
	return length(node_of(ctx)->hooks);
}

static bool is_timed(belay_ctx *ctx)
{
	return ctx->kind == KIND_DEADLINE;
}

static bool is_armed(belay_ctx *ctx)
{
	struct deadline *deadline = belay__container(node_of(ctx), struct deadline, node);

	return is_timed(ctx) && belay__list_linked(&deadline->timer.entry.link);
}

static void do_nothing(void *arg)
{
}

static void hook_nothing(struct belay_hook *hook)
{
}

/* semantics 1.15 */
static void children_register_with_the_nearest_cancellable_ancestor(void **state)
{
	belay_ctx *top = check_live(belay_with_cancel(belay_background()));
	belay_ctx *value = check_live(belay_with_value(top, &key, NULL));
	belay_ctx *deeper = check_live(belay_with_value(value, &key, NULL));
	belay_ctx *child = check_live(belay_with_cancel(deeper));
	belay_ctx *timed = check_live(belay_with_timeout(value, BELAY_S(3600)));
	belay_ctx *grandchild = check_live(belay_with_cancel(child));

	assert_int_equal(children(top), 2);
	assert_int_equal(children(child), 1);
	assert_int_equal(children(timed), 0);
	belay_end(grandchild);
	belay_end(timed);
	belay_end(child);
	belay_end(deeper);
	belay_end(value);
	belay_end(top);
}

/* semantics 1.15 */
static void values_register_nowhere(void **state)
{
	belay_ctx *top = check_live(belay_with_cancel(belay_background()));
	belay_ctx *value = check_live(belay_with_value(top, &key, NULL));
	belay_ctx *without = check_live(belay_without_cancel(top));

	assert_int_equal(children(top), 0);
	assert_int_equal(hooks(top), 0);
	belay_end(without);
	belay_end(value);
	belay_end(top);
}

/* semantics 1.15 */
static void after_funcs_and_hooks_register_with_the_nearest_cancellable_ancestor(void **state)
{
	belay_ctx *top = belay_with_cancel(belay_background());
	belay_ctx *value = belay_with_value(top, &key, NULL);
	belay_after *after = belay_after_func(value, do_nothing, NULL);
	struct belay_hook hook;

	assert_int_equal(hooks(top), 1);
	assert_true(belay_hook_add(value, &hook, hook_nothing));
	assert_int_equal(hooks(top), 2);
	assert_true(belay_hook_remove(&hook));
	assert_true(belay_after_stop(after));
	assert_int_equal(hooks(top), 0);
	belay_end(value);
	belay_end(top);
}

/* semantics 1.15 */
static void a_merge_registers_with_both_parents(void **state)
{
	belay_ctx *first = check_live(belay_with_cancel(belay_background()));
	belay_ctx *second = check_live(belay_with_cancel(belay_background()));
	belay_ctx *merge = check_live(belay_with_merge(first, second));

	assert_int_equal(children(first), 1);
	assert_int_equal(children(second), 1);
	belay_end(merge);
	assert_int_equal(children(first), 0);
	assert_int_equal(children(second), 0);
	belay_end(second);
	belay_end(first);
}

/* semantics 1.16 */
static void a_merge_that_one_parent_has_ended_has_left_the_other(void **state)
{
	belay_ctx *first = check_live(belay_with_cancel(belay_background()));
	belay_ctx *second = check_live(belay_with_cancel(belay_background()));
	belay_ctx *merges[] = {check_live(belay_with_merge(first, second)),
			       check_live(belay_with_merge(second, first))};

	belay_cancel(first);
	assert_int_equal(children(first), 0);
	assert_int_equal(children(second), 0);
	assert_int_equal(belay_err(second), 0);
	belay_end(merges[0]);
	belay_end(merges[1]);
	belay_end(second);
	belay_end(first);
}

/* semantics 1.16 */
static void a_merge_that_is_born_done_is_registered_nowhere(void **state)
{
	belay_ctx *live = belay_with_cancel(belay_background());
	belay_ctx *done = belay_with_timeout(belay_background(), 0);
	belay_ctx *merges[] = {belay_with_merge(live, done), belay_with_merge(done, live)};

	for (int i = 0; i < 2; i++)
		assert_int_equal(belay_err(merges[i]), -ETIME);
	assert_int_equal(children(live) + children(done), 0);
	for (int i = 0; i < 2; i++)
		belay_end(merges[i]);
	belay_end(done);
	belay_end(live);
}

/* semantics 1.16 */
static void after_the_parents_end_its_registrations_are_empty(void **state)
{
	belay_ctx *top = check_live(belay_with_cancel(belay_background()));
	belay_ctx *all[5];
	belay_after *after = check_made(belay_after_func(top, do_nothing, NULL));
	struct belay_hook hook;

	for (int i = 0; i < 5; i++)
		all[i] = i % 2 ? check_live(belay_with_cancel(i > 2 ? all[1] : top))
			       : check_live(belay_with_timeout(top, BELAY_S(3600)));
	assert_true(belay_hook_add(all[1], &hook, hook_nothing));
	belay_cancel(top);
	assert_int_equal(children(top) + hooks(top), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(children(all[i]) + hooks(all[i]), 0);
	assert_false(belay_hook_remove(&hook));
	assert_false(belay_after_stop(after));
	for (int i = 0; i < 5; i++)
		belay_end(all[i]);
	belay_end(top);
}

/* semantics 1.16 */
static void after_a_childs_end_exactly_that_one_is_gone(void **state)
{
	belay_ctx *top = check_live(belay_with_cancel(belay_background()));
	belay_ctx *first = check_live(belay_with_cancel(top));
	belay_ctx *second = check_live(belay_with_cancel(top));
	belay_ctx *third = check_live(belay_with_timeout(top, BELAY_S(3600)));

	belay_cancel(second);
	assert_int_equal(children(top), 2);
	assert_true(belay__list_linked(&node_of(first)->place.link));
	assert_true(belay__list_linked(&node_of(third)->place.link));
	assert_false(belay__list_linked(&node_of(second)->place.link));
	belay_end(third);
	assert_int_equal(children(top), 1);
	belay_unref(first);
	assert_int_equal(children(top), 0);
	belay_end(second);
	belay_end(top);
}

/* semantics 1.16 */
static void after_a_stop_exactly_that_after_func_is_gone(void **state)
{
	belay_ctx *top = belay_with_cancel(belay_background());
	belay_after *after[3];

	for (int i = 0; i < 3; i++)
		after[i] = belay_after_func(top, do_nothing, NULL);
	assert_int_equal(hooks(top), 3);
	for (int i = 0; i < 3; i++) {
		assert_true(belay_after_stop(after[i]));
		assert_int_equal(hooks(top), 2 - i);
	}
	belay_end(top);
}

/* semantics 1.20 */
static void a_deadline_later_than_the_parents_has_no_timer_of_its_own(void **state)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), BELAY_S(1000));
	belay_ctx *later = belay_with_timeout(parent, BELAY_S(2000));
	belay_ctx *earlier = belay_with_timeout(parent, BELAY_S(500));

	assert_true(is_armed(parent));
	assert_false(is_timed(later));
	assert_true(is_armed(earlier));
	belay_end(earlier);
	belay_end(later);
	belay_end(parent);
}

/* semantics 1.22 */
static void a_context_cancelled_before_its_deadline_has_no_timer_any_more(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_S(1000));
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *child = belay_with_timeout(parent, BELAY_S(1000));

	belay_cancel(ctx);
	assert_false(is_armed(ctx));
	belay_cancel(parent);
	assert_false(is_armed(child));
	belay_end(child);
	belay_end(parent);
	belay_end(ctx);
}

/* semantics 1.26 */
static void a_timeout_that_overflows_has_no_timer(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), INT64_MAX - 1);

	assert_false(is_timed(ctx));
	belay_end(ctx);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(children_register_with_the_nearest_cancellable_ancestor),
	cmocka_unit_test(values_register_nowhere),
	cmocka_unit_test(after_funcs_and_hooks_register_with_the_nearest_cancellable_ancestor),
	cmocka_unit_test(a_merge_registers_with_both_parents),
	cmocka_unit_test(a_merge_that_one_parent_has_ended_has_left_the_other),
	cmocka_unit_test(a_merge_that_is_born_done_is_registered_nowhere),
	cmocka_unit_test(after_the_parents_end_its_registrations_are_empty),
	cmocka_unit_test(after_a_childs_end_exactly_that_one_is_gone),
	cmocka_unit_test(after_a_stop_exactly_that_after_func_is_gone),
	cmocka_unit_test(a_deadline_later_than_the_parents_has_no_timer_of_its_own),
	cmocka_unit_test(a_context_cancelled_before_its_deadline_has_no_timer_any_more),
	cmocka_unit_test(a_timeout_that_overflows_has_no_timer))
