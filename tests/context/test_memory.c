/* SPDX-License-Identifier: MIT
 *
 * test_memory.c - memory and clean-up tied to a context.
 */
#include "check.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>

/* Deferred calls write their letter here, in the order in which they run. */
static char journal[64];

static void write_a(void *arg) { strcat(journal, "a"); }
static void write_b(void *arg) { strcat(journal, "b"); }
static void write_arg(void *arg) { strcat(journal, arg); }

static void memory_is_zeroed_and_aligned_for_any_type(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	for (size_t size = 0; size < 3000; size += 7) {
		unsigned char *block = belay_alloc(ctx, size);

		assert_non_null(block);
		assert_int_equal((uintptr_t)block % alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(block[i], 0);
		memset(block, 0xff, size);
	}
	belay_end(ctx);
}

static void blocks_do_not_overlap(void **state)
{
	enum { N = 200 };
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	unsigned char *block[N];

	for (int i = 0; i < N; i++) {
		block[i] = check_made(belay_alloc(ctx, (size_t)i + 1));
		memset(block[i], i, (size_t)i + 1);
	}
	for (int i = 0; i < N; i++)
		for (int j = 0; j <= i; j++)
			assert_int_equal(block[i][j], i);
	belay_end(ctx);
}

static void a_size_that_no_memory_can_hold_is_null(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	assert_null(belay_alloc(ctx, SIZE_MAX));
	assert_null(belay_alloc(ctx, SIZE_MAX - 15));
	assert_null(belay_alloc(ctx, SIZE_MAX / 2 + 1));
	belay_end(ctx);
}

static void strings_are_copied(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	char mine[] = "mine";
	char *copy = check_made(belay_strdup(ctx, mine));
	char *empty = check_made(belay_strdup(ctx, ""));
	char *made = check_made(belay_sprintf(ctx, "%s-%03d", mine, 7));
	char *longest = check_made(belay_sprintf(ctx, "%04000d", 1));

	strcpy(mine, "gone");
	assert_string_equal(copy, "mine");
	assert_string_equal(empty, "");
	assert_string_equal(made, "mine-007");
	assert_int_equal(strlen(longest), 4000);
	belay_end(ctx);
}

static void memory_lives_until_the_last_reference_goes(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	belay_ctx *child = check_live(belay_with_cancel(ctx));
	char *text = check_made(belay_strdup(ctx, "still here"));

	belay_end(ctx);
	assert_string_equal(text, "still here");
	belay_end(child);
}

static void memory_can_be_tied_to_a_done_context(void **state)
{
	belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), 0));

	assert_string_equal(check_made(belay_sprintf(ctx, "%d", 5)), "5");
	journal[0] = '\0';
	assert_int_equal(belay_defer(ctx, write_a, NULL), 0);
	belay_end(ctx);
	assert_string_equal(journal, "a");
}

static void every_kind_of_derived_context_can_hold_memory(void **state)
{
	static const belay_key key = {.name = "key"};
	belay_ctx *top = belay_with_cancel(belay_background());
	belay_ctx *all[] = {
		belay_with_timeout(top, BELAY_S(9)),
		belay_with_value(top, &key, NULL),
		belay_without_cancel(top),
		belay_with_merge(top, top),
	};

	journal[0] = '\0';
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		assert_non_null(belay_alloc(all[i], 100));
		assert_int_equal(belay_defer(all[i], write_a, NULL), 0);
		belay_end(all[i]);
	}
	belay_end(top);
	assert_string_equal(journal, "aaaa");
}

static void deferred_calls_run_last_in_first_out(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	journal[0] = '\0';
	assert_int_equal(belay_defer(ctx, write_a, NULL), 0);
	assert_int_equal(belay_defer(ctx, write_b, NULL), 0);
	assert_int_equal(belay_defer(ctx, write_arg, "c"), 0);
	belay_end(ctx);
	assert_string_equal(journal, "cba");
}

static void deferred_calls_wait_for_the_last_reference(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_ctx *held = belay_ref(ctx);

	journal[0] = '\0';
	assert_int_equal(belay_defer(ctx, write_a, NULL), 0);
	belay_end(ctx);
	assert_string_equal(journal, "");
	belay_unref(held);
	assert_string_equal(journal, "a");
}

static void a_deferred_call_still_finds_memory_tied_before_it(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	char *text = check_made(belay_strdup(ctx, "text"));

	journal[0] = '\0';
	assert_int_equal(belay_defer(ctx, write_arg, text), 0);
	belay_end(ctx);
	assert_string_equal(journal, "text");
}

static void write_value(void *value)
{
	strcat(journal, "v");
}

static void deferred_calls_run_before_the_value_is_destroyed(void **state)
{
	static const belay_key key = {.name = "key", .destroy = write_value};
	belay_ctx *ctx = belay_with_value(belay_background(), &key, &journal);

	journal[0] = '\0';
	assert_int_equal(belay_defer(ctx, write_a, NULL), 0);
	assert_non_null(belay_alloc(ctx, 10));
	assert_int_equal(belay_defer(ctx, write_b, NULL), 0);
	belay_end(ctx);
	assert_string_equal(journal, "bav");
}

static void a_parents_deferred_calls_run_after_its_childs(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *child = belay_with_cancel(parent);

	journal[0] = '\0';
	assert_int_equal(belay_defer(parent, write_a, NULL), 0);
	assert_int_equal(belay_defer(child, write_b, NULL), 0);
	belay_end(parent);
	assert_string_equal(journal, "");
	belay_end(child);
	assert_string_equal(journal, "ba");
}

struct family {
	belay_ctx *parent;
	const char *text; /* tied to the parent */
};

static void end_parent_then_write(void *arg)
{
	struct family *family = arg;

	belay_end(family->parent);
	strcat(journal, "e");
	strcat(journal, family->text);
}

static void a_child_keeps_its_parents_until_its_deferred_calls_have_run(void **state)
{
	static const belay_key key = {.name = "key"};

	for (int kind = 0; kind < 4; kind++) {
		belay_ctx *parent = check_live(belay_with_cancel(belay_background()));
		belay_ctx *other = check_live(belay_with_cancel(belay_background()));
		belay_ctx *child = kind == 0   ? check_live(belay_with_cancel(parent))
				   : kind == 1 ? check_live(belay_with_value(parent, &key, NULL))
				   : kind == 2 ? check_live(belay_with_merge(parent, other))
					       : check_live(belay_with_merge(other, parent));
		struct family family = {parent, check_made(belay_strdup(parent, "t"))};

		journal[0] = '\0';
		assert_int_equal(belay_defer(parent, write_a, NULL), 0);
		assert_int_equal(belay_defer(child, end_parent_then_write, &family), 0);
		belay_unref(child);
		assert_string_equal(journal, "eta");
		belay_end(other);
	}
}

static void end_other(void *other)
{
	belay_end(other);
	strcat(journal, "e");
}

static void a_deferred_call_may_end_another_context(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_ctx *other = belay_with_cancel(belay_background());

	journal[0] = '\0';
	assert_int_equal(belay_defer(other, write_a, NULL), 0);
	assert_int_equal(belay_defer(ctx, end_other, other), 0);
	belay_end(ctx);
	assert_string_equal(journal, "ae");
}

static const belay_key shown = {.name = "shown"};

/* As a clean-up does that takes time of its own, and tells others. */
static void use(void *arg)
{
	belay_ctx *ctx = arg;
	belay_ctx *clean = belay_without_cancel(ctx);
	belay_ctx *timed = belay_with_timeout(clean, BELAY_S(9));
	belay_ctx *value = belay_with_value(ctx, &shown, NULL);
	belay_ctx *child = belay_with_cancel(ctx);

	assert_int_equal(belay_err(timed), 0);
	assert_int_equal(belay_err(child), belay_err(ctx));
	belay_unref(belay_ref(ctx));
	belay_end(child);
	belay_end(value);
	belay_end(timed);
	belay_end(clean);
	strcat(journal, "u");
}

static void a_deferred_call_may_use_its_context(void **state)
{
	for (int kind = 0; kind < 5; kind++)
		for (int live = 0; live < 2; live++) {
			belay_ctx *top = check_live(belay_with_cancel(belay_background()));
			belay_ctx *ctx = kind == 0   ? belay_with_cancel(top)
					 : kind == 1 ? belay_with_timeout(top, BELAY_S(9))
					 : kind == 2 ? belay_with_value(top, &shown, NULL)
					 : kind == 3 ? belay_without_cancel(top)
						     : belay_with_merge(top, top);

			journal[0] = '\0';
			assert_int_equal(belay_defer(ctx, use, ctx), 0);
			assert_int_equal(belay_defer(ctx, write_a, NULL), 0);
			live ? belay_unref(ctx) : belay_end(ctx);
			assert_string_equal(journal, "au");
			belay_end(top);
		}
}

static belay_ctx *kept;

static void keep(void *arg)
{
	kept = belay_ref(arg);
	strcat(journal, "k");
}

static void a_deferred_call_may_keep_its_context(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	char *text = check_made(belay_strdup(ctx, "text"));
	belay_cause cause;

	journal[0] = '\0';
	assert_int_equal(belay_defer(ctx, keep, ctx), 0);
	belay_cancel_cause(ctx, 5, "a reason of %d words", 5);
	belay_end(ctx);
	assert_string_equal(journal, "k");
	assert_string_equal(text, "text");
	assert_int_equal(belay_cause_of(kept, &cause), 0);
	assert_string_equal(cause.message, "a reason of 5 words");
	assert_int_equal(belay_defer(kept, write_a, NULL), 0);
	belay_end(kept);
	assert_string_equal(journal, "ka");
}

static void defer_b(void *arg)
{
	strcat(journal, "d");
	assert_int_equal(belay_defer(arg, write_b, NULL), 0);
}

static void what_a_deferred_call_defers_runs_after_the_others(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	journal[0] = '\0';
	assert_int_equal(belay_defer(ctx, write_a, NULL), 0);
	assert_int_equal(belay_defer(ctx, defer_b, ctx), 0);
	belay_end(ctx);
	assert_string_equal(journal, "dab");
}

static void the_roots_hold_no_memory(void **state)
{
	belay_ctx *roots[] = {belay_background(), belay_todo()};

	for (int i = 0; i < 2; i++) {
		assert_null(belay_alloc(roots[i], 1));
		assert_null(belay_strdup(roots[i], "a"));
		assert_null(belay_sprintf(roots[i], "a"));
		assert_int_equal(belay_defer(roots[i], write_a, NULL), -EINVAL);
	}
}

static void null_arguments_are_refused(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	assert_null(belay_alloc(NULL, 1));
	assert_int_equal(belay_defer(NULL, write_a, NULL), -EINVAL);
	assert_int_equal(belay_defer(ctx, NULL, NULL), -EINVAL);
	belay_end(ctx);
}

BELAY_TEST_MAIN(cmocka_unit_test(memory_is_zeroed_and_aligned_for_any_type),
		cmocka_unit_test(blocks_do_not_overlap),
		cmocka_unit_test(a_size_that_no_memory_can_hold_is_null),
		cmocka_unit_test(strings_are_copied),
		cmocka_unit_test(memory_lives_until_the_last_reference_goes),
		cmocka_unit_test(memory_can_be_tied_to_a_done_context),
		cmocka_unit_test(every_kind_of_derived_context_can_hold_memory),
		cmocka_unit_test(deferred_calls_run_last_in_first_out),
		cmocka_unit_test(deferred_calls_wait_for_the_last_reference),
		cmocka_unit_test(a_deferred_call_still_finds_memory_tied_before_it),
		cmocka_unit_test(deferred_calls_run_before_the_value_is_destroyed),
		cmocka_unit_test(a_parents_deferred_calls_run_after_its_childs),
		cmocka_unit_test(a_child_keeps_its_parents_until_its_deferred_calls_have_run),
		cmocka_unit_test(a_deferred_call_may_end_another_context),
		cmocka_unit_test(a_deferred_call_may_use_its_context),
		cmocka_unit_test(a_deferred_call_may_keep_its_context),
		cmocka_unit_test(what_a_deferred_call_defers_runs_after_the_others),
		cmocka_unit_test(the_roots_hold_no_memory),
		cmocka_unit_test(null_arguments_are_refused))
