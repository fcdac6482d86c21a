/* SPDX-License-Identifier: MIT
 *
 * test_short_read.c - reads that get less than they ask for, and what comes after them.
 */
#include "conn_test.h"

#include "net/conn.h"

#include <belay.h>

static void echo(belay_ctx *ctx, void *arg)
{
	belay_conn *conn = arg;
	char buf[64];
	ssize_t n;

	while ((n = belay_conn_read(ctx, conn, buf, sizeof buf)) > 0)
		check(belay_conn_write(ctx, conn, buf, (size_t)n, NULL) == 0);
	check(n == 0);
}

static void ask_often(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	struct aside aside;
	char buf[64];

	aside_start(&aside, ctx, echo, pair->b);
	for (int i = 0; i < 200; i++) {
		char byte = (char)i;

		check(belay_conn_write(ctx, pair->a, &byte, 1, NULL) == 0);
		check(belay_conn_read(ctx, pair->a, buf, sizeof buf) == 1 && buf[0] == byte);
	}
	check(belay_conn_shutdown(pair->a) == 0);
	aside_join(&aside);
	close_pair(*pair);
}

static void an_answer_that_comes_after_one_is_waited_for(void **state)
{
	with_each_pair(ask_often);
}

static void read_three_and_nothing(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	belay_ctx *soon = check_made(belay_with_timeout(ctx, BELAY_S(10)));
	char buf[64];

	check(belay_conn_write(ctx, pair->a, "abc", 3, NULL) == 0);
	check(belay_conn_read(ctx, pair->b, buf, sizeof buf) == 3);
	check(belay_conn_read(soon, pair->b, buf, 0) == 0);
	belay_cancel(soon);
	belay_unref(soon);
	close_pair(*pair);
}

static void a_read_of_nothing_after_one_returns_at_once(void **state)
{
	with_each_pair(read_three_and_nothing);
}

static void read_three_and_the_end(belay_ctx *ctx, void *arg)
{
	belay_conn *conn = arg;
	char buf[64];
	ssize_t sum = 0, n;

	while ((n = belay_conn_read(ctx, conn, buf, sizeof buf)) > 0)
		sum += n;
	check(n == 0 && sum == 3);
}

/* While the other end waits for it: end and bytes may be one event. */
static void send_three_and_end(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	struct aside aside;

	aside_start(&aside, ctx, read_three_and_the_end, pair->b);
	check(check_until(is_waited_for(belay_conn_fd(pair->b), EPOLLIN)));
	check(belay_conn_write(ctx, pair->a, "abc", 3, NULL) == 0);
	check(belay_conn_shutdown(pair->a) == 0);
	aside_join(&aside);
	close_pair(*pair);
}

static void an_end_that_came_with_the_last_bytes_is_found(void **state)
{
	for (int round = 0; round < 50; round++)
		with_each_pair(send_three_and_end);
}

/* Again and again on one number, of which the last end is remembered. */
static void a_new_connection_knows_nothing_of_the_one_before(void **state)
{
	for (int round = 0; round < 50; round++) {
		with_each_pair(send_three_and_end);
		with_each_pair(ask_often);
	}
}

/* A stream with internet addresses that more kernels have than SCTP, whose reads end with its
 * messages. */
static int multipath_socket(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	socklen_t len = sizeof *addr;

	if (fd < 0)
		return -1;
	*addr = (struct sockaddr_in){.sin_family = AF_INET};
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(bind(fd, (struct sockaddr *)addr, len) == 0 && listen(fd, 1) == 0);
	check(getsockname(fd, (struct sockaddr *)addr, &len) == 0);
	return fd;
}

static void a_stream_that_is_not_tcp_is_read_without_guessing(void **state)
{
	struct sockaddr_in addr;
	int fd = multipath_socket(&addr);
	belay_listener *listener;
	struct pair pair, tcp = tcp_pair();

	assert_true(tcp.a->input.tells && tcp.b->input.tells);
	close_pair(tcp);
	if (fd < 0)
		skip();
	assert_int_equal(belay_listener_from_fd(fd, &listener), 0);
	assert_int_equal(belay_dial(belay_background(), belay_listener_address(listener), &pair.a),
			 0);
	assert_int_equal(belay_listener_accept(belay_background(), listener, &pair.b), 0);
	assert_true(pair.a->input.tells && !pair.b->input.tells);
	close_pair(pair);
	belay_listener_close(listener);
}

static void send_urgent(int fd)
{
	check(send(fd, "ab", 2, 0) == 2);
	check(send(fd, "!", 1, MSG_OOB) == 1);
	check(send(fd, "cd", 2, 0) == 2);
}

static void read_until_full(belay_ctx *ctx, void *arg)
{
	belay_conn *conn = arg;
	char buf[64];
	size_t size = 0;

	while (size < 4) {
		ssize_t n = belay_conn_read(ctx, conn, buf + size, sizeof buf - size);

		if (!check(n > 0))
			return;
		size += (size_t)n;
	}
	check(size == 4 && memcmp(buf, "abcd", 4) == 0);
}

/* A read stops where the urgent byte stood, though more has come. */
static void send_around_an_urgent_byte(belay_ctx *ctx, void *arg)
{
	struct pair before = tcp_pair(), after = tcp_pair();
	struct aside aside;

	send_urgent(belay_conn_fd(before.a));
	read_until_full(ctx, before.b);
	aside_start(&aside, ctx, read_until_full, after.b);
	check(check_until(is_waited_for(belay_conn_fd(after.b), EPOLLIN)));
	send_urgent(belay_conn_fd(after.a));
	aside_join(&aside);
	close_pair(before);
	close_pair(after);
}

static void what_stands_behind_urgent_data_is_read(void **state)
{
	for (int round = 0; round < 50; round++)
		from_both(send_around_an_urgent_byte, NULL);
}

BELAY_TEST_MAIN(cmocka_unit_test(an_answer_that_comes_after_one_is_waited_for),
		cmocka_unit_test(a_read_of_nothing_after_one_returns_at_once),
		cmocka_unit_test(an_end_that_came_with_the_last_bytes_is_found),
		cmocka_unit_test(a_new_connection_knows_nothing_of_the_one_before),
		cmocka_unit_test(a_stream_that_is_not_tcp_is_read_without_guessing),
		cmocka_unit_test(what_stands_behind_urgent_data_is_read))
