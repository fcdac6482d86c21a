/* SPDX-License-Identifier: MIT
 *
 * conn_test.h - pairs of connections for tests.
 */
#ifndef BELAY_TESTS_NET_CONN_TEST_H
#define BELAY_TESTS_NET_CONN_TEST_H

#include "net_test.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* Whether the loopback has an address of that family here. */
static inline bool has_ipv6(void)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

struct pair {
	belay_conn *a, *b;
};

/* Two ends of a Unix socket pair. */
static inline struct pair unix_pair(void)
{
	struct pair pair = {NULL, NULL};
	int fds[2];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	check(belay_conn_from_fd(fds[0], &pair.a) == 0);
	check(belay_conn_from_fd(fds[1], &pair.b) == 0);
	return pair;
}

/* a has dialled, b was accepted. */
static inline struct pair tcp_pair(void)
{
	belay_ctx *ctx = belay_background();
	struct pair pair = {NULL, NULL};
	belay_listener *listener = NULL;

	if (check(belay_listen(ctx, "127.0.0.1:0", &listener) == 0) &&
	    check(belay_dial(ctx, belay_listener_address(listener), &pair.a) == 0))
		check(belay_listener_accept(ctx, listener, &pair.b) == 0);
	belay_listener_close(listener);
	return pair;
}

static inline void close_pair(struct pair pair)
{
	belay_conn_close(pair.a);
	belay_conn_close(pair.b);
}

static struct pair (*const pair_kinds[])(void) = {unix_pair, tcp_pair};

/* Calls fn with a pair of each kind, from a thread and from a task; fn closes it. */
static inline void with_each_pair(void (*fn)(belay_ctx *ctx, void *pair))
{
	for (size_t i = 0; i < sizeof pair_kinds / sizeof *pair_kinds; i++) {
		struct pair first = pair_kinds[i](), second = pair_kinds[i]();

		fn(belay_background(), &first);
		check_in_task(fn, &second);
	}
}

#endif
