/* SPDX-License-Identifier: MIT
 *
 * test_readable.c - tasks that begin once a connection has something to read.
 */
#include "check_oom.h"
#include "readable_test.h"

#include <belay/conn_filter.h>

static size_t tasks(void)
{
	struct belay_numbers numbers;

	belay_stats(&numbers, sizeof numbers);
	return numbers.tasks;
}

/* ---- What it waits for ----------------------------------------------------------------------- */

static void write_later(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	struct begun begun = {.conn = pair->b};

	check(belay_go_when_readable(ctx, pair->b, begin, &begun) == 0);
	check(begun.count == 0);
	check(belay_conn_write(ctx, pair->a, "x", 1, NULL) == 0);
	check(has_begun(&begun) && begun.err == 0 && begun.got == 1 && begun.byte == 'x');
	close_pair(*pair);
}

static void it_begins_when_something_arrives(void **state)
{
	with_each_pair(write_later);
}

static void write_first(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	char read_before;

	check(belay_conn_write(ctx, pair->a, "abc", 3, NULL) == 0);
	check(belay_conn_read(ctx, pair->b, &read_before, 1) == 1);
	for (int i = 0; i < 2; i++) {
		struct begun begun = {.conn = pair->b};

		check(belay_go_when_readable(ctx, pair->b, begin, &begun) == 0);
		check(has_begun(&begun) && begun.err == 0 && begun.byte == "bc"[i]);
	}
	close_pair(*pair);
}

static void it_begins_at_once_where_something_is_there(void **state)
{
	with_each_pair(write_first);
}

static void peer_goes(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	struct begun begun = {.conn = pair->b}, again = {.conn = pair->b};

	check(belay_go_when_readable(ctx, pair->b, begin, &begun) == 0);
	belay_conn_close(pair->a);
	check(has_begun(&begun) && begun.err == 0 && begun.got == 0);
	check(belay_go_when_readable(ctx, pair->b, begin, &again) == 0);
	check(has_begun(&again) && again.err == 0 && again.got == 0);
	belay_conn_close(pair->b);
}

static void it_begins_when_the_peer_has_gone(void **state)
{
	with_each_pair(peer_goes);
}

static void ends(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	struct begun begun = {.conn = pair->b}, never = {.conn = pair->b};
	belay_ctx *ending = belay_with_cancel(ctx);

	check(belay_go_when_readable(ending, pair->b, begin, &begun) == 0);
	check(begun.count == 0);
	belay_cancel(ending);
	check(has_begun(&begun) && begun.err == -ECANCELED);
	check(belay_go_when_readable(ending, pair->b, begin, &never) == -ECANCELED);
	belay_end(ending);
	close_pair(*pair);
	check(never.count == 0);
}

static void it_begins_when_its_context_ends_and_not_under_one_that_has(void **state)
{
	with_each_pair(ends);
}

static void expires(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	struct begun begun = {.conn = pair->b};
	belay_ctx *timed = belay_with_timeout(ctx, BELAY_MS(50));

	check(belay_go_when_readable(timed, pair->b, begin, &begun) == 0);
	check(belay_wait(timed) == -ETIME);
	check(has_begun(&begun) && begun.err == -ETIME);
	belay_end(timed);
	close_pair(*pair);
}

static void it_begins_when_its_time_has_passed(void **state)
{
	with_each_pair(expires);
}

/* Nobody but the waiting one has a reference any more: the deadline is kept all the same. */
static void its_context_is_kept(void **state)
{
	struct pair pair = tcp_pair();
	struct begun begun = {.conn = pair.b};
	belay_ctx *timed = belay_with_timeout(belay_background(), BELAY_MS(50));

	assert_int_equal(belay_go_when_readable(timed, pair.b, begin, &begun), 0);
	belay_unref(timed);
	assert_true(has_begun(&begun));
	assert_int_equal(begun.err, -ETIME);
	close_pair(pair);
}

/* ---- What it costs until then ---------------------------------------------------------------- */

static void until_then_there_is_no_task(void **state)
{
	enum { MANY = 100 };
	struct pair pairs[MANY];
	struct begun begun[MANY] = {{0}};

	for (int i = 0; i < MANY; i++) {
		pairs[i] = unix_pair();
		begun[i].conn = pairs[i].b;
		assert_int_equal(belay_go_when_readable(belay_background(), pairs[i].b, begin,
							&begun[i]),
				 0);
	}
	assert_true(check_until(tasks() == 0));
	for (int i = 0; i < MANY; i++)
		assert_int_equal(belay_conn_write(belay_background(), pairs[i].a, "x", 1, NULL), 0);
	for (int i = 0; i < MANY; i++) {
		assert_true(has_begun(&begun[i]));
		close_pair(pairs[i]);
	}
}

/* ---- Beside others --------------------------------------------------------------------------- */

static void a_watch_for_the_peers_hang_up_goes_on_meanwhile(void **state)
{
	struct pair pair = tcp_pair();
	belay_ctx *hangup = belay_with_hangup(belay_background(), pair.b, -EPIPE, "gone");
	struct begun begun = {.conn = pair.b};

	assert_int_equal(belay_go_when_readable(hangup, pair.b, begin, &begun), 0);
	assert_int_equal(belay_err(hangup), 0);
	belay_conn_close(pair.a);
	assert_int_equal(belay_wait(hangup), -ECANCELED);
	assert_true(has_begun(&begun));
	belay_end(hangup);
	belay_conn_close(pair.b);
}

static void a_watch_that_is_over_is_no_hindrance(void **state)
{
	struct pair pair = tcp_pair();

	for (int i = 0; i < 3; i++) {
		struct begun begun = {.conn = pair.b};
		belay_ctx *hangup =
			belay_with_hangup(belay_background(), pair.b, -EPIPE, "gone");

		assert_int_equal(belay_err(hangup), 0);
		belay_end(hangup);
		assert_int_equal(belay_go_when_readable(belay_background(), pair.b, begin, &begun),
				 0);
		assert_int_equal(belay_conn_write(belay_background(), pair.a, "x", 1, NULL), 0);
		assert_true(has_begun(&begun));
	}
	close_pair(pair);
}

static void after_a_shutdown_its_context_still_starts_it(void **state)
{
	struct pair pair = tcp_pair();
	struct begun begun = {.conn = pair.b};
	belay_ctx *ending = belay_with_cancel(belay_background());

	assert_int_equal(belay_go_when_readable(ending, pair.b, begin, &begun), 0);
	belay_shutdown();
	assert_int_equal(begun.count, 0);
	belay_end(ending);
	assert_true(has_begun(&begun));
	assert_int_equal(begun.err, -ECANCELED);
	close_pair(pair);
}

static bool always_dry(belay_conn *conn, void *state)
{
	(void)conn, (void)state;
	return true;
}

static void close_nothing(belay_conn *conn, void *state)
{
	(void)conn, (void)state;
}

static void count_wake(belay_conn *conn, void *state)
{
	(void)conn;
	atomic_fetch_add((_Atomic int *)state, 1);
}

static void a_filter_says_whether_it_can_wait_and_is_told_when_that_is_over(void **state)
{
	static const struct belay_conn_filter blind = {.close = close_nothing};
	static const struct belay_conn_filter dozing = {
		.close = close_nothing, .doze = always_dry, .wake = count_wake};
	struct pair pair = tcp_pair();
	struct begun begun = {.conn = pair.b};
	belay_ctx *ending = belay_with_cancel(belay_background());
	_Atomic int woken = 0;

	belay_conn_set_filter(pair.b, &blind, NULL);
	assert_int_equal(belay_go_when_readable(ending, pair.b, begin, &begun), -EOPNOTSUPP);
	belay_conn_set_filter(pair.b, &dozing, (void *)&woken);
	assert_int_equal(belay_go_when_readable(ending, pair.b, begin, &begun), 0);
	assert_int_equal(woken, 0);
	belay_end(ending);
	assert_true(has_begun(&begun));
	assert_int_equal(woken, 1);
	close_pair(pair);
}

static void nonsense_is_refused(void **state)
{
	struct pair pair = unix_pair();
	struct begun begun = {.conn = pair.b};
	belay_ctx *ctx = belay_background();

	assert_int_equal(belay_go_when_readable(NULL, pair.b, begin, &begun), -EINVAL);
	assert_int_equal(belay_go_when_readable(ctx, NULL, begin, &begun), -EINVAL);
	assert_int_equal(belay_go_when_readable(ctx, pair.b, NULL, &begun), -EINVAL);
	assert_int_equal(begun.count, 0);
	assert_int_equal((belay_go_when_readable)(ctx, pair.b, begin, &begun), 0);
	belay_conn_close(pair.a);
	assert_true(has_begun(&begun));
	belay_conn_close(pair.b);
}

/* ---- Out of memory --------------------------------------------------------------------------- */

/* The first that fails is its own, or the task's, which is tried again. */
static void wait_with_little(void *arg)
{
	struct pair *pair = arg;
	struct begun begun = {.conn = pair->b};
	int r = belay_go_when_readable(belay_background(), pair->b, begin, &begun);

	check(r == 0 || r == -ENOMEM || r == -EAGAIN);
	if (r < 0) {
		check(begun.count == 0);
		return;
	}
	check(belay_conn_write(belay_background(), pair->a, "x", 1, NULL) == 0);
	check(has_begun(&begun) && begun.err == 0);
}

static void out_of_memory_is_told_or_waited_out(void **state)
{
	struct pair pair = unix_pair();

	check_needs_memory_again();
	check_each_alone(wait_with_little, &pair);
	close_pair(pair);
}

static void those_without_a_task_get_one_once_there_is_memory(void **state)
{
	enum { MANY = 3 };
	struct pair pairs[MANY];
	struct begun begun[MANY] = {{0}};
	belay_ctx *ending = belay_with_cancel(belay_background());

	check_needs_memory_again();
	for (int i = 0; i < MANY; i++) {
		pairs[i] = unix_pair();
		begun[i].conn = pairs[i].b;
		assert_int_equal(belay_go_when_readable(ending, pairs[i].b, begin, &begun[i]), 0);
	}
	assert_true(check_until(tasks() == 0));
	belay__fail_from_nth(1);
	belay_cancel(ending);
	assert_int_equal(belay_sleep(belay_background(), 0), 0);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(begun[i].count, 0);
	belay__fail_nth(0);
	for (int i = 0; i < MANY; i++) {
		assert_true(has_begun(&begun[i]));
		assert_int_equal(begun[i].err, -ECANCELED);
		close_pair(pairs[i]);
	}
	belay_end(ending);
}

/* ---- A storm --------------------------------------------------------------------------------- */

enum { CROWD = 32, ROUNDS = 200 };

/* Waits again and again, each time until its peer has written, its context has ended or its time
 * has passed, whichever comes first; and counts what it has read. */
struct stormy {
	struct pair pair;
	belay_ctx *ctx;
	_Atomic int rounds, read;
	_Atomic bool over;
};

static void go_on(belay_ctx *ctx, void *arg);

static void wait_again(struct stormy *one)
{
	belay_ctx *timed = belay_with_timeout(one->ctx, BELAY_US(100 * (one->rounds % 4) + 1));
	int r = belay_go_when_readable(timed, one->pair.b, go_on, one);

	if (r == -ETIME)
		r = belay_go_when_readable(one->ctx, one->pair.b, go_on, one);
	belay_unref(timed);
	if (r < 0) {
		check(r == -ECANCELED);
		one->over = true;
	}
}

static void go_on(belay_ctx *ctx, void *arg)
{
	struct stormy *one = arg;
	char buf[64];
	ssize_t n = recv(belay_conn_fd(one->pair.b), buf, sizeof buf, MSG_DONTWAIT);

	(void)ctx;
	if (n > 0)
		one->read += (int)n;
	one->rounds++;
	wait_again(one);
}

static int write_all(belay_ctx *ctx, void *arg)
{
	struct stormy *one = arg;

	for (int i = 0; i < ROUNDS; i++) {
		check(belay_conn_write(ctx, one->pair.a, "x", 1, NULL) == 0);
		if (i % 3 == 0)
			belay_yield();
	}
	return 0;
}

static void a_storm_of_input_deadlines_and_ends_loses_nothing(void **state)
{
	static struct stormy crowd[CROWD];
	belay_group *group = belay_group_new(belay_background());

	for (int i = 0; i < CROWD; i++) {
		crowd[i] = (struct stormy){.pair = pair_kinds[i % 2]()};
		crowd[i].ctx = belay_with_cancel(belay_background());
		wait_again(&crowd[i]);
		assert_int_equal(belay_group_go(group, write_all, &crowd[i]), 0);
	}
	assert_int_equal(belay_group_wait(group), 0);
	for (int i = 0; i < CROWD; i++)
		assert_true(check_until(crowd[i].read == ROUNDS));
	for (int i = 0; i < CROWD; i++) {
		belay_cancel(crowd[i].ctx);
		assert_true(check_until(crowd[i].over));
		belay_end(crowd[i].ctx);
		close_pair(crowd[i].pair);
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(it_begins_when_something_arrives),
		cmocka_unit_test(it_begins_at_once_where_something_is_there),
		cmocka_unit_test(it_begins_when_the_peer_has_gone),
		cmocka_unit_test(it_begins_when_its_context_ends_and_not_under_one_that_has),
		cmocka_unit_test(it_begins_when_its_time_has_passed),
		cmocka_unit_test(its_context_is_kept),
		cmocka_unit_test(until_then_there_is_no_task),
		cmocka_unit_test(a_watch_for_the_peers_hang_up_goes_on_meanwhile),
		cmocka_unit_test(a_watch_that_is_over_is_no_hindrance),
		cmocka_unit_test(after_a_shutdown_its_context_still_starts_it),
		cmocka_unit_test(a_filter_says_whether_it_can_wait_and_is_told_when_that_is_over),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(out_of_memory_is_told_or_waited_out),
		cmocka_unit_test(those_without_a_task_get_one_once_there_is_memory),
		cmocka_unit_test(a_storm_of_input_deadlines_and_ends_loses_nothing))
