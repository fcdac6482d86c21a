/* SPDX-License-Identifier: MIT
 *
 * test_listener.c - where to listen, and what arrives there.
 */
#include "check_oom.h"
#include "conn_test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

static belay_listener *listen_at(const char *address)
{
	belay_listener *listener = NULL;

	if (!check(belay_listen(belay_background(), address, &listener) == 0))
		fprintf(stderr, "can't listen at %s\n", address);
	return listener;
}

/* Dials address and accepts; both sides are closed. */
static void meet(const char *address, belay_listener *listener)
{
	belay_conn *out = NULL, *in = NULL;

	if (check(belay_dial(belay_background(), address, &out) == 0))
		check(belay_listener_accept(belay_background(), listener, &in) == 0);
	if (out && in)
		check(strcmp(belay_conn_local(in), belay_conn_peer(out)) == 0);
	belay_conn_close(out);
	belay_conn_close(in);
}

static void listen_and_meet(const char *address)
{
	belay_listener *listener = listen_at(address);

	assert_non_null(listener);
	assert_true(atoi(strrchr(belay_listener_address(listener), ':') + 1) > 0);
	meet(belay_listener_address(listener), listener);
	belay_listener_close(listener);
}

static void at_port_of(const belay_listener *listener, const char *host, char *ret, size_t size)
{
	snprintf(ret, size, "%s%s", host, strrchr(belay_listener_address(listener), ':'));
}

/* ---- Internet addresses ---------------------------------------------------------------------- */

static void port_0_is_a_free_one_and_the_address_says_which(void **state)
{
	listen_and_meet("127.0.0.1:0");
	listen_and_meet("localhost:0");
	if (has_ipv6())
		listen_and_meet("[::1]:0");
}

static void all_interfaces_are_those_of_both_families(void **state)
{
	static const char *const addresses[] = {":0", "*:0"};
	char address[64];

	for (size_t i = 0; i < 2; i++) {
		belay_listener *listener = listen_at(addresses[i]);

		at_port_of(listener, "127.0.0.1", address, sizeof address);
		meet(address, listener);
		at_port_of(listener, "[::1]", address, sizeof address);
		if (has_ipv6())
			meet(address, listener);
		belay_listener_close(listener);
	}
}

static void a_port_can_be_listened_on_again_at_once(void **state)
{
	belay_listener *listener = listen_at("127.0.0.1:0");
	char address[64];

	for (int i = 0; i < 3; i++) {
		at_port_of(listener, "127.0.0.1", address, sizeof address);
		meet(address, listener);
		belay_listener_close(listener);
		listener = listen_at(address);
	}
	belay_listener_close(listener);
}

static void what_cant_be_listened_on_is_an_error(void **state)
{
	belay_listener *first = listen_at("127.0.0.1:0"), *listener = NULL;
	belay_ctx *ctx = belay_background();
	BELAY_SCOPED belay_ctx *done = belay_with_timeout(ctx, 0);

	assert_int_equal(belay_listen(ctx, belay_listener_address(first), &listener), -EADDRINUSE);
	assert_int_equal(belay_listen(ctx, "192.0.2.1:0", &listener), -EADDRNOTAVAIL);
	assert_int_equal(belay_listen(ctx, "nonsense", &listener), -EINVAL);
	assert_int_equal(belay_listen(ctx, "unix:/proc/self/none/socket", &listener), -ENOENT);
	assert_int_equal(belay_listen(done, "127.0.0.1:0", &listener), -ETIME);
	assert_int_equal(belay_listen(NULL, "127.0.0.1:0", &listener), -EINVAL);
	assert_null(listener);
	belay_listener_close(first);
}

/* ---- Unix sockets ---------------------------------------------------------------------------- */

/* A directory of the test's own; the address and path of a socket in it. */
struct place {
	char directory[32], address[64];
	const char *path;
};

static struct place *place_new(void)
{
	struct place *place = calloc(1, sizeof *place);

	strcpy(place->directory, "/tmp/belay-test-XXXXXX");
	check(mkdtemp(place->directory) != NULL);
	snprintf(place->address, sizeof place->address, "unix:%s/socket", place->directory);
	place->path = place->address + strlen("unix:");
	return place;
}

static void place_free(struct place *place)
{
	check(rmdir(place->directory) == 0); /* nothing was left in it */
	free(place);
}

/* What a process leaves behind that dies. */
static void leave_stale(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	check(bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0);
	check(listen(fd, 1) == 0);
	close(fd);
	check(access(path, F_OK) == 0);
}

static void a_unix_sockets_file_is_removed_at_the_close(void **state)
{
	struct place *place = place_new();
	belay_listener *listener = listen_at(place->address);

	assert_string_equal(belay_listener_address(listener), place->address);
	assert_int_equal(access(place->path, F_OK), 0);
	meet(place->address, listener);
	belay_listener_close(listener);
	assert_int_equal(access(place->path, F_OK), -1);
	place_free(place);
}

static void a_stale_unix_socket_is_replaced(void **state)
{
	struct place *place = place_new();
	belay_listener *listener;

	leave_stale(place->path);
	listener = listen_at(place->address);
	meet(place->address, listener);
	belay_listener_close(listener);
	place_free(place);
}

static void a_unix_socket_that_is_answered_on_is_not_replaced(void **state)
{
	struct place *place = place_new();
	belay_listener *first = listen_at(place->address), *second = NULL;
	belay_conn *probe;

	assert_int_equal(belay_listen(belay_background(), place->address, &second), -EADDRINUSE);
	assert_int_equal(belay_listener_accept(belay_background(), first, &probe), 0);
	belay_conn_close(probe);
	meet(place->address, first);
	belay_listener_close(first);
	place_free(place);
}

static void a_file_that_is_no_socket_is_not_replaced(void **state)
{
	struct place *place = place_new();
	int fd = open(place->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	belay_listener *listener = NULL;

	close(fd);
	assert_int_equal(belay_listen(belay_background(), place->address, &listener), -EADDRINUSE);
	assert_int_equal(unlink(place->path), 0);
	place_free(place);
}

static void another_ones_file_is_left_at_the_close(void **state)
{
	struct place *place = place_new();
	belay_listener *first = listen_at(place->address), *second;

	assert_int_equal(unlink(place->path), 0);
	second = listen_at(place->address);
	belay_listener_close(first);
	meet(place->address, second);
	belay_listener_close(second);
	place_free(place);
}

static void abstract_names_need_no_file(void **state)
{
	char address[64];
	belay_listener *first, *second = NULL;

	snprintf(address, sizeof address, "unix:@belay-test-%d", (int)getpid());
	first = listen_at(address);
	assert_string_equal(belay_listener_address(first), address);
	meet(address, first);
	assert_int_equal(belay_listen(belay_background(), address, &second), -EADDRINUSE);
	belay_listener_close(first);
}

/* ---- Accepting ------------------------------------------------------------------------------- */

struct caller {
	belay_listener *listener;
	belay_conn *conn;
};

static void dial_when_waited_for(belay_ctx *ctx, void *arg)
{
	struct caller *caller = arg;

	check(check_until(is_waited_for(belay_listener_fd(caller->listener), EPOLLIN)));
	check(belay_dial(ctx, belay_listener_address(caller->listener), &caller->conn) == 0);
}

static void accept_one(belay_ctx *ctx, void *arg)
{
	struct caller caller = {arg, NULL};
	belay_conn *conn = NULL;
	struct aside aside;

	aside_start(&aside, ctx, dial_when_waited_for, &caller);
	check(belay_listener_accept(ctx, caller.listener, &conn) == 0);
	aside_join(&aside);
	belay_conn_close(conn);
	belay_conn_close(caller.conn);
}

static void an_accept_waits_for_a_connection(void **state)
{
	struct place *place = place_new();
	const char *const addresses[] = {"127.0.0.1:0", place->address};

	for (size_t i = 0; i < 2; i++) {
		for (int in_task = 0; in_task < 2; in_task++) {
			belay_listener *listener = listen_at(addresses[i]);

			if (in_task)
				check_in_task(accept_one, listener);
			else
				accept_one(belay_background(), listener);
			belay_listener_close(listener);
		}
	}
	place_free(place);
}

static void accept_cancelled(belay_ctx *ctx, void *arg)
{
	belay_listener *listener = listen_at("127.0.0.1:0");
	struct canceller canceller = {belay_with_cancel(ctx), belay_listener_fd(listener), EPOLLIN};
	BELAY_SCOPED belay_ctx *soon = belay_with_timeout(ctx, BELAY_MS(5));
	belay_conn *conn = NULL;
	struct aside aside;

	aside_start(&aside, ctx, cancel_when_waited_for, &canceller);
	check(belay_listener_accept(canceller.ctx, listener, &conn) == -ECANCELED);
	aside_join(&aside);
	check(belay_listener_accept(soon, listener, &conn) == -ETIME);
	check(conn == NULL);
	belay_end(canceller.ctx);
	meet(belay_listener_address(listener), listener);
	belay_listener_close(listener);
}

static void cancelling_ends_an_accept_and_leaves_the_listener(void **state)
{
	from_both(accept_cancelled, NULL);
}

/* It accepts first and looks at the limit then, so that the connection is gone. */
static bool runs_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

static void no_descriptor_left_is_an_error_that_loses_no_connection(void **state)
{
	belay_listener *listener;
	belay_ctx *ctx = belay_background();
	belay_conn *out = NULL, *in = NULL;
	struct rlimit before, none;

	if (runs_under_valgrind())
		skip();
	listener = listen_at("127.0.0.1:0");
	assert_int_equal(belay_dial(ctx, belay_listener_address(listener), &out), 0);
	assert_int_equal(belay_wait_fd(ctx, belay_listener_fd(listener), BELAY_READABLE),
			 BELAY_READABLE);
	getrlimit(RLIMIT_NOFILE, &before);
	none = (struct rlimit){2, before.rlim_max}; /* poll(2) wants no less */
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(belay_listener_accept(ctx, listener, &in), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(belay_listener_accept(ctx, listener, &in), 0);
	belay_conn_close(in);
	belay_conn_close(out);
	belay_listener_close(listener);
}

static void listen_and_accept(void *arg)
{
	belay_listener *listener = NULL;
	belay_ctx *ctx = belay_background();
	belay_conn *out = NULL, *in = NULL;
	int err = belay_listen(ctx, "127.0.0.1:0", &listener);

	check(err == 0 || (err == -ENOMEM && !listener));
	if (err == 0)
		err = belay_dial(ctx, belay_listener_address(listener), &out);
	check(err == 0 || (err == -ENOMEM && !out));
	if (err == 0) {
		err = belay_listener_accept(ctx, listener, &in);
		check(err == 0 || (err == -ENOMEM && !in));
		if (err < 0)
			check(belay_listener_accept(ctx, listener, &in) == 0);
	}
	belay_conn_close(in);
	belay_conn_close(out);
	belay_listener_close(listener);
}

static void out_of_memory_loses_no_connection(void **state)
{
	assert_true(check_each_alone(listen_and_accept, NULL) > 0);
}

static void a_listener_that_was_shut_down_says_so(void **state)
{
	belay_listener *listener = listen_at("127.0.0.1:0");
	belay_conn *conn = NULL;

	assert_int_equal(shutdown(belay_listener_fd(listener), SHUT_RD), 0);
	assert_int_equal(belay_listener_accept(belay_background(), listener, &conn), -EINVAL);
	belay_listener_close(listener);
}

BELAY_TEST_MAIN(cmocka_unit_test(port_0_is_a_free_one_and_the_address_says_which),
		cmocka_unit_test(all_interfaces_are_those_of_both_families),
		cmocka_unit_test(a_port_can_be_listened_on_again_at_once),
		cmocka_unit_test(what_cant_be_listened_on_is_an_error),
		cmocka_unit_test(a_unix_sockets_file_is_removed_at_the_close),
		cmocka_unit_test(a_stale_unix_socket_is_replaced),
		cmocka_unit_test(a_unix_socket_that_is_answered_on_is_not_replaced),
		cmocka_unit_test(a_file_that_is_no_socket_is_not_replaced),
		cmocka_unit_test(another_ones_file_is_left_at_the_close),
		cmocka_unit_test(abstract_names_need_no_file),
		cmocka_unit_test(an_accept_waits_for_a_connection),
		cmocka_unit_test(cancelling_ends_an_accept_and_leaves_the_listener),
		cmocka_unit_test(no_descriptor_left_is_an_error_that_loses_no_connection),
		cmocka_unit_test(out_of_memory_loses_no_connection),
		cmocka_unit_test(a_listener_that_was_shut_down_says_so))
