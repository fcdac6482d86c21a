/* SPDX-License-Identifier: MIT
 *
 * test_readable.c - tasks that begin once a connection with TLS has something to read: also where
 * OpenSSL has read it already, or the clock thread looks at what arrives.
 */
#include "fuse.h"
#include "readable_test.h"
#include "sides_test.h"

static void put(belay_conn *conn, const char *text)
{
	check(belay_conn_write(belay_background(), conn, text, strlen(text), NULL) == 0);
}

static void expect_byte(belay_conn *conn, char byte)
{
	struct begun begun = {.conn = conn};

	check(belay_go_when_readable(belay_background(), conn, begin, &begun) == 0);
	check(has_begun(&begun) && begun.err == 0 && begun.got == 1 && begun.byte == byte);
}

static void it_begins_when_something_arrives(void **state)
{
	struct pair pair = tls_pair(&sides);
	struct begun begun = {.conn = pair.b};

	assert_int_equal(belay_go_when_readable(belay_background(), pair.b, begin, &begun), 0);
	put(pair.a, "x");
	assert_true(has_begun(&begun));
	assert_int_equal(begun.byte, 'x');
	close_pair(pair);
}

static void it_begins_at_once_where_openssl_has_something(void **state)
{
	struct pair pair = tls_pair(&sides);

	put(pair.a, "abc");
	put(pair.a, "de");
	for (int i = 0; i < 5; i++)
		expect_byte(pair.b, "abcde"[i]);
	close_pair(pair);
}

static void it_begins_when_the_peer_says_the_end(void **state)
{
	struct pair pair = tls_pair(&sides);
	struct begun begun = {.conn = pair.b};

	assert_int_equal(belay_go_when_readable(belay_background(), pair.b, begin, &begun), 0);
	assert_int_equal(belay_conn_shutdown(pair.a), 0);
	assert_true(has_begun(&begun));
	assert_int_equal(begun.got, 0);
	close_pair(pair);
}

static void it_begins_when_its_context_ends_and_reading_goes_on(void **state)
{
	struct pair pair = tls_pair(&sides);
	struct begun begun = {.conn = pair.b};
	belay_ctx *ending = belay_with_cancel(belay_background());

	assert_int_equal(belay_go_when_readable(ending, pair.b, begin, &begun), 0);
	belay_end(ending);
	assert_true(has_begun(&begun));
	assert_int_equal(begun.err, -ECANCELED);
	put(pair.a, "x");
	expect_byte(pair.b, 'x');
	close_pair(pair);
}

static void before_the_handshake_it_begins_at_once(void **state)
{
	struct pair pair = tcp_pair();
	struct begun begun = {.conn = pair.b};
	belay_ctx *ending = belay_with_cancel(belay_background());

	assert_int_equal(belay_tls_accept(sides.server, pair.b), 0);
	assert_int_equal(belay_go_when_readable(ending, pair.b, begin, &begun), 0);
	belay_cancel(ending); /* where it waits by now for the client's hello */
	assert_true(has_begun(&begun));
	belay_end(ending);
	close_pair(pair);
}

/* ---- Where nobody reads afterwards ----------------------------------------------------------- */

/* As a handler has it that does not read: the socket itself says nothing. */
static void leave_and_check(struct pair *pair)
{
	belay_ctx *live =
		check_live(belay_with_hangup(belay_background(), pair->b, -EPIPE, "gone"));
	int fd = say_close_notify(pair->a);

	check(check_until(belay_err(live) != 0) && belay_err(live) == -ECANCELED);
	belay_end(live);
	belay_conn_close(pair->b);
	close(fd);
}

static void look_at_the_end(belay_ctx *ctx, void *arg)
{
	check(belay_err(ctx) == -ECANCELED);
	atomic_fetch_add((_Atomic int *)arg, 1);
}

static void a_peer_that_goes_after_the_context_is_noticed(void **state)
{
	struct pair pair = tls_pair(&sides);
	belay_ctx *ending = belay_with_cancel(belay_background());
	_Atomic int begun = 0;

	check_needs_memory_again(); /* for the task */
	assert_int_equal(belay_go_when_readable(ending, pair.b, look_at_the_end, (void *)&begun),
			 0);
	belay_end(ending);
	assert_true(check_until(begun == 1));
	leave_and_check(&pair);
}

/* False: it began after all. */
static bool fail_nth(long n)
{
	struct pair pair = tls_unix_pair(&sides);
	belay_ctx *ending = belay_with_cancel(belay_background());
	_Atomic int begun = 0;
	int r;

	belay_shutdown();
	belay__fail_nth(n);
	r = belay_go_when_readable(ending, pair.b, look_at_the_end, (void *)&begun);
	belay__fail_nth(0);
	belay_end(ending);
	check(r < 0 || check_until(begun == 1));
	leave_and_check(&pair);
	return r < 0;
}

/* Whatever it lacks: the last of that are workers, where there are none. */
static void a_peer_that_goes_after_a_wait_that_failed_is_noticed(void **state)
{
	long n = 1;

	while (fail_nth(n))
		n++;
	assert_true(n > 2);
}

/* ---- While the clock thread looks at what arrives -------------------------------------------- */

enum { CROWD = 8, ROUNDS = 20 };

struct stormy {
	struct pair pair;
	belay_ctx *hangup;
	_Atomic int read;
	_Atomic bool over;
};

static void go_on(belay_ctx *ctx, void *arg);

static void wait_again(struct stormy *one)
{
	int r = belay_go_when_readable(one->hangup, one->pair.b, go_on, one);

	if (r < 0) {
		check(r == -ECANCELED);
		one->over = true;
	}
}

/* Each read begins the rest anew, after which the clock looks. */
static void go_on(belay_ctx *ctx, void *arg)
{
	struct stormy *one = arg;
	char byte;

	if (belay_err(ctx) == 0 && belay_conn_read(ctx, one->pair.b, &byte, 1) == 1)
		one->read++;
	wait_again(one);
}

/* About as often as the clock looks, now a little sooner, now a little later. */
static int write_all(belay_ctx *ctx, void *arg)
{
	struct stormy *one = arg;

	for (int i = 0; i < ROUNDS; i++) {
		put(one->pair.a, "x");
		check(belay_sleep(ctx, BELAY_US(19000 + 200 * (i % 11))) == 0);
	}
	return 0;
}

static void what_the_clock_looks_at_is_not_lost(void **state)
{
	static struct stormy crowd[CROWD];
	belay_group *group = belay_group_new(belay_background());

	for (int i = 0; i < CROWD; i++) {
		crowd[i] = (struct stormy){.pair = tls_pair(&sides)};
		crowd[i].hangup = belay_with_hangup(belay_background(), crowd[i].pair.b, -EPIPE,
						    "gone");
		wait_again(&crowd[i]);
		assert_int_equal(belay_group_go(group, write_all, &crowd[i]), 0);
	}
	assert_int_equal(belay_group_wait(group), 0);
	for (int i = 0; i < CROWD; i++)
		assert_true(check_until(crowd[i].read == ROUNDS));
	for (int i = 0; i < CROWD; i++) {
		belay_conn_close(crowd[i].pair.a);
		assert_true(check_until(crowd[i].over));
		belay_end(crowd[i].hangup);
		belay_conn_close(crowd[i].pair.b);
	}
}

BELAY_TEST_MAIN(SIDES_TEST(it_begins_when_something_arrives),
		SIDES_TEST(it_begins_at_once_where_openssl_has_something),
		SIDES_TEST(it_begins_when_the_peer_says_the_end),
		SIDES_TEST(it_begins_when_its_context_ends_and_reading_goes_on),
		SIDES_TEST(before_the_handshake_it_begins_at_once),
		SIDES_TEST(a_peer_that_goes_after_the_context_is_noticed),
		SIDES_TEST(a_peer_that_goes_after_a_wait_that_failed_is_noticed),
		SIDES_TEST(what_the_clock_looks_at_is_not_lost))
