/* SPDX-License-Identifier: MIT
 *
 * test_oom.c - each allocation of every derivation and registration fails in turn: an error or a
 * context that is done with -ENOMEM, nothing leaked, nothing of the caller's lost.
 */
#include "check.h"

#include "check_oom.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

static const belay_key key = {.name = "key"};

/* A derived context under test is either right or done with -ENOMEM, whole in both cases. */
static bool is_whole(belay_ctx *ctx, int err)
{
	belay_cause cause = {0};
	int got = belay_err(ctx);

	if (got != -ENOMEM)
		return check(got == err);
	check(belay_cause_of(ctx, &cause) == 0);
	check(cause.code == -ENOMEM);
	check(cause.message != NULL);
	check(belay_wait(ctx) == -ENOMEM);
	check(!belay_cancel(ctx));
	check(belay_try_recv(belay_done(ctx), NULL) == -EPIPE);
	return false;
}

static void derive_every_kind(void *unused)
{
	belay_ctx *top = belay_with_cancel(belay_background());
	belay_ctx *timed = belay_with_timeout(top, BELAY_S(3600));
	belay_ctx *signed_off = belay_with_timeout_cause(top, BELAY_S(3600), 5, "late");
	belay_ctx *without = belay_without_cancel(top);
	belay_ctx *value = belay_with_value(without, &key, &unused);
	belay_ctx *merge = belay_with_merge(timed, top);

	is_whole(top, 0);
	is_whole(timed, 0);
	is_whole(signed_off, 0);
	is_whole(merge, 0);
	is_whole(without, 0);
	is_whole(value, 0);
	belay_end(merge);
	belay_end(value);
	belay_end(without);
	belay_end(signed_off);
	belay_end(timed);
	belay_end(top);
}

static void every_derivation_works_or_is_done_with_enomem(void **state)
{
	assert_true(check_each_allocation(derive_every_kind, NULL) > 0);
}

static void derive_from_the_done(void *unused)
{
	belay_ctx *done = belay_with_timeout_cause(belay_background(), 0, 8, "late");
	bool right = is_whole(done, -ETIME);
	int err = belay_err(done);
	belay_ctx *child = belay_with_cancel(done), *value = belay_with_value(done, &key, NULL);

	is_whole(child, err);
	is_whole(value, err);
	check(right || err == -ENOMEM);
	belay_end(value);
	belay_end(child);
	belay_end(done);
}

static void deriving_from_a_done_context_too(void **state)
{
	check_each_allocation(derive_from_the_done, NULL);
}

static void count_destroyed(void *value)
{
	++*(int *)value;
}

static const belay_key counted = {.name = "counted", .destroy = count_destroyed};

static void derive_value(void *unused)
{
	int destroyed = 0;
	belay_ctx *ctx = belay_with_value(belay_background(), &counted, &destroyed);

	if (belay_err(ctx) == 0) {
		check(destroyed == 0);
		check(belay_value(ctx, &counted) == &destroyed);
	} else {
		is_whole(ctx, -ENOMEM);
		check(destroyed == 1);
		check(belay_value(ctx, &counted) == NULL);
	}
	belay_end(ctx);
	check(destroyed == 1);
}

/* semantics 1.38 */
static void a_value_is_destroyed_exactly_once_also_where_memory_runs_out(void **state)
{
	assert_true(check_each_allocation(derive_value, NULL) > 0);
}

static void cancel_with_long_cause(void *unused)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_cause cause = {0};

	if (is_whole(ctx, 0)) {
		check(belay_cancel_cause(ctx, 6, "%0300d", 1));
		check(belay_err(ctx) == -ECANCELED);
		check(belay_cause_of(ctx, &cause) == 0);
		check(cause.code == 6);
		check(cause.message != NULL && cause.message[0] != '\0');
	}
	belay_end(ctx);
}

static void cancelling_never_fails_for_want_of_memory(void **state)
{
	assert_true(check_each_allocation(cancel_with_long_cause, NULL) > 0);
}

/* Each step either works or leaves no trace. */
static void tie_memory(void *unused)
{
	static int deferred;
	belay_ctx *ctx = belay_with_cancel(belay_background());
	int expected, r;
	char *text;

	deferred = 0;
	if (is_whole(ctx, 0)) {
		void *block = belay_alloc(ctx, 5000);

		if (block)
			memset(block, 1, 5000);
		text = belay_strdup(ctx, "text");
		check(!text || strcmp(text, "text") == 0);
		text = belay_sprintf(ctx, "%0500d", 1);
		check(!text || strlen(text) == 500);
		r = belay_defer(ctx, count_destroyed, &deferred);
		check(r == 0 || r == -ENOMEM);
		expected = r == 0;
	} else {
		expected = 0;
	}
	belay_end(ctx);
	check(deferred == expected);
}

static void memory_tied_to_a_context_is_there_or_null(void **state)
{
	assert_true(check_each_allocation(tie_memory, NULL) > 0);
}

static void clean_up_tied_to_a_failed_context_runs_where_it_was_accepted(void **state)
{
	belay_ctx *ctx;
	int deferred = 0, r;

	belay__fail_nth(1);
	ctx = belay_with_cancel(belay_background());
	belay__fail_nth(0);
	assert_int_equal(belay_err(ctx), -ENOMEM);
	r = belay_defer(ctx, count_destroyed, &deferred);
	assert_true(r == 0 || r == -ENOMEM || r == -EINVAL);
	belay_end(ctx);
	assert_int_equal(deferred, r == 0);
}

/* A failed derivation is one static context, whose descriptor stays as long as the process: made
 * before any test counts. */
__attribute__((constructor)) static void make_descriptor_of_failed_context(void)
{
	belay_ctx *ctx;

	belay__fail_nth(1);
	ctx = belay_with_cancel(belay_background());
	belay__fail_nth(0);
	belay_done_fd(ctx);
	belay_end(ctx);
}

static void ask_for_descriptor(void *unused)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	int fd = belay_done_fd(ctx);

	if (fd >= 0) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		belay_cancel(ctx);
		check(poll(&p, 1, 0) == 1);
	} else {
		check(fd == -ENOMEM);
	}
	belay_end(ctx);
}

static void a_descriptor_is_there_or_enomem(void **state)
{
	assert_true(check_each_allocation(ask_for_descriptor, NULL) > 0);
}

static atomic_int ran;

static void note_run(void *unused)
{
	atomic_fetch_add(&ran, 1);
}

static void register_after_func(void *unused)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	atomic_store(&ran, 0);
	if (is_whole(ctx, 0)) {
		belay_after *after = belay_after_func(ctx, note_run, NULL);

		belay_cancel(ctx);
		if (after) {
			check(check_until(atomic_load(&ran) == 1));
			check(!belay_after_stop(after));
		}
	}
	belay_end(ctx);
	belay_shutdown();
	check(atomic_load(&ran) <= 1);
}

static void an_after_func_is_registered_or_null_and_never_fails_later(void **state)
{
	assert_true(check_each_allocation(register_after_func, NULL) > 0);
}

static void take_picture(void *unused)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	FILE *out = fopen("/dev/null", "w");
	int r;

	if (check(out != NULL)) {
		r = belay_tree(out);
		check(r == 0 || r == -ENOMEM);
		r = belay_tree_json(out);
		check(r == 0 || r == -ENOMEM);
		fclose(out);
	}
	belay_end(ctx);
}

static void a_picture_is_taken_or_enomem(void **state)
{
	assert_true(check_each_allocation(take_picture, NULL) > 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(every_derivation_works_or_is_done_with_enomem),
		cmocka_unit_test(deriving_from_a_done_context_too),
		cmocka_unit_test(a_value_is_destroyed_exactly_once_also_where_memory_runs_out),
		cmocka_unit_test(cancelling_never_fails_for_want_of_memory),
		cmocka_unit_test(memory_tied_to_a_context_is_there_or_null),
		cmocka_unit_test(clean_up_tied_to_a_failed_context_runs_where_it_was_accepted),
		cmocka_unit_test(a_descriptor_is_there_or_enomem),
		cmocka_unit_test(an_after_func_is_registered_or_null_and_never_fails_later),
		cmocka_unit_test(a_picture_is_taken_or_enomem))
