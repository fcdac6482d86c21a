/* SPDX-License-Identifier: MIT
 *
 * test_cause.c - why a context is done, and who said so.
 */
#include "check.h"

#include <belay.h>
#include <errno.h>
#include <string.h>

static const belay_key key = {.name = "key"};

static belay_cause cause_of(belay_ctx *ctx)
{
	belay_cause cause;

	memset(&cause, 0xee, sizeof cause);
	assert_int_equal(belay_cause_of(ctx, &cause), 0);
	assert_non_null(cause.message);
	return cause;
}

static void assert_no_cause(belay_ctx *ctx)
{
	belay_cause cause, untouched;

	memset(&cause, 0xee, sizeof cause);
	memset(&untouched, 0xee, sizeof untouched);
	assert_int_equal(belay_cause_of(ctx, &cause), -EAGAIN);
	assert_memory_equal(&cause, &untouched, sizeof cause);
}

/* semantics 1.27 */
static void a_live_context_has_no_cause(void **state)
{
	belay_ctx *ctx = belay_with_timeout_cause(belay_background(), BELAY_S(3600), 1, "late");
	belay_ctx *value = belay_with_value(ctx, &key, NULL);

	assert_no_cause(ctx);
	assert_no_cause(value);
	belay_end(value);
	belay_end(ctx);
}

/* semantics 1.27 */
static void a_root_never_has_a_cause(void **state)
{
	assert_no_cause(belay_background());
	assert_no_cause(belay_todo());
}

/* semantics 1.28 */
static void a_plain_cancel_has_the_code_ecanceled(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	belay_cancel(ctx);
	assert_int_equal(cause_of(ctx).code, -ECANCELED);
	assert_string_equal(cause_of(ctx).message, belay_strerror(-ECANCELED));
	belay_end(ctx);
}

/* semantics 1.28 */
static void a_cancel_with_a_cause_keeps_its_code_and_message(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	assert_true(belay_cancel_cause(ctx, -4711, "disk %s is %d%% full", "sda", 97));
	assert_int_equal(belay_err(ctx), -ECANCELED);
	assert_int_equal(cause_of(ctx).code, -4711);
	assert_string_equal(cause_of(ctx).message, "disk sda is 97% full");
	belay_end(ctx);
}

/* semantics 1.28 */
static void a_code_of_zero_is_kept_as_given(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	assert_true(belay_cancel_cause(ctx, 0, "nothing to be done"));
	assert_int_equal(belay_err(ctx), -ECANCELED);
	assert_int_equal(cause_of(ctx).code, 0);
	belay_end(ctx);
}

static void a_cause_without_a_format_has_the_default_message(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	assert_true(belay_cancel_cause(ctx, 8, NULL));
	assert_int_equal(cause_of(ctx).code, 8);
	assert_string_equal(cause_of(ctx).message, belay_strerror(-ECANCELED));
	belay_end(ctx);
}

static void keep_message_of(int length)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	assert_true(belay_cancel_cause(ctx, 1, "%0*d", length, 7));
	assert_int_equal(strlen(cause_of(ctx).message), length);
	assert_string_equal(cause_of(ctx).message + length - 2, "07");
	belay_end(ctx);
}

static void a_message_of_any_length_is_kept_whole(void **state)
{
	for (int length = 2; length < 300; length++)
		keep_message_of(length);
	keep_message_of(5000);
}

static void a_message_is_copied_from_the_caller(void **state)
{
	char text[] = "mine";
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_ctx *late = belay_with_timeout_cause(belay_background(), BELAY_MS(1), 1, text);

	belay_cancel_cause(ctx, 1, "%s", text);
	strcpy(text, "gone");
	assert_int_equal(belay_wait(late), -ETIME);
	assert_string_equal(cause_of(ctx).message, "mine");
	assert_string_equal(cause_of(late).message, "mine");
	belay_end(late);
	belay_end(ctx);
}

static void a_message_lives_as_long_as_a_descendant_that_shows_it(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *child = belay_with_cancel(parent);
	belay_cause cause;

	belay_cancel_cause(parent, 1, "%s", "remembered");
	cause = cause_of(child);
	belay_end(parent);
	assert_string_equal(cause.message, "remembered");
	belay_end(child);
}

/* semantics 1.29 */
static void a_child_has_the_cause_of_a_parent_that_ended_first(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *child = belay_with_cancel(parent);

	assert_true(belay_cancel_cause(parent, 1, "parent"));
	assert_false(belay_cancel_cause(child, 2, "child"));
	assert_int_equal(cause_of(parent).code, 1);
	assert_int_equal(cause_of(child).code, 1);
	assert_string_equal(cause_of(child).message, "parent");
	belay_end(child);
	belay_end(parent);
}

/* semantics 1.29 */
static void a_child_that_ended_first_keeps_its_own_cause(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *child = belay_with_cancel(parent);

	assert_true(belay_cancel_cause(child, 2, "child"));
	assert_no_cause(parent);
	assert_true(belay_cancel_cause(parent, 1, "parent"));
	assert_int_equal(cause_of(parent).code, 1);
	assert_string_equal(cause_of(parent).message, "parent");
	assert_int_equal(cause_of(child).code, 2);
	assert_string_equal(cause_of(child).message, "child");
	belay_end(child);
	belay_end(parent);
}

/* semantics 1.30 */
static void a_deadline_with_a_cause_expires_with_etime_and_that_cause(void **state)
{
	belay_ctx *timed = belay_with_timeout_cause(belay_background(), BELAY_MS(1), 61, "slow");
	belay_ctx *dated = belay_with_deadline_cause(belay_background(),
						     belay_now() + BELAY_MS(1), 62, "slower");
	belay_ctx *past = belay_with_deadline_cause(belay_background(), 1, 63, "slowest");
	belay_ctx *child = belay_with_cancel(timed);

	assert_int_equal(belay_wait(timed), -ETIME);
	assert_int_equal(cause_of(timed).code, 61);
	assert_string_equal(cause_of(timed).message, "slow");
	assert_int_equal(belay_wait(dated), -ETIME);
	assert_int_equal(cause_of(dated).code, 62);
	assert_int_equal(belay_err(past), -ETIME);
	assert_int_equal(cause_of(past).code, 63);
	assert_string_equal(cause_of(past).message, "slowest");
	assert_int_equal(belay_wait(child), -ETIME);
	assert_int_equal(cause_of(child).code, 61);
	belay_end(child);
	belay_end(past);
	belay_end(dated);
	belay_end(timed);
}

/* semantics 1.30 */
static void a_deadline_with_a_cause_cancelled_early_has_the_plain_cause(void **state)
{
	belay_ctx *ctx = belay_with_timeout_cause(belay_background(), BELAY_S(3600), 61, "slow");

	assert_true(belay_cancel(ctx));
	assert_int_equal(belay_err(ctx), -ECANCELED);
	assert_int_equal(cause_of(ctx).code, -ECANCELED);
	assert_string_equal(cause_of(ctx).message, belay_strerror(-ECANCELED));
	belay_end(ctx);
}

/* semantics 1.30 */
static void the_parents_earlier_deadline_gives_the_parents_cause(void **state)
{
	belay_ctx *parent = belay_with_timeout_cause(belay_background(), BELAY_MS(1), 71, "outer");
	belay_ctx *child = belay_with_timeout_cause(parent, BELAY_S(3600), 72, "inner");

	assert_int_equal(belay_wait(child), -ETIME);
	assert_int_equal(cause_of(child).code, 71);
	assert_string_equal(cause_of(child).message, "outer");
	belay_end(child);
	belay_end(parent);
}

static void a_deadline_cause_without_a_message_has_the_default_one(void **state)
{
	belay_ctx *ctx = belay_with_timeout_cause(belay_background(), 0, 5, NULL);

	assert_int_equal(cause_of(ctx).code, 5);
	assert_string_equal(cause_of(ctx).message, belay_strerror(-ETIME));
	belay_end(ctx);
}

static void a_plain_expiry_has_the_code_etime_and_no_place(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_MS(1));
	belay_cause cause;

	assert_int_equal(belay_wait(ctx), -ETIME);
	cause = cause_of(ctx);
	assert_int_equal(cause.code, -ETIME);
	assert_string_equal(cause.message, belay_strerror(-ETIME));
	assert_null(cause.file);
	assert_null(cause.func);
	assert_int_equal(cause.levels_up, 0);
	belay_end(ctx);
}

/* semantics 1.31 */
static void the_cause_names_the_place_that_cancelled(void **state)
{
	belay_ctx *plain = check_live(belay_with_cancel(belay_background()));
	belay_ctx *caused = check_live(belay_with_cancel(belay_background()));
	int plain_line, caused_line;

	plain_line = __LINE__ + 1;
	belay_cancel(plain);
	caused_line = __LINE__ + 1;
	belay_cancel_cause(caused, 1, "why");
	assert_string_equal(cause_of(plain).file, __FILE__);
	assert_string_equal(cause_of(plain).func, __func__);
	assert_int_equal(cause_of(plain).line, plain_line);
	assert_string_equal(cause_of(caused).file, __FILE__);
	assert_string_equal(cause_of(caused).func, __func__);
	assert_int_equal(cause_of(caused).line, caused_line);
	belay_end(caused);
	belay_end(plain);
}

/* semantics 1.31 */
static void the_cause_names_the_place_that_ended(void **state)
{
	belay_ctx *parent = check_live(belay_with_cancel(belay_background()));
	belay_ctx *child = check_live(belay_with_cancel(parent));
	int line = __LINE__ + 1;
	belay_end(parent);

	assert_string_equal(cause_of(child).file, __FILE__);
	assert_string_equal(cause_of(child).func, __func__);
	assert_int_equal(cause_of(child).line, line);
	belay_end(child);
}

/* semantics 1.31 */
static void the_cause_counts_the_levels_up_to_the_one_that_ended(void **state)
{
	enum { DEPTH = 5 };
	belay_ctx *chain[DEPTH];

	chain[0] = belay_with_cancel(belay_background());
	for (int i = 1; i < DEPTH; i++)
		chain[i] = belay_with_cancel(chain[i - 1]);
	belay_cancel(chain[1]);
	assert_no_cause(chain[0]);
	for (int i = 1; i < DEPTH; i++)
		assert_int_equal(cause_of(chain[i]).levels_up, i - 1);
	for (int i = DEPTH; i--;)
		belay_end(chain[i]);
}

/* semantics 1.31 */
static void levels_count_values_like_any_other_parent(void **state)
{
	belay_ctx *top = belay_with_cancel(belay_background());
	belay_ctx *value = belay_with_value(top, &key, NULL);
	belay_ctx *child = belay_with_cancel(value);

	belay_cancel(top);
	assert_int_equal(cause_of(top).levels_up, 0);
	assert_int_equal(cause_of(value).levels_up, 1);
	assert_int_equal(cause_of(child).levels_up, 2);
	belay_end(child);
	belay_end(value);
	belay_end(top);
}

/* semantics 1.31 */
static void a_child_made_of_a_done_parent_counts_the_levels_too(void **state)
{
	belay_ctx *top = belay_with_cancel(belay_background());
	belay_ctx *child, *grandchild;

	belay_cancel(top);
	child = belay_with_cancel(top);
	grandchild = belay_with_cancel(child);
	assert_int_equal(cause_of(child).levels_up, 1);
	assert_int_equal(cause_of(grandchild).levels_up, 2);
	belay_end(grandchild);
	belay_end(child);
	belay_end(top);
}

/* semantics 1.31 */
static void a_place_can_be_given_for_the_caller(void **state)
{
	static const struct belay_site site = {"their.c", "their_function", 4};
	belay_ctx *ctx = belay_with_cancel_at(belay_background(), NULL);
	belay_ctx *other = belay_with_cancel_at(belay_background(), &site);

	assert_true(belay_cancel_cause_at(ctx, 9, &site, "for %s", "them"));
	assert_string_equal(cause_of(ctx).file, "their.c");
	assert_string_equal(cause_of(ctx).func, "their_function");
	assert_int_equal(cause_of(ctx).line, 4);
	assert_string_equal(cause_of(ctx).message, "for them");
	assert_true(belay_cancel_at(other, NULL));
	assert_null(cause_of(other).file);
	belay_end(other);
	belay_end(ctx);
}

static void errors_of_belays_have_their_own_texts(void **state)
{
	assert_string_equal(belay_strerror(-ECANCELED), "context canceled");
	assert_string_equal(belay_strerror(-ETIME), "context deadline exceeded");
	assert_string_equal(belay_strerror(-ENOENT), strerror(ENOENT));
	assert_string_equal(belay_strerror(ENOENT), strerror(ENOENT));
	assert_string_equal(belay_strerror(0), strerror(0));
	assert_non_null(belay_strerror(-123456));
	assert_non_null(belay_strerror(INT32_MIN));
}

BELAY_TEST_MAIN(cmocka_unit_test(a_live_context_has_no_cause),
		cmocka_unit_test(a_root_never_has_a_cause),
		cmocka_unit_test(a_plain_cancel_has_the_code_ecanceled),
		cmocka_unit_test(a_cancel_with_a_cause_keeps_its_code_and_message),
		cmocka_unit_test(a_code_of_zero_is_kept_as_given),
		cmocka_unit_test(a_cause_without_a_format_has_the_default_message),
		cmocka_unit_test(a_message_of_any_length_is_kept_whole),
		cmocka_unit_test(a_message_is_copied_from_the_caller),
		cmocka_unit_test(a_message_lives_as_long_as_a_descendant_that_shows_it),
		cmocka_unit_test(a_child_has_the_cause_of_a_parent_that_ended_first),
		cmocka_unit_test(a_child_that_ended_first_keeps_its_own_cause),
		cmocka_unit_test(a_deadline_with_a_cause_expires_with_etime_and_that_cause),
		cmocka_unit_test(a_deadline_with_a_cause_cancelled_early_has_the_plain_cause),
		cmocka_unit_test(the_parents_earlier_deadline_gives_the_parents_cause),
		cmocka_unit_test(a_deadline_cause_without_a_message_has_the_default_one),
		cmocka_unit_test(a_plain_expiry_has_the_code_etime_and_no_place),
		cmocka_unit_test(the_cause_names_the_place_that_cancelled),
		cmocka_unit_test(the_cause_names_the_place_that_ended),
		cmocka_unit_test(the_cause_counts_the_levels_up_to_the_one_that_ended),
		cmocka_unit_test(levels_count_values_like_any_other_parent),
		cmocka_unit_test(a_child_made_of_a_done_parent_counts_the_levels_too),
		cmocka_unit_test(a_place_can_be_given_for_the_caller),
		cmocka_unit_test(errors_of_belays_have_their_own_texts))
