/* SPDX-License-Identifier: MIT
 *
 * test_connect.c - connecting and accepting on descriptors that are lent.
 */
#include "net_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- Listening sockets ----------------------------------------------------------------------- */

struct server {
	int fd;
	struct sockaddr_storage addr;
	socklen_t len;
};

static struct server server_of(int family, int flags, int backlog)
{
	struct server server = {.fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0),
				.addr.ss_family = family};
	struct sockaddr_in *in = (struct sockaddr_in *)&server.addr;

	in->sin_addr.s_addr = family == AF_INET ? htonl(INADDR_LOOPBACK) : 0;
	check(bind(server.fd, (struct sockaddr *)&server.addr,
		   family == AF_INET ? sizeof *in : sizeof(sa_family_t)) == 0);
	check(listen(server.fd, backlog) == 0);
	server.len = sizeof server.addr;
	check(getsockname(server.fd, (struct sockaddr *)&server.addr, &server.len) == 0);
	return server;
}

static int client_of(const struct server *server, int flags)
{
	return socket(server->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
}

static int connect_to(belay_ctx *ctx, int fd, const struct server *server)
{
	return belay_connect(ctx, fd, (const struct sockaddr *)&server->addr, server->len);
}

/* Both families, blocking and not, from a thread and from a task. */
static void with_each_server(void (*fn)(belay_ctx *ctx, void *server))
{
	static const int families[] = {AF_INET, AF_UNIX};

	for (int i = 0; i < 8; i++) {
		struct server server = server_of(families[i % 2], i & 2 ? SOCK_NONBLOCK : 0, 8);

		if (i & 4)
			check_in_task(fn, &server);
		else
			fn(belay_background(), &server);
		close(server.fd);
	}
}

/* ---- Accepting ------------------------------------------------------------------------------- */

struct caller {
	const struct server *server;
	int fd;
};

static void connect_when_waited_for(belay_ctx *ctx, void *arg)
{
	struct caller *caller = arg;

	check(check_until(is_waited_for(caller->server->fd, EPOLLIN)));
	check(connect_to(ctx, caller->fd, caller->server) == 0);
}

static void accept_one(belay_ctx *ctx, void *arg)
{
	const struct server *server = arg;
	struct caller caller = {server, client_of(server, 0)};
	struct sockaddr_storage peer = {.ss_family = 0};
	socklen_t len = sizeof peer;
	struct aside aside;
	int fd;

	aside_start(&aside, ctx, connect_when_waited_for, &caller);
	fd = belay_accept(ctx, server->fd, (struct sockaddr *)&peer, &len);
	check(fd >= 0);
	aside_join(&aside);
	check(peer.ss_family == server->addr.ss_family);
	check(fcntl(fd, F_GETFL) & O_NONBLOCK);
	check(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	check(belay_write(ctx, caller.fd, "x", 1) == 1);
	check(belay_read(ctx, fd, &(char){0}, 1) == 1);
	close(fd);
	close(caller.fd);
}

static void an_accept_waits_for_a_connection(void **state)
{
	with_each_server(accept_one);
}

static void accept_cancelled(belay_ctx *ctx, void *arg)
{
	const struct server *server = arg;
	struct canceller canceller = {belay_with_cancel(ctx), server->fd, EPOLLIN};
	int flags = fcntl(server->fd, F_GETFL), fd;
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;
	struct aside aside;

	aside_start(&aside, ctx, cancel_when_waited_for, &canceller);
	fd = belay_accept(canceller.ctx, server->fd, (struct sockaddr *)&peer, &len);
	check(fd == -ECANCELED);
	aside_join(&aside);
	check(len == sizeof peer);
	check(fcntl(server->fd, F_GETFL) == flags);
	fd = client_of(server, 0);
	check(connect_to(ctx, fd, server) == 0);
	check(belay_accept(canceller.ctx, server->fd, NULL, NULL) == -ECANCELED);
	belay_end(canceller.ctx);
	close(fd);
}

static void cancelling_ends_an_accept(void **state)
{
	with_each_server(accept_cancelled);
}

static void accept_wrongly(belay_ctx *ctx, void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	check(belay_accept(ctx, fd, NULL, NULL) == -EINVAL);
	check(belay_accept(ctx, null, NULL, NULL) == -ENOTSOCK);
	check(belay_accept(ctx, -1, NULL, NULL) == -EBADF);
	close(fd);
	close(null);
}

static void an_accept_where_nobody_listens_is_an_error(void **state)
{
	from_both(accept_wrongly, NULL);
}

enum { CALLS = 20 };

struct acceptors {
	struct server server;
	_Atomic int accepted;
};

static int accept_some(belay_ctx *ctx, void *arg)
{
	struct acceptors *acceptors = arg;
	int fd;

	while ((fd = belay_accept(ctx, acceptors->server.fd, NULL, NULL)) >= 0) {
		close(fd);
		atomic_fetch_add(&acceptors->accepted, 1);
	}
	return fd == -ECANCELED ? 0 : fd;
}

/* In blocking mode and with one worker, where a task that is too late at accept4(2) would hold
 * it. */
static void several_acceptors_share_a_blocking_socket(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());
	struct acceptors acceptors = {server_of(AF_INET, 0, CALLS), 0};
	belay_group *group = belay_group_new(ctx);

	setenv("BELAY_WORKERS", "1", 1);
	for (int i = 0; i < 4; i++)
		assert_int_equal(belay_group_go(group, accept_some, &acceptors), 0);
	for (int i = 1; i <= CALLS; i++) {
		int fd = client_of(&acceptors.server, 0);

		assert_int_equal(connect_to(ctx, fd, &acceptors.server), 0);
		assert_true(check_until(acceptors.accepted == i));
		close(fd);
	}
	belay_cancel(ctx);
	assert_int_equal(belay_group_wait(group), 0);
	unsetenv("BELAY_WORKERS");
	close(acceptors.server.fd);
}

/* ---- Connecting ------------------------------------------------------------------------------ */

static void connect_each_mode(belay_ctx *ctx, void *arg)
{
	const struct server *server = arg;

	for (int i = 0; i < 2; i++) {
		int fd = client_of(server, i ? SOCK_NONBLOCK : 0), flags = fcntl(fd, F_GETFL);

		check(connect_to(ctx, fd, server) == 0);
		check(fcntl(fd, F_GETFL) == flags);
		close(fd);
	}
}

static void a_connect_leaves_the_mode_as_it_was(void **state)
{
	with_each_server(connect_each_mode);
}

static void connect_to_nobody(belay_ctx *ctx, void *arg)
{
	struct server server = server_of(AF_INET, 0, 1);
	int fd = client_of(&server, 0);

	close(server.fd);
	check(connect_to(ctx, fd, &server) == -ECONNREFUSED);
	check(connect_to(ctx, -1, &server) == -EBADF);
	close(fd);
}

static void nobody_there_is_an_error(void **state)
{
	from_both(connect_to_nobody, NULL);
}

/* A server whose queue is full does not answer: the black hole of loopback. Returns what fills
 * it. */
static int fill_queue(const struct server *server)
{
	int fd = client_of(server, SOCK_NONBLOCK);
	int err = connect(fd, (const struct sockaddr *)&server->addr, server->len);

	check(err == 0 || errno == EINPROGRESS);
	check(belay_wait_fd(belay_background(), fd, BELAY_WRITABLE) == BELAY_WRITABLE);
	return fd;
}

static void connect_cancelled(belay_ctx *ctx, void *arg)
{
	struct server server = server_of(AF_INET, 0, 0);
	int first = fill_queue(&server), fd = client_of(&server, 0);
	struct canceller canceller = {belay_with_cancel(ctx), fd, EPOLLOUT};
	struct aside aside;

	aside_start(&aside, ctx, cancel_when_waited_for, &canceller);
	check(connect_to(canceller.ctx, fd, &server) == -ECANCELED);
	aside_join(&aside);
	check(!is_waited_for(fd, EPOLLOUT));
	belay_end(canceller.ctx);
	close(first);
	close(fd);
	close(server.fd);
}

static void cancelling_ends_a_connect(void **state)
{
	from_both(connect_cancelled, NULL);
}

static void connect_until_late(belay_ctx *ctx, void *arg)
{
	struct server server = server_of(AF_INET, 0, 0);
	int first = fill_queue(&server), fd = client_of(&server, 0);
	BELAY_SCOPED belay_ctx *soon = belay_with_timeout(ctx, BELAY_MS(5));

	check(connect_to(soon, fd, &server) == -ETIME);
	check(connect_to(soon, fd, &server) == -ETIME);
	close(first);
	close(fd);
	close(server.fd);
}

static void a_deadline_ends_a_connect(void **state)
{
	from_both(connect_until_late, NULL);
}

struct queue {
	struct server server;
	_Atomic int connected;
};

static int connect_one_more(belay_ctx *ctx, void *arg)
{
	struct queue *queue = arg;
	int fd = client_of(&queue->server, 0);

	check(connect_to(ctx, fd, &queue->server) == 0);
	atomic_fetch_add(&queue->connected, 1);
	close(fd);
	return 0;
}

/* No event tells a client of a Unix socket that there is room again. */
static void a_connect_waits_for_room_in_a_unix_sockets_queue(void **state)
{
	struct queue queue = {server_of(AF_UNIX, 0, 0), 0};
	struct acceptors acceptors = {queue.server, 0};
	belay_group *clients = check_made(belay_group_new(belay_background()));
	belay_group *group = check_made(belay_group_new(belay_background()));
	BELAY_SCOPED belay_ctx *soon =
		check_live(belay_with_timeout(belay_background(), BELAY_MS(20)));
	int fd;

	check_needs_memory();
	for (int i = 0; i < 4; i++)
		assert_int_equal(belay_group_go(clients, connect_one_more, &queue), 0);
	assert_true(check_until(queue.connected >= 1));
	fd = client_of(&queue.server, 0);
	while (belay_err(soon) == 0 && connect_to(soon, fd, &queue.server) == 0) {
		close(fd);
		fd = client_of(&queue.server, 0);
	}
	assert_int_equal(belay_err(soon), -ETIME);
	close(fd);
	assert_int_equal(belay_group_go(group, accept_some, &acceptors), 0);
	assert_int_equal(belay_group_wait(clients), 0);
	assert_int_equal(queue.connected, 4);
	belay_cancel(belay_group_ctx(group));
	assert_int_equal(belay_group_wait(group), 0);
	close(queue.server.fd);
}

BELAY_TEST_MAIN(cmocka_unit_test(an_accept_waits_for_a_connection),
		cmocka_unit_test(cancelling_ends_an_accept),
		cmocka_unit_test(an_accept_where_nobody_listens_is_an_error),
		cmocka_unit_test(several_acceptors_share_a_blocking_socket),
		cmocka_unit_test(a_connect_leaves_the_mode_as_it_was),
		cmocka_unit_test(nobody_there_is_an_error),
		cmocka_unit_test(cancelling_ends_a_connect),
		cmocka_unit_test(a_deadline_ends_a_connect),
		cmocka_unit_test(a_connect_waits_for_room_in_a_unix_sockets_queue))
