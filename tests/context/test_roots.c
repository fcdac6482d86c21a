/* SPDX-License-Identifier: MIT
 *
 * test_roots.c - background and todo: never done, nothing in them, never counted.
 */
#include "check.h"

#include <belay.h>
#include <errno.h>

static const belay_key key = {.name = "key"};

static void check_never_done(belay_ctx *root)
{
	int64_t when = 17;

	assert_int_equal(belay_err(root), 0);
	assert_false(belay_deadline(root, &when));
	assert_int_equal(when, 17);
	assert_false(belay_deadline(root, NULL));
	assert_null(belay_value(root, &key));
	assert_null(belay_done(root));
}

/* semantics 1.1 */
static void background_is_never_done_and_holds_nothing(void **state)
{
	check_never_done(belay_background());
}

/* semantics 1.1 */
static void todo_is_never_done_and_holds_nothing(void **state)
{
	check_never_done(belay_todo());
}

/* semantics 1.1 */
static void roots_format_as_their_names(void **state)
{
	char text[32];

	assert_int_equal(belay_format(belay_background(), text, sizeof text), 10);
	assert_string_equal(text, "background");
	assert_int_equal(belay_format(belay_todo(), text, sizeof text), 4);
	assert_string_equal(text, "todo");
}

static void each_root_is_the_same_every_time(void **state)
{
	assert_non_null(belay_background());
	assert_non_null(belay_todo());
	assert_ptr_equal(belay_background(), belay_background());
	assert_ptr_equal(belay_todo(), belay_todo());
	assert_ptr_not_equal(belay_background(), belay_todo());
}

static void a_root_cannot_be_cancelled(void **state)
{
	assert_false(belay_cancel(belay_background()));
	assert_false(belay_cancel_cause(belay_todo(), 7, "no"));
	check_never_done(belay_background());
	check_never_done(belay_todo());
}

static void references_to_a_root_are_not_counted(void **state)
{
	belay_ctx *root = belay_background();

	assert_ptr_equal(belay_ref(root), root);
	belay_unref(root);
	belay_unref(root);
	belay_end(belay_background());
	belay_end(belay_todo());
	check_never_done(root);
	check_never_done(belay_todo());
}

static void deriving_from_a_root_leaves_it_live(void **state)
{
	belay_ctx *child = belay_with_cancel(belay_todo());

	belay_end(child);
	check_never_done(belay_todo());
}

static void a_null_context_answers_with_an_error(void **state)
{
	belay_cause cause;

	assert_int_equal(belay_err(NULL), -EINVAL);
	assert_int_equal(belay_cause_of(NULL, &cause), -EINVAL);
	belay_end(NULL);
	belay_unref(NULL);
	assert_null(belay_ref(NULL));
}

static void roots_are_not_counted_among_the_living(void **state)
{
	size_t before = belay_tree_count();
	belay_ctx *child = belay_with_cancel(belay_background());

	assert_int_equal(belay_tree_count(), before + 1);
	belay_end(child);
	assert_int_equal(belay_tree_count(), before);
}

BELAY_TEST_MAIN(cmocka_unit_test(background_is_never_done_and_holds_nothing),
		cmocka_unit_test(todo_is_never_done_and_holds_nothing),
		cmocka_unit_test(roots_format_as_their_names),
		cmocka_unit_test(each_root_is_the_same_every_time),
		cmocka_unit_test(a_root_cannot_be_cancelled),
		cmocka_unit_test(references_to_a_root_are_not_counted),
		cmocka_unit_test(deriving_from_a_root_leaves_it_live),
		cmocka_unit_test(a_null_context_answers_with_an_error),
		cmocka_unit_test(roots_are_not_counted_among_the_living))
