/* SPDX-License-Identifier: MIT
 *
 * test_listen_options.c - how to listen: on a port with others, with a queue of a size, on a socket
 * that listens already.
 */
#include "conn_test.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/un.h>

static int listen_with(const char *address, const struct belay_listen_options *options,
		       belay_listener **ret)
{
	*ret = NULL;
	return belay_listen_with(belay_background(), address, options, ret);
}

/* ---- Options --------------------------------------------------------------------------------- */

enum { LISTENERS = 2, MOST_TRIES = 1000 };

/* Dials until each listener has got one: the kernel chooses by a hash of the peer's address. */
static bool all_are_called(belay_listener *const *listeners)
{
	bool called[LISTENERS] = {false};

	for (int i = 0; i < MOST_TRIES && !(called[0] && called[1]); i++) {
		belay_conn *out = NULL, *in = NULL;

		if (!check(belay_dial(belay_background(), belay_listener_address(listeners[0]),
				      &out) == 0))
			return false;
		for (int at = 0; !in && at < LISTENERS; at++) {
			BELAY_SCOPED belay_ctx *now = belay_with_timeout(belay_background(),
									 BELAY_MS(20));

			if (belay_listener_accept(now, listeners[at], &in) == 0)
				called[at] = true;
		}
		belay_conn_close(in);
		belay_conn_close(out);
	}
	return called[0] && called[1];
}

static void those_who_reuse_a_port_share_its_connections(void **state)
{
	const struct belay_listen_options options = {.reuse_port = true};
	belay_listener *listeners[LISTENERS], *third;

	assert_int_equal(listen_with("127.0.0.1:0", &options, &listeners[0]), 0);
	assert_int_equal(listen_with(belay_listener_address(listeners[0]), &options,
				     &listeners[1]), 0);
	assert_int_equal(listen_with(belay_listener_address(listeners[0]), NULL, &third),
			 -EADDRINUSE);
	assert_true(all_are_called(listeners));
	belay_listener_close(listeners[0]);
	belay_listener_close(listeners[1]);
}

static void without_the_option_a_port_is_one_listener_s(void **state)
{
	const struct belay_listen_options options = {.reuse_port = true};
	belay_listener *first, *second;

	assert_int_equal(listen_with("127.0.0.1:0", NULL, &first), 0);
	assert_int_equal(listen_with(belay_listener_address(first), &options, &second),
			 -EADDRINUSE);
	belay_listener_close(first);
}

static void a_unix_socket_has_no_port_to_share(void **state)
{
	const struct belay_listen_options options = {.reuse_port = true};
	belay_listener *listener;

	assert_int_equal(listen_with("unix:@belay-no-port", &options, &listener), -EOPNOTSUPP);
	assert_null(listener);
}

static int backlog_of(const belay_listener *listener)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof info;

	check(getsockopt(belay_listener_fd(listener), IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
	return (int)info.tcpi_sacked; /* of a listening socket: its sk_max_ack_backlog */
}

static void the_queue_has_the_size_asked_for(void **state)
{
	const struct belay_listen_options options = {.backlog = 3}, bad = {.backlog = -1};
	belay_listener *listener, *none;

	assert_int_equal(listen_with("127.0.0.1:0", &bad, &none), -EINVAL);
	assert_int_equal(listen_with("127.0.0.1:0", &options, &listener), 0);
	assert_int_equal(backlog_of(listener), 3);
	belay_listener_close(listener);
}

/* ---- A socket that listens already ----------------------------------------------------------- */

/* Dials address and accepts; both sides are closed. */
static void meet(belay_listener *listener)
{
	belay_conn *out = NULL, *in = NULL;

	if (check(belay_dial(belay_background(), belay_listener_address(listener), &out) == 0))
		check(belay_listener_accept(belay_background(), listener, &in) == 0);
	belay_conn_close(out);
	belay_conn_close(in);
}

static int bound_socket(int type)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, type, 0);

	check(bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0);
	return fd;
}

static void one_that_listens_becomes_a_listener(void **state)
{
	int fd = bound_socket(SOCK_STREAM), on = 0;
	belay_listener *listener = NULL;
	socklen_t size = sizeof on;

	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(belay_listener_from_fd(fd, &listener), 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
	assert_int_equal(on, 1);
	meet(listener);
	belay_listener_close(listener);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void assert_refused(int fd, int expected)
{
	belay_listener *listener = NULL;

	assert_int_equal(belay_listener_from_fd(fd, &listener), expected);
	assert_null(listener);
}

static void what_does_not_listen_is_refused_and_left_alone(void **state)
{
	int bound = bound_socket(SOCK_STREAM), datagrams = bound_socket(SOCK_DGRAM), fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_refused(bound, -EINVAL);
	assert_refused(datagrams, -EINVAL);
	assert_refused(fds[0], -ENOTSOCK);
	assert_refused(-1, -EBADF);
	assert_false(fcntl(bound, F_GETFL) & O_NONBLOCK);
	close(bound);
	close(datagrams);
	close(fds[0]);
	close(fds[1]);
}

static void a_unix_socket_s_file_is_kept_for_another_process(void **state)
{
	char directory[] = "/tmp/belay-test-XXXXXX", address[64];
	belay_listener *first, *second = NULL;
	int fd;

	assert_non_null(mkdtemp(directory));
	snprintf(address, sizeof address, "unix:%s/socket", directory);
	assert_int_equal(listen_with(address, NULL, &first), 0);
	fd = fcntl(belay_listener_fd(first), F_DUPFD_CLOEXEC, 3);
	belay_listener_keep_file(first);
	belay_listener_close(first);
	assert_int_equal(belay_listener_from_fd(fd, &second), 0);
	assert_string_equal(belay_listener_address(second), address);
	meet(second);
	belay_listener_close(second);
	assert_int_equal(unlink(address + strlen("unix:")), 0);
	assert_int_equal(rmdir(directory), 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(those_who_reuse_a_port_share_its_connections),
		cmocka_unit_test(without_the_option_a_port_is_one_listener_s),
		cmocka_unit_test(a_unix_socket_has_no_port_to_share),
		cmocka_unit_test(the_queue_has_the_size_asked_for),
		cmocka_unit_test(one_that_listens_becomes_a_listener),
		cmocka_unit_test(what_does_not_listen_is_refused_and_left_alone),
		cmocka_unit_test(a_unix_socket_s_file_is_kept_for_another_process))
