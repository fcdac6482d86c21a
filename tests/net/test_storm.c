/* SPDX-License-Identifier: MIT
 *
 * test_storm.c - many connections at once, each cut short at a moment of chance.
 *
 * What is right about the outcome is that nothing hangs, no byte is wrong, and nothing is left:
 * every task is joined, and the harness counts contexts, threads and descriptors.
 */
#include "conn_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/un.h>

enum { CLIENTS = 12, ROUNDS = 60, MESSAGE = 200000 };

struct server {
	belay_listener *listener;
	belay_group *group;
	_Atomic unsigned seed, served, answered;
};

static unsigned chance(struct server *server, unsigned below)
{
	unsigned seed = atomic_fetch_add(&server->seed, 0x9e3779b9);

	return (unsigned)rand_r(&seed) % below;
}

/* The errors that a connection may meet when either side goes. */
static bool is_fair(ssize_t result)
{
	return result >= 0 || result == -ECANCELED || result == -ETIME || result == -EPIPE ||
	       result == -ECONNRESET;
}

/* ---- The server: sends back what it gets ----------------------------------------------------- */

struct visit {
	struct server *server;
	belay_conn *conn;
};

static int echo(belay_ctx *ctx, void *arg)
{
	struct visit *visit = arg;
	belay_ctx *live = belay_with_timeout(ctx, BELAY_US(chance(visit->server, 20000)));
	char buf[3000];
	ssize_t count;
	int err = 0;

	while (err == 0 && (count = belay_conn_read(live, visit->conn, buf, sizeof buf)) > 0)
		err = belay_conn_write(live, visit->conn, buf, (size_t)count, NULL);
	check(is_fair(err) && is_fair(count));
	atomic_fetch_add(&visit->server->served, 1);
	belay_end(live);
	belay_conn_close(visit->conn);
	free(visit);
	return 0;
}

static int accept_all(belay_ctx *ctx, void *arg)
{
	struct server *server = arg;
	belay_conn *conn;
	int err;

	while ((err = belay_listener_accept(ctx, server->listener, &conn)) == 0) {
		struct visit *visit = malloc(sizeof *visit);

		*visit = (struct visit){server, conn};
		if (belay_group_go(server->group, echo, visit) < 0) {
			belay_conn_close(conn);
			free(visit);
		}
	}
	check(err == -ECANCELED);
	return 0;
}

/* ---- The clients ----------------------------------------------------------------------------- */

struct sending {
	belay_conn *conn;
	int err;
};

static int send_message(belay_ctx *ctx, void *arg)
{
	struct sending *sending = arg;
	char *message = malloc(MESSAGE);

	for (size_t i = 0; i < MESSAGE; i++)
		message[i] = (char)(i % 127);
	sending->err = belay_conn_write(ctx, sending->conn, message, MESSAGE, NULL);
	if (sending->err == 0)
		belay_conn_shutdown(sending->conn);
	free(message);
	return 0;
}

/* The number of bytes that came back; each must be the one that was sent. */
static size_t receive_message(belay_ctx *ctx, belay_conn *conn)
{
	size_t total = 0;
	char buf[5000];
	ssize_t count;

	while ((count = belay_conn_read(ctx, conn, buf, sizeof buf)) > 0)
		for (ssize_t i = 0; i < count; i++, total++)
			check(buf[i] == (char)(total % 127));
	check(is_fair(count));
	return total;
}

static void talk(belay_ctx *ctx, struct server *server, belay_conn *conn)
{
	belay_ctx *live = belay_with_hangup(ctx, conn, -EPIPE, "server gone");
	belay_group *group = belay_group_new(live);
	struct sending sending = {conn, 0};

	if (check(belay_group_go(group, send_message, &sending) == 0 || belay_err(live)))
		if (receive_message(live, conn) == MESSAGE)
			atomic_fetch_add(&server->answered, 1);
	check(belay_group_wait(group) == 0);
	check(is_fair(sending.err));
	belay_end(live);
}

static int visit_once(belay_ctx *ctx, struct server *server)
{
	belay_ctx *soon = belay_with_timeout(ctx, BELAY_US(chance(server, 20000)));
	belay_conn *conn;
	int err = belay_dial(soon, belay_listener_address(server->listener), &conn);

	check(is_fair(err));
	if (err == 0) {
		talk(soon, server, conn);
		belay_conn_close(conn);
	}
	belay_end(soon);
	return err;
}

static int visit_often(belay_ctx *ctx, void *server)
{
	for (int i = 0; i < ROUNDS; i++)
		visit_once(ctx, server);
	return 0;
}

static void *visit_from_thread(void *server)
{
	visit_often(belay_background(), server);
	return NULL;
}

static void storm_at(const char *address)
{
	struct server server = {.group = belay_group_new(belay_background()), .seed = 1};
	belay_group *clients = belay_group_new(belay_background());
	pthread_t thread;

	assert_int_equal(belay_listen(belay_background(), address, &server.listener), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(belay_group_go(server.group, accept_all, &server), 0);
	assert_int_equal(pthread_create(&thread, NULL, visit_from_thread, &server), 0);
	for (int i = 1; i < CLIENTS; i++)
		assert_int_equal(belay_group_go(clients, visit_often, &server), 0);
	assert_int_equal(belay_group_wait(clients), 0);
	pthread_join(thread, NULL);
	belay_cancel(belay_group_ctx(server.group));
	assert_int_equal(belay_group_wait(server.group), 0);
	assert_true(server.served > 0);
	belay_listener_close(server.listener);
}

static void connections_that_are_cut_short_leave_nothing(void **state)
{
	char address[64];

	storm_at("127.0.0.1:0");
	snprintf(address, sizeof address, "unix:@belay-storm-%d", (int)getpid());
	storm_at(address);
}

/* ---- Lent descriptors ------------------------------------------------------------------------ */

enum { PASSERS = 6, PASSES = 400 };

struct baton {
	int in, out;
	_Atomic unsigned seed;
};

/* Takes a byte and puts it back, unless its time runs out between; then it is put back by force. */
static int pass(belay_ctx *ctx, void *arg)
{
	struct baton *baton = arg;

	for (int i = 0; i < PASSES; i++) {
		unsigned seed = atomic_fetch_add(&baton->seed, 0x9e3779b9);
		belay_ctx *soon = belay_with_timeout(ctx, BELAY_US(rand_r(&seed) % 500));
		char byte;

		if (belay_read(soon, baton->out, &byte, 1) == 1) {
			check(byte == 'b');
			if (belay_write(soon, baton->in, &byte, 1) != 1)
				check(belay_write(ctx, baton->in, &byte, 1) == 1);
		}
		belay_end(soon);
	}
	return 0;
}

static void *pass_from_thread(void *baton)
{
	pass(belay_background(), baton);
	return NULL;
}

/* Everybody reads from one descriptor and writes to the other; the two bytes are there in the
 * end. */
static void what_many_pass_round_is_neither_lost_nor_doubled(void **state)
{
	for (int blocking = 0; blocking < 2; blocking++) {
		struct baton baton = {.seed = 1};
		belay_group *group = belay_group_new(belay_background());
		pthread_t thread;
		char rest[4];
		int fds[2];

		assert_int_equal(pipe2(fds, O_CLOEXEC | (blocking ? 0 : O_NONBLOCK)), 0);
		baton.out = fds[0];
		baton.in = fds[1];
		assert_int_equal(write(baton.in, "bb", 2), 2);
		assert_int_equal(pthread_create(&thread, NULL, pass_from_thread, &baton), 0);
		for (int i = 1; i < PASSERS; i++)
			assert_int_equal(belay_group_go(group, pass, &baton), 0);
		assert_int_equal(belay_group_wait(group), 0);
		pthread_join(thread, NULL);
		assert_int_equal(read(baton.out, rest, sizeof rest), 2);
		close(fds[0]);
		close(fds[1]);
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(connections_that_are_cut_short_leave_nothing),
		cmocka_unit_test(what_many_pass_round_is_neither_lost_nor_doubled))
