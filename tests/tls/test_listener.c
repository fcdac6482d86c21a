/* SPDX-License-Identifier: MIT
 *
 * test_listener.c - TLS on listeners that were made in another way than by belay_tls_listen().
 */
#include "sides_test.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* A socket that listens already, as a program inherits it. */
static belay_listener *listener_of_a_socket(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	belay_listener *listener = NULL;

	check(bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0 && listen(fd, 8) == 0);
	check(belay_listener_from_fd(fd, &listener) == 0);
	return listener;
}

struct caller {
	const char *address;
	belay_conn *conn;
	struct belay_tls_error error;
};

static void call(belay_ctx *ctx, void *arg)
{
	struct caller *caller = arg;

	check(belay_tls_dial(ctx, caller->address, sides.client, &caller->conn, &caller->error) ==
	      0);
}

static void what_arrives_there_comes_with_tls(void **state)
{
	belay_ctx *ctx = belay_background();
	struct caller caller = {.error = {""}};
	belay_listener *listener;
	struct aside aside;
	belay_conn *conn = NULL;

	listener = listener_of_a_socket();
	assert_int_equal(belay_tls_on_listener(listener, sides.server), 0);
	caller.address = belay_listener_address(listener);
	aside_start(&aside, ctx, call, &caller);
	assert_int_equal(belay_listener_accept(ctx, listener, &conn), 0);
	assert_int_equal(belay_conn_handshake(ctx, conn), 0);
	aside_join(&aside);
	assert_string_equal(caller.error.text, "");
	assert_true(belay_conn_is_secure(conn));
	belay_conn_close(caller.conn);
	belay_conn_close(conn);
	belay_listener_close(listener);
}

static void a_client_s_side_is_refused_and_the_listener_stays_plain(void **state)
{
	belay_ctx *ctx = belay_background();
	belay_conn *out = NULL, *in = NULL;
	belay_listener *listener;

	listener = listener_of_a_socket();
	assert_int_equal(belay_tls_on_listener(listener, sides.client), -EINVAL);
	assert_int_equal(belay_dial(ctx, belay_listener_address(listener), &out), 0);
	assert_int_equal(belay_listener_accept(ctx, listener, &in), 0);
	assert_false(belay_conn_is_secure(in));
	belay_conn_close(out);
	belay_conn_close(in);
	belay_listener_close(listener);
}

BELAY_TEST_MAIN(SIDES_TEST(what_arrives_there_comes_with_tls),
		SIDES_TEST(a_client_s_side_is_refused_and_the_listener_stays_plain))
