/* SPDX-License-Identifier: MIT
 *
 * test_hangup.c - contexts that end when the peer of a connection with TLS goes away, in each of
 * the ways in which it may.
 */
#include "sides_test.h"

#include <stdatomic.h>

static const char gone[] = "client disconnected";

static void check_gone(belay_ctx *ctx)
{
	belay_cause cause;

	check(belay_wait(ctx) == -ECANCELED);
	check(belay_cause_of(ctx, &cause) == 0 && cause.code == -EPIPE &&
	      strcmp(cause.message, gone) == 0);
}

/* ---- Ways to go ------------------------------------------------------------------------------ */

/* What a leaves behind is closed here. */
typedef void leave_fn(struct pair *pair);

static void close_it(struct pair *pair)
{
	belay_conn_close(pair->a);
	pair->a = NULL;
}

static void reset_it(struct pair *pair)
{
	const struct linger abort = {.l_onoff = 1};

	check(setsockopt(belay_conn_fd(pair->a), SOL_SOCKET, SO_LINGER, &abort, sizeof abort) == 0);
	close_it(pair);
}

static void cut_it(struct pair *pair)
{
	check(shutdown(belay_conn_fd(pair->a), SHUT_WR) == 0);
}

static void say_so(struct pair *pair)
{
	int fd = say_close_notify(pair->a);

	pair->a = NULL;
	check(belay_conn_from_fd(fd, &pair->a) == 0);
}

static leave_fn *const ways[] = {close_it, reset_it, cut_it, say_so};

/* ---- Who is told ----------------------------------------------------------------------------- */

static void with_each_way(void (*fn)(struct pair *pair, leave_fn *leave))
{
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct pair pair = tls_pair(&sides);

		fn(&pair, ways[i]);
		close_pair(pair);
	}
}

static void wait_for_it(struct pair *pair, leave_fn *leave)
{
	belay_ctx *live = belay_with_hangup(belay_background(), pair->b, -EPIPE, gone);

	check(belay_err(live) == 0);
	leave(pair);
	check_gone(live);
	belay_end(live);
}

static void a_peer_that_goes_ends_it(void **state)
{
	with_each_way(wait_for_it);
}

static void leave_first(struct pair *pair, leave_fn *leave)
{
	belay_ctx *live;

	leave(pair);
	live = belay_with_hangup(belay_background(), pair->b, -EPIPE, gone);
	check_gone(live);
	belay_end(live);
}

static void a_peer_that_has_gone_before_ends_it(void **state)
{
	with_each_way(leave_first);
}

/* As a server does: reads a request, and does something else then. */
static void ask_and_leave(struct pair *pair, leave_fn *leave)
{
	belay_ctx *live = belay_with_hangup(belay_background(), pair->b, -EPIPE, gone);
	char buf[16];

	check(belay_conn_write(belay_background(), pair->a, "request", 7, NULL) == 0);
	check(belay_conn_read(live, pair->b, buf, sizeof buf) == 7);
	leave(pair);
	check_gone(live);
	belay_end(live);
}

static void a_peer_that_goes_after_its_request_ends_it(void **state)
{
	with_each_way(ask_and_leave);
}

/* Where a look has taken the end off the socket, nothing arrives there any more. The last word of
 * who closes may be lost to the reset behind it. */
static void ask_leave_and_read_on(struct pair *pair, leave_fn *leave)
{
	char byte;
	ssize_t n;

	ask_and_leave(pair, leave);
	n = belay_conn_read(belay_background(), pair->b, &byte, 1);
	check((n == 0 && leave != cut_it) || (n == -ECONNRESET && leave != say_so));
}

static void who_reads_on_after_it_finds_the_end(void **state)
{
	with_each_way(ask_leave_and_read_on);
}

/* The end arrives together with the request, and is read by OpenSSL with that. */
static void ask_and_leave_at_once(struct pair *pair, leave_fn *leave)
{
	belay_ctx *live = belay_with_hangup(belay_background(), pair->b, -EPIPE, gone);
	char buf[16];

	check(belay_conn_write(belay_background(), pair->a, "request", 7, NULL) == 0);
	leave(pair);
	check(leave == reset_it || belay_conn_read(belay_background(), pair->b, buf, 7) == 7);
	check_gone(live);
	belay_end(live);
}

static void a_peer_that_goes_with_its_request_ends_it(void **state)
{
	with_each_way(ask_and_leave_at_once);
}

static void leave_data(struct pair *pair, leave_fn *leave)
{
	belay_ctx *live = belay_with_hangup(belay_background(), pair->b, -EPIPE, gone);
	char buf[16];

	check(belay_conn_write(belay_background(), pair->a, "unread", 6, NULL) == 0);
	leave(pair);
	if (leave == say_so) /* which stands behind what has to be read first */
		check(belay_conn_read(belay_background(), pair->b, buf, sizeof buf) == 6);
	check_gone(live);
	belay_end(live);
}

static void unread_data_does_not_hide_that_the_socket_is_gone(void **state)
{
	with_each_way(leave_data);
}

static int compute(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add((_Atomic int *)arg, 1);
	while (belay_err(ctx) == 0)
		;
	return 0;
}

static void leave_computing(struct pair *pair, leave_fn *leave)
{
	belay_ctx *live = belay_with_hangup(belay_background(), pair->b, -EPIPE, gone);
	belay_group *group = belay_group_new(live);
	_Atomic int running = 0;
	char buf[16];

	check(belay_conn_write(belay_background(), pair->a, "request", 7, NULL) == 0);
	check(belay_conn_read(live, pair->b, buf, sizeof buf) == 7);
	assert_int_equal(belay_group_go(group, compute, &running), 0);
	assert_true(check_until(running == 1));
	leave(pair);
	check_gone(live);
	assert_int_equal(belay_group_wait(group), 0);
	belay_end(live);
}

/* semantics 4.3, over TLS */
static void a_peer_that_goes_ends_what_computes(void **state)
{
	with_each_way(leave_computing);
}

/* ---- What does not end it -------------------------------------------------------------------- */

static void talk(belay_ctx *ctx, void *arg)
{
	struct pair pair = tls_pair(&sides);
	belay_ctx *live = belay_with_hangup(ctx, pair.b, -EPIPE, gone);
	char buf[4];

	for (int i = 0; i < 200; i++) {
		check(belay_conn_write(ctx, pair.a, "ab", 2, NULL) == 0);
		if (i % 50 == 0)
			check(belay_sleep(ctx, BELAY_MS(30)) == 0); /* looked at meanwhile */
		check(belay_conn_read(live, pair.b, buf, 1) == 1 && buf[0] == 'a');
		if (i % 50 == 25)
			check(belay_sleep(ctx, BELAY_MS(30)) == 0);
		check(belay_conn_read(live, pair.b, buf, sizeof buf) == 1 && buf[0] == 'b');
	}
	check(belay_err(live) == 0);
	belay_end(live);
	close_pair(pair);
}

static void what_is_looked_at_is_still_there_to_be_read(void **state)
{
	from_both(talk, NULL);
}

static void its_end_leaves_the_connection_to_be_watched_again(void **state)
{
	struct pair pair = tls_pair(&sides);

	for (int i = 0; i < 50; i++) {
		belay_ctx *live = belay_with_hangup(belay_background(), pair.b, -EPIPE, gone);

		check(belay_err(live) == 0);
		check(belay_conn_write(live, pair.a, "x", 1, NULL) == 0);
		check(belay_conn_read(live, pair.b, &(char){0}, 1) == 1);
		belay_end(live);
	}
	close_pair(pair);
}

BELAY_TEST_MAIN(
	SIDES_TEST(a_peer_that_goes_ends_it),
	SIDES_TEST(a_peer_that_has_gone_before_ends_it),
	SIDES_TEST(a_peer_that_goes_after_its_request_ends_it),
	SIDES_TEST(who_reads_on_after_it_finds_the_end),
	SIDES_TEST(a_peer_that_goes_with_its_request_ends_it),
	SIDES_TEST(unread_data_does_not_hide_that_the_socket_is_gone),
	SIDES_TEST(a_peer_that_goes_ends_what_computes),
	SIDES_TEST(what_is_looked_at_is_still_there_to_be_read),
	SIDES_TEST(its_end_leaves_the_connection_to_be_watched_again))
