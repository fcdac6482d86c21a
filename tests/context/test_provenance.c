/* SPDX-License-Identifier: MIT
 *
 * test_provenance.c - who ended it, and from where: for every way in which a context can end.
 *
 * semantics 1.31. An end that the program ordered names the program's line. One that it did not
 * order (a deadline, a signal, a peer that left) has no line, and a message that says what
 * happened; never a line of Belay's own.
 */
#include "check.h"
#include "fuse.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HERE __FILE__, __func__, __LINE__

static const belay_key key = {.name = "key"};

static belay_cause cause_of(const belay_ctx *ctx)
{
	belay_cause cause = {.message = NULL};

	assert_int_equal(belay_cause_of(ctx, &cause), 0);
	return cause;
}

static void assert_placed(const belay_ctx *ctx, unsigned levels_up, const char *file,
			  const char *func, int line)
{
	belay_cause cause = cause_of(ctx);

	assert_int_equal(cause.levels_up, levels_up);
	assert_non_null(cause.file);
	assert_string_equal(cause.file, file);
	assert_string_equal(cause.func, func);
	assert_int_equal(cause.line, line);
}

static void assert_placeless(const belay_ctx *ctx, unsigned levels_up, int code,
			     const char *message)
{
	belay_cause cause = cause_of(ctx);

	assert_int_equal(cause.levels_up, levels_up);
	assert_null(cause.file);
	assert_null(cause.func);
	assert_int_equal(cause.line, 0);
	assert_int_equal(cause.code, code);
	assert_string_equal(cause.message, message);
}

static void a_cancel_is_placed_where_it_stands(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	belay_cancel(ctx), assert_placed(ctx, 0, HERE);
	belay_end(ctx);
}

static void a_cancel_with_a_cause_is_placed_where_it_stands(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	belay_cancel_cause(ctx, 7, "%d", 7), assert_placed(ctx, 0, HERE);
	belay_end(ctx);
}

static void a_cancel_over_several_lines_is_placed_at_one_of_them(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	int first = __LINE__ + 1;
	belay_cancel_cause(ctx, 7, "%s %d",
			   "several lines",
			   7);

	assert_in_range(cause_of(ctx).line, first, first + 2);
	belay_end(ctx);
}

static void an_end_is_placed_where_it_stands(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_ctx *mine = belay_ref(ctx);

	belay_end(ctx), assert_placed(mine, 0, HERE);
	belay_unref(mine);
}

static int line_of_helper;

static void helper(belay_ctx *ctx)
{
	line_of_helper = __LINE__ + 1;
	belay_cancel(ctx);
}

static void a_helper_that_cancels_is_named_itself(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	helper(ctx);
	assert_placed(ctx, 0, __FILE__, "helper", line_of_helper);
	belay_end(ctx);
}

/* What BELAY_SCOPED ends is ended by the scope, which has no line. */
static void the_end_of_a_scope_has_no_place(void **state)
{
	belay_ctx *child;

	{
		BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());

		child = belay_with_cancel(ctx);
	}
	assert_placeless(child, 1, -ECANCELED, "context canceled");
	belay_end(child);
}

static void the_function_itself_has_no_place(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());

	assert_true((belay_cancel)(ctx));
	assert_placeless(ctx, 0, -ECANCELED, "context canceled");
	belay_end(ctx);
}

static void a_later_cancel_moves_nothing(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	int line;

	belay_cancel(ctx), line = __LINE__;
	belay_cancel_cause(ctx, 7, "later");
	assert_placed(ctx, 0, __FILE__, __func__, line);
	belay_end(ctx);
}

static void a_deadline_has_no_place(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_MS(1));
	belay_ctx *caused = belay_with_timeout_cause(belay_background(), BELAY_S(-1), 7,
						     "too slow");

	belay_wait(ctx);
	assert_placeless(ctx, 0, -ETIME, "context deadline exceeded");
	assert_placeless(caused, 0, 7, "too slow");
	belay_end(caused);
	belay_end(ctx);
}

static void a_cancel_before_the_deadline_is_placed(void **state)
{
	belay_ctx *ctx = belay_with_timeout_cause(belay_background(), BELAY_S(3600), 7, "slow");

	belay_cancel(ctx), assert_placed(ctx, 0, HERE);
	belay_end(ctx);
}

static void the_parents_place_is_the_childs_and_so_many_levels_up(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *value = belay_with_value(parent, &key, NULL);
	belay_ctx *child = belay_with_timeout(value, BELAY_S(3600));
	int line;

	belay_end(parent), line = __LINE__;
	assert_placed(value, 1, __FILE__, __func__, line);
	assert_placed(child, 2, __FILE__, __func__, line);
	belay_end(child);
	belay_end(value);
}

static void the_parents_deadline_is_so_many_levels_up(void **state)
{
	belay_ctx *parent = belay_with_timeout_cause(belay_background(), BELAY_MS(1), 7, "slow");
	belay_ctx *child = belay_with_timeout_cause(parent, BELAY_S(3600), 8, "slower");

	belay_wait(child);
	assert_placeless(child, 1, 7, "slow");
	belay_end(child);
	belay_end(parent);
}

static void a_child_of_a_done_parent_has_its_place(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background()), *child;
	int line;

	belay_cancel(parent), line = __LINE__;
	child = belay_with_cancel(parent);
	assert_placed(child, 1, __FILE__, __func__, line);
	belay_end(child);
	belay_end(parent);
}

static void a_merge_has_the_place_of_the_parent_that_ended(void **state)
{
	for (int which = 0; which < 2; which++) {
		belay_ctx *top = belay_with_cancel(belay_background());
		belay_ctx *parents[] = {belay_with_cancel(belay_background()),
					belay_with_value(top, &key, NULL)};
		belay_ctx *merge = belay_with_merge(parents[0], parents[1]);
		belay_ctx *child = belay_with_cancel(merge);
		int line;

		belay_cancel(which ? top : parents[0]), line = __LINE__;
		assert_placed(merge, which ? 2 : 1, __FILE__, __func__, line);
		assert_placed(child, which ? 3 : 2, __FILE__, __func__, line);
		belay_end(child);
		belay_end(merge);
		belay_end(parents[1]);
		belay_end(parents[0]);
		belay_end(top);
	}
}

static void a_merge_of_a_done_second_parent_has_its_place(void **state)
{
	belay_ctx *second = belay_with_cancel(belay_background()), *merge;
	int line;

	belay_cancel(second), line = __LINE__;
	merge = belay_with_merge(belay_background(), second);
	assert_placed(merge, 1, __FILE__, __func__, line);
	belay_end(merge);
	belay_end(second);
}

static void a_merge_that_ended_first_keeps_its_own_place(void **state)
{
	belay_ctx *second = belay_with_cancel(belay_background());
	belay_ctx *merge = belay_with_merge(belay_background(), second);
	int line;

	belay_cancel(merge), line = __LINE__;
	belay_cancel(second);
	assert_placed(merge, 0, __FILE__, __func__, line);
	belay_end(merge);
	belay_end(second);
}

static belay_ctx *derive_without_memory(belay_ctx *parent)
{
	belay_ctx *ctx;

	belay__fail_nth(1);
	ctx = belay_with_timeout_cause(parent, BELAY_S(3600), 7, "a message to copy");
	belay__fail_nth(0);
	return ctx;
}

static void a_derivation_without_memory_has_no_place(void **state)
{
	belay_ctx *started = belay_with_timeout(belay_background(), BELAY_S(3600));
	belay_ctx *ctx = derive_without_memory(belay_background());
	belay_ctx *child = belay_with_cancel(ctx);

	assert_int_equal(belay_err(ctx), -ENOMEM);
	assert_placeless(ctx, 0, -ENOMEM, strerror(ENOMEM));
	assert_placeless(child, 1, -ENOMEM, strerror(ENOMEM));
	belay_end(child);
	belay_end(ctx);
	belay_end(started);
}

static void a_derivation_from_null_has_no_place(void **state)
{
	belay_ctx *ctx = belay_with_cancel(NULL);

	assert_placeless(ctx, 0, -EINVAL, strerror(EINVAL));
	belay_end(ctx);
}

static void a_signal_has_no_place(void **state)
{
	belay_ctx *ctx = check_live(belay_with_signal(belay_background(), SIGUSR1, 0));
	belay_ctx *child = check_live(belay_with_cancel(ctx));

	raise(SIGUSR1);
	belay_wait(child);
	assert_placeless(ctx, 0, -EINTR, "SIGUSR1 received");
	assert_placeless(child, 1, -EINTR, "SIGUSR1 received");
	belay_end(child);
	belay_end(ctx);
}

static void a_peer_that_hangs_up_has_no_place(void **state)
{
	int fd[2];
	belay_conn *conn;
	belay_ctx *ctx;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(belay_conn_from_fd(fd[0], &conn), 0);
	ctx = belay_with_hangup(belay_background(), conn, -EPIPE, "the peer has left");
	close(fd[1]);
	belay_wait(ctx);
	assert_placeless(ctx, 0, -EPIPE, "the peer has left");
	belay_end(ctx);
	belay_conn_close(conn);
}

static int go_wrong(belay_ctx *ctx, void *arg)
{
	return -EIO;
}

static int succeed(belay_ctx *ctx, void *arg)
{
	return 0;
}

static void a_failed_task_ends_its_group_from_where_it_was_started(void **state)
{
	belay_group *group = belay_group_new(belay_background());
	belay_ctx *ctx = belay_ref(belay_group_ctx(group));
	belay_ctx *child = belay_with_cancel(ctx);
	int line;

	belay_group_go(group, go_wrong, NULL), line = __LINE__;
	assert_int_equal(belay_group_wait(group), -EIO);
	assert_placed(ctx, 0, __FILE__, __func__, line);
	assert_placed(child, 1, __FILE__, __func__, line);
	assert_int_equal(cause_of(child).code, -EIO);
	belay_end(child);
	belay_unref(ctx);
}

static void a_finished_group_has_no_place(void **state)
{
	belay_group *group = belay_group_new(belay_background());
	belay_ctx *child = belay_with_cancel(belay_group_ctx(group));

	belay_group_go(group, succeed, NULL);
	assert_int_equal(belay_group_wait(group), 0);
	assert_placeless(child, 1, -ECANCELED, "the group has finished");
	belay_end(child);
}

/* The arguments: where to leave a context, or NULL for the one who wins. */
static int race(belay_ctx *ctx, void *arg)
{
	belay_ctx **loser = arg;

	if (!loser)
		return 0;
	*loser = belay_ref(ctx);
	return belay_wait(ctx);
}

static void the_loser_of_a_race_is_placed_at_the_race(void **state)
{
	belay_ctx *loser = NULL;
	void *args[] = {&loser, NULL};
	int line;

	check_needs_memory(); /* for there to be a winner */
	belay_first(belay_background(), race, args, 2, 0), line = __LINE__;
	assert_non_null(loser);
	assert_placed(loser, 0, __FILE__, __func__, line);
	assert_string_equal(cause_of(loser).message, "a sibling won");
	belay_unref(loser);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_cancel_is_placed_where_it_stands),
		cmocka_unit_test(a_cancel_with_a_cause_is_placed_where_it_stands),
		cmocka_unit_test(a_cancel_over_several_lines_is_placed_at_one_of_them),
		cmocka_unit_test(an_end_is_placed_where_it_stands),
		cmocka_unit_test(a_helper_that_cancels_is_named_itself),
		cmocka_unit_test(the_end_of_a_scope_has_no_place),
		cmocka_unit_test(the_function_itself_has_no_place),
		cmocka_unit_test(a_later_cancel_moves_nothing),
		cmocka_unit_test(a_deadline_has_no_place),
		cmocka_unit_test(a_cancel_before_the_deadline_is_placed),
		cmocka_unit_test(the_parents_place_is_the_childs_and_so_many_levels_up),
		cmocka_unit_test(the_parents_deadline_is_so_many_levels_up),
		cmocka_unit_test(a_child_of_a_done_parent_has_its_place),
		cmocka_unit_test(a_merge_has_the_place_of_the_parent_that_ended),
		cmocka_unit_test(a_merge_of_a_done_second_parent_has_its_place),
		cmocka_unit_test(a_merge_that_ended_first_keeps_its_own_place),
		cmocka_unit_test(a_derivation_without_memory_has_no_place),
		cmocka_unit_test(a_derivation_from_null_has_no_place),
		cmocka_unit_test(a_signal_has_no_place),
		cmocka_unit_test(a_peer_that_hangs_up_has_no_place),
		cmocka_unit_test(a_failed_task_ends_its_group_from_where_it_was_started),
		cmocka_unit_test(a_finished_group_has_no_place),
		cmocka_unit_test(the_loser_of_a_race_is_placed_at_the_race))
