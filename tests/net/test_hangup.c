/* SPDX-License-Identifier: MIT
 *
 * test_hangup.c - contexts that end when the peer hangs up.
 */
#include "check_oom.h"
#include "conn_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static const char gone[] = "client disconnected";

static void check_gone(belay_ctx *ctx)
{
	belay_cause cause;

	check(belay_wait(ctx) == -ECANCELED);
	check(belay_cause_of(ctx, &cause) == 0);
	check(cause.code == -EPIPE && strcmp(cause.message, gone) == 0 && cause.levels_up == 0);
}

/* ---- What ends it ---------------------------------------------------------------------------- */

static void peer_closes(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	belay_ctx *live = belay_with_hangup(ctx, pair->b, -EPIPE, gone);
	belay_ctx *below = belay_with_cancel(live);

	check(belay_err(live) == 0);
	belay_conn_close(pair->a);
	check_gone(live);
	check(belay_wait(below) == -ECANCELED);
	belay_end(below);
	belay_end(live);
	belay_conn_close(pair->b);
}

static void a_peer_that_closes_ends_it(void **state)
{
	with_each_pair(peer_closes);
}

static void peer_shuts_down(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	belay_ctx *live = belay_with_hangup(ctx, pair->b, -EPIPE, gone);

	check(belay_conn_shutdown(pair->a) == 0);
	check_gone(live);
	belay_end(live);
	close_pair(*pair);
}

static void a_peer_that_shuts_down_its_side_ends_it(void **state)
{
	with_each_pair(peer_shuts_down);
}

static void peer_leaves_data(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	belay_ctx *live = belay_with_hangup(ctx, pair->b, -EPIPE, gone);
	char buf[8];

	check(belay_conn_write(ctx, pair->a, "request", 7, NULL) == 0);
	check(belay_wait_fd(ctx, belay_conn_fd(pair->b), BELAY_READABLE) == BELAY_READABLE);
	check(belay_err(live) == 0);
	belay_conn_close(pair->a);
	check_gone(live);
	check(belay_conn_read(ctx, pair->b, buf, sizeof buf) == 7);
	belay_end(live);
	belay_conn_close(pair->b);
}

static void unread_data_neither_ends_it_nor_hides_the_end(void **state)
{
	with_each_pair(peer_leaves_data);
}

static void peer_left_before(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	belay_ctx *live;

	belay_conn_close(pair->a);
	live = belay_with_hangup(ctx, pair->b, -EPIPE, gone);
	check_gone(live);
	belay_end(live);
	belay_conn_close(pair->b);
}

static void a_peer_that_has_left_before_ends_it(void **state)
{
	with_each_pair(peer_left_before);
}

/* Until ctx ends; never yields. */
static int compute(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add((_Atomic int *)arg, 1);
	while (belay_err(ctx) == 0)
		;
	return 0;
}

static void it_ends_while_every_worker_computes(void **state)
{
	struct pair pair = tcp_pair();
	belay_ctx *live = belay_with_hangup(belay_background(), pair.b, -EPIPE, gone);
	belay_group *group = belay_group_new(live);
	_Atomic int running = 0;

	setenv("BELAY_WORKERS", "2", 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(belay_group_go(group, compute, &running), 0);
	unsetenv("BELAY_WORKERS");
	assert_true(check_until(running == 2));
	belay_conn_close(pair.a);
	check_gone(live);
	assert_int_equal(belay_group_wait(group), 0);
	belay_end(live);
	belay_conn_close(pair.b);
}

/* ---- What ends it otherwise ------------------------------------------------------------------ */

static void end_it_first(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;

	for (int i = 0; i < 50; i++) {
		belay_ctx *live = belay_with_hangup(ctx, pair->b, -EPIPE, gone);

		check(belay_err(live) == 0);
		check(belay_conn_write(ctx, pair->a, "x", 1, NULL) == 0);
		check(belay_conn_read(live, pair->b, &(char){0}, 1) == 1);
		belay_end(live);
	}
	close_pair(*pair);
}

static void its_end_leaves_the_connection_to_be_watched_again(void **state)
{
	with_each_pair(end_it_first);
}

static void watch_twice(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	belay_ctx *first = belay_with_hangup(ctx, pair->b, -EPIPE, gone);
	belay_ctx *second = belay_with_hangup(ctx, pair->b, -EPIPE, gone);

	check(belay_err(first) == 0);
	check(belay_err(second) == -EINVAL);
	belay_end(second);
	belay_conn_close(pair->a);
	check_gone(first);
	belay_end(first);
	belay_conn_close(pair->b);
}

static void a_second_one_at_a_time_is_refused(void **state)
{
	with_each_pair(watch_twice);
}

static void parent_is_done(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	belay_ctx *parent = belay_with_cancel(ctx), *live, *late;
	belay_cause cause;

	live = belay_with_hangup(parent, pair->b, -EPIPE, gone);
	belay_cancel_cause(parent, -EIO, "over");
	check(belay_err(live) == -ECANCELED);
	check(belay_cause_of(live, &cause) == 0 && strcmp(cause.message, "over") == 0);
	late = belay_with_hangup(parent, pair->b, -EPIPE, gone);
	check(belay_cause_of(late, &cause) == 0 && strcmp(cause.message, "over") == 0);
	belay_end(late);
	belay_end(live);
	belay_end(parent);
	late = belay_with_hangup(NULL, pair->b, -EPIPE, gone);
	check(belay_err(late) == -EINVAL);
	belay_end(late);
	close_pair(*pair);
}

static void its_parents_end_ends_it_with_the_parents_cause(void **state)
{
	with_each_pair(parent_is_done);
}

static void no_message_is_the_default(void **state)
{
	struct pair pair = unix_pair();
	belay_ctx *live = belay_with_hangup(belay_background(), pair.b, 7, NULL);
	belay_cause cause;

	belay_conn_close(pair.a);
	assert_int_equal(belay_wait(live), -ECANCELED);
	assert_int_equal(belay_cause_of(live, &cause), 0);
	assert_int_equal(cause.code, 7);
	assert_string_equal(cause.message, "context canceled");
	belay_end(live);
	belay_conn_close(pair.b);
}

/* ---- Several at once ------------------------------------------------------------------------- */

enum { ROUNDS = 300 };

struct ending {
	belay_ctx *parent;
	belay_conn *peer;
	unsigned seed;
};

static void *end_parent(void *arg)
{
	struct ending *ending = arg;

	for (unsigned i = rand_r(&ending->seed) % 50; i > 0; i--)
		belay_yield();
	belay_end(ending->parent);
	return NULL;
}

static void close_peer(belay_ctx *ctx, void *arg)
{
	struct ending *ending = arg;

	for (unsigned i = rand_r(&ending->seed) % 50; i > 0; i--)
		belay_yield();
	belay_conn_close(ending->peer);
}

/* Ends live at a random moment, watches again in every other round, and closes. */
static void end_and_close(belay_ctx *live, belay_conn *conn, unsigned round, unsigned *seed)
{
	unsigned yields = rand_r(seed) % 60;

	while (yields-- > 0 && belay_err(live) == 0)
		belay_yield();
	belay_end(live);
	if (round % 2) {
		live = belay_with_hangup(belay_background(), conn, -EPIPE, gone);
		check(belay_err(live) != -EINVAL);
		belay_end(live);
	}
	belay_conn_close(conn);
}

/* The peer, the parent and the user end it at the same time; then the connection goes at once. */
static void every_order_of_ends_is_survived(void **state)
{
	belay_ctx *ctx = belay_background();
	unsigned seed = 1;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct pair pair = unix_pair();
		struct ending parent = {belay_with_cancel(ctx), NULL, (unsigned)rand_r(&seed)};
		struct ending peer = {NULL, pair.a, (unsigned)rand_r(&seed)};
		belay_ctx *live = belay_with_hangup(parent.parent, pair.b, -EPIPE, gone);
		struct aside aside;
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, end_parent, &parent), 0);
		aside_start(&aside, ctx, close_peer, &peer);
		end_and_close(live, pair.b, i, &seed);
		pthread_join(thread, NULL);
		aside_join(&aside);
	}
}

static void watch_and_end(void *arg)
{
	struct pair *pair = arg;
	belay_ctx *live = belay_with_hangup(belay_background(), pair->b, -EPIPE, gone);
	int err = belay_err(live);

	check(err == 0 || err == -ENOMEM);
	belay_end(live);
}

static void out_of_memory_is_a_done_context(void **state)
{
	struct pair pair = unix_pair();

	assert_true(check_each_allocation(watch_and_end, &pair) > 0);
	close_pair(pair);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_peer_that_closes_ends_it),
		cmocka_unit_test(a_peer_that_shuts_down_its_side_ends_it),
		cmocka_unit_test(unread_data_neither_ends_it_nor_hides_the_end),
		cmocka_unit_test(a_peer_that_has_left_before_ends_it),
		cmocka_unit_test(it_ends_while_every_worker_computes),
		cmocka_unit_test(its_end_leaves_the_connection_to_be_watched_again),
		cmocka_unit_test(a_second_one_at_a_time_is_refused),
		cmocka_unit_test(its_parents_end_ends_it_with_the_parents_cause),
		cmocka_unit_test(no_message_is_the_default),
		cmocka_unit_test(every_order_of_ends_is_survived),
		cmocka_unit_test(out_of_memory_is_a_done_context))
