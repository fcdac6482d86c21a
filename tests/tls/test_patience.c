/* SPDX-License-Identifier: MIT
 *
 * test_patience.c - how long an HTTP server behind TLS waits for a client that does not begin.
 *
 * Until when it waits is told by the contexts that it waits under, which are looked at on their way
 * into the core: a program's own functions come before a library's.
 */
#include "https_test.h"

#include <dlfcn.h>
#include <stdatomic.h>

/* The latest deadline under which the server has waited for a handshake, and for a sleeper's
 * input. */
static _Atomic int64_t shakes_until, sleeps_until;

static void note(const belay_ctx *ctx, _Atomic int64_t *ret)
{
	int64_t when;

	if (belay_deadline(ctx, &when))
		atomic_store(ret, when);
}

int belay_conn_handshake(belay_ctx *ctx, belay_conn *conn)
{
	int (*real)(belay_ctx *, belay_conn *);

	*(void **)&real = dlsym(RTLD_NEXT, "belay_conn_handshake");
	note(ctx, &shakes_until);
	return real(ctx, conn);
}

int belay_go_when_readable_at(belay_ctx *ctx, belay_conn *conn,
			      void (*fn)(belay_ctx *ctx, void *arg), void *arg,
			      const struct belay_site *site)
{
	int (*real)(belay_ctx *, belay_conn *, void (*)(belay_ctx *, void *), void *,
		    const struct belay_site *);

	*(void **)&real = dlsym(RTLD_NEXT, "belay_go_when_readable_at");
	note(ctx, &sleeps_until);
	return real(ctx, conn, fn, arg, site);
}

/* ---- The handshake --------------------------------------------------------------------------- */

static void a_client_that_does_not_make_the_handshake_is_closed(void **state)
{
	belay_conn *conn;
	char byte;

	sides.server_options.handshake_time = BELAY_MS(30);
	https_start(NULL);
	assert_int_equal(belay_dial(belay_background(), address, &conn), 0);
	assert_int_equal(belay_conn_write(belay_background(), conn, "\x16\x03", 2, NULL), 0);
	assert_true(belay_conn_read(belay_background(), conn, &byte, 1) <= 0);
	belay_conn_close(conn);
}

static uint64_t tasks_so_far(void)
{
	struct belay_numbers numbers;

	belay_stats(&numbers, sizeof numbers);
	return numbers.spawned;
}

/* That is: by the task that it began with. */
static void expect_patience_without_effort(bool no_http2)
{
	const struct belay_server_options options = {
		.header_time = BELAY_MS(500), .no_http2 = no_http2};
	uint64_t before;
	belay_conn *conn;
	char byte;

	https_start(&options);
	before = tasks_so_far();
	assert_int_equal(belay_dial(belay_background(), address, &conn), 0);
	assert_int_equal(belay_conn_read(belay_background(), conn, &byte, 1), 0);
	assert_true(tasks_so_far() - before < 5);
	belay_conn_close(conn);
}

static void the_handshake_is_waited_for_as_long_as_for_a_head_and_without_effort(void **state)
{
	expect_patience_without_effort(false);
}

static void so_it_is_where_http2_is_switched_off(void **state)
{
	expect_patience_without_effort(true);
}

/* ---- What comes behind it -------------------------------------------------------------------- */

/* The client makes the handshake, speaks that protocol, and says nothing more. */
static void expect_one_time_for_both(const char *protocol)
{
	static const struct belay_server_options options = {.header_time = BELAY_S(300)};
	belay_conn *conn = NULL;

	sides.client_options.protocols = protocol;
	https_start(&options);
	atomic_store(&shakes_until, 0);
	atomic_store(&sleeps_until, 0);
	assert_int_equal(belay_tls_dial(belay_background(), address, sides.client, &conn, NULL), 0);
	assert_true(check_until(atomic_load(&sleeps_until) != 0));
	assert_string_equal(belay_conn_protocol(conn), protocol);
	assert_true(atomic_load(&sleeps_until) == atomic_load(&shakes_until));
	belay_conn_close(conn);
}

static void the_first_request_has_what_the_handshake_leaves_of_its_time(void **state)
{
	expect_one_time_for_both("http/1.1");
}

static void so_has_the_first_one_over_http2(void **state)
{
	if (strcmp(HTTP2, "2") != 0)
		skip();
	expect_one_time_for_both("h2");
}

BELAY_TEST_MAIN(HTTPS_TEST(a_client_that_does_not_make_the_handshake_is_closed),
		HTTPS_TEST(the_handshake_is_waited_for_as_long_as_for_a_head_and_without_effort),
		HTTPS_TEST(so_it_is_where_http2_is_switched_off),
		HTTPS_TEST(the_first_request_has_what_the_handshake_leaves_of_its_time),
		HTTPS_TEST(so_has_the_first_one_over_http2))
