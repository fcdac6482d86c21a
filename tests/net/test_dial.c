/* SPDX-License-Identifier: MIT
 *
 * test_dial.c - a name's addresses, tried in turn (RFC 8305).
 *
 * The program's own getaddrinfo() gives "name.test" the addresses that a test lists. All of 127/8
 * is loopback: an address where nobody listens refuses, and one whose server's queue is full is a
 * black hole.
 */
#include "conn_test.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* ---- The resolver ---------------------------------------------------------------------------- */

static const char *const *answer; /* of "name.test"; ends with NULL */

static int real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
			    struct addrinfo **ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(host, service, hints, ret);
}

/* A list of several answers is one that freeaddrinfo(3) frees entry by entry. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	if (!host || strcmp(host, "name.test") != 0)
		return real_getaddrinfo(host, service, hints, ret);
	if (hints && hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	for (const char *const *address = answer; *address; address++) {
		int code = real_getaddrinfo(*address, service, hints, ret);

		if (code != 0)
			return code;
		ret = &(*ret)->ai_next;
	}
	return 0;
}

/* ---- Servers --------------------------------------------------------------------------------- */

enum { SERVERS = 3 };

/* Servers at one port of several addresses. */
struct servers {
	unsigned port;
	int fds[SERVERS];
	char address[32]; /* "name.test" at that port */
};

static int listen_at(const char *host, unsigned port, int backlog)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *info;
	char service[8];
	int fd = -1;

	snprintf(service, sizeof service, "%u", port);
	if (!check(real_getaddrinfo(host, service, &hints, &info) == 0))
		return -1;
	fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, backlog) < 0) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(info);
	return fd;
}

static unsigned port_of(int fd)
{
	struct sockaddr_in6 addr;
	socklen_t len = sizeof addr;

	check(getsockname(fd, (struct sockaddr *)&addr, &len) == 0);
	return ntohs(addr.sin6_port); /* stands in the same place in both families */
}

/* Where a port that was free at the first address is taken at another, a new one is tried. */
static struct servers servers_at(const char *const hosts[], int backlog)
{
	struct servers servers = {.fds = {-1, -1, -1}};
	int i = 0;

	while (i < SERVERS && hosts[i]) {
		servers.fds[i] = listen_at(hosts[i], servers.port, backlog);
		if (servers.fds[i] >= 0) {
			servers.port = port_of(servers.fds[i++]);
			continue;
		}
		while (i > 0)
			close(servers.fds[--i]);
		servers.port = 0;
	}
	snprintf(servers.address, sizeof servers.address, "name.test:%u", servers.port);
	return servers;
}

static void close_servers(struct servers servers)
{
	for (int i = 0; i < SERVERS; i++)
		if (servers.fds[i] >= 0)
			close(servers.fds[i]);
}

/* Fills the queue of the server at host, which has room for one. */
static int fill(const char *host, unsigned port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, host, &addr.sin_addr);
	check(connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0);
	return fd;
}

/* ---- One address ----------------------------------------------------------------------------- */

static void dial_wrongly(belay_ctx *ctx, void *arg)
{
	static const char *const hosts[] = {"127.0.0.1", NULL};
	struct servers servers = servers_at(hosts, 8);
	BELAY_SCOPED belay_ctx *done = belay_with_timeout(ctx, 0);
	belay_conn *conn = NULL;
	char address[32];

	snprintf(address, sizeof address, "127.0.0.1:%u", servers.port);
	check(belay_dial(ctx, "nonsense", &conn) == -EINVAL);
	check(belay_dial(ctx, ":80", &conn) == -EINVAL);
	check(belay_dial(ctx, NULL, &conn) == -EINVAL);
	check(belay_dial(NULL, address, &conn) == -EINVAL);
	check(belay_dial(done, address, &conn) == -ETIME);
	check(belay_dial(ctx, "unix:/proc/self/none", &conn) == -ENOENT);
	close_servers(servers);
	check(belay_dial(ctx, address, &conn) == -ECONNREFUSED);
	check(conn == NULL);
}

static void what_cant_be_dialled_is_an_error(void **state)
{
	from_both(dial_wrongly, NULL);
}

static void dial_black_hole(belay_ctx *ctx, void *arg)
{
	static const char *const hosts[] = {"127.0.0.1", NULL};
	struct servers servers = servers_at(hosts, 0);
	int first = fill("127.0.0.1", servers.port);
	BELAY_SCOPED belay_ctx *soon = belay_with_timeout(ctx, BELAY_MS(10));
	belay_conn *conn = NULL;
	char address[32];

	snprintf(address, sizeof address, "127.0.0.1:%u", servers.port);
	check(belay_dial(soon, address, &conn) == -ETIME);
	check(conn == NULL);
	close(first);
	close_servers(servers);
}

static void a_deadline_ends_a_dial_that_nobody_answers(void **state)
{
	from_both(dial_black_hole, NULL);
}

/* The kernel goes through every second port for those who connect, and so comes by the one that is
 * dialled; the others are for those who bind. */
static void nobody_ever_connects_to_itself(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", NULL};
	struct servers servers = servers_at(hosts, 8);
	belay_conn *conn;
	char address[32];

	close_servers(servers);
	snprintf(address, sizeof address, "127.0.0.1:%u", servers.port ^ 1);
	for (int i = 0; i < 40000; i++)
		if (belay_dial(belay_background(), address, &conn) != -ECONNREFUSED)
			fail_msg("try %d", i);
}

static void what_was_dialled_does_not_wait_to_fill_packets(void **state)
{
	struct pair pair = tcp_pair();
	int on = 0;
	socklen_t size = sizeof on;

	getsockopt(belay_conn_fd(pair.a), IPPROTO_TCP, TCP_NODELAY, &on, &size);
	assert_true(on);
	getsockopt(belay_conn_fd(pair.b), IPPROTO_TCP, TCP_NODELAY, &on, &size);
	assert_true(on);
	close_pair(pair);
}

/* ---- Several addresses ----------------------------------------------------------------------- */

static void dial_past_refusals(belay_ctx *ctx, void *arg)
{
	static const char *const hosts[] = {"127.0.0.4", NULL};
	static const char *const all[] = {"127.0.0.2", "127.0.0.3", "127.0.0.4", NULL};
	struct servers servers = servers_at(hosts, 8);
	int64_t began = belay_now();
	belay_conn *conn = NULL;

	answer = all;
	if (check(belay_dial(ctx, servers.address, &conn) == 0))
		check(strncmp(belay_conn_peer(conn), "127.0.0.4:", 10) == 0);
	belay_conn_close(conn);
	check(belay_now() - began < BELAY_S(10));
	close_servers(servers);
}

static void an_address_that_refuses_is_followed_by_the_next(void **state)
{
	from_both(dial_past_refusals, NULL);
}

static void dial_past_hole(belay_ctx *ctx, void *arg)
{
	static const char *const hosts[] = {"127.0.0.2", "127.0.0.3", NULL};
	struct servers servers = servers_at(hosts, 0);
	int first = fill("127.0.0.2", servers.port);
	int64_t began = belay_now();
	belay_conn *conn = NULL;

	answer = hosts;
	if (check(belay_dial(ctx, servers.address, &conn) == 0))
		check(strncmp(belay_conn_peer(conn), "127.0.0.3:", 10) == 0);
	check(belay_now() - began >= BELAY_MS(250));
	belay_conn_close(conn);
	close(first);
	close_servers(servers);
}

static void an_address_that_does_not_answer_is_overtaken_after_a_while(void **state)
{
	check_needs_memory(); /* for the second to be tried while the first waits */
	from_both(dial_past_hole, NULL);
}

static void nobody_at_any_address_is_the_last_ones_error(void **state)
{
	static const char *const hosts[] = {"127.0.0.4", NULL};
	static const char *const all[] = {"127.0.0.2", "127.0.0.3", NULL};
	struct servers servers = servers_at(hosts, 8);
	belay_conn *conn = NULL;

	answer = all;
	assert_int_equal(belay_dial(belay_background(), servers.address, &conn), -ECONNREFUSED);
	assert_null(conn);
	close_servers(servers);
}

static void cancel_dial(belay_ctx *ctx, void *arg)
{
	static const char *const hosts[] = {"127.0.0.2", "127.0.0.3", NULL};
	struct servers servers = servers_at(hosts, 0);
	int first = fill("127.0.0.2", servers.port), second = fill("127.0.0.3", servers.port);
	BELAY_SCOPED belay_ctx *soon = belay_with_timeout(ctx, BELAY_MS(300));
	belay_conn *conn = NULL;

	answer = hosts;
	check(belay_dial(soon, servers.address, &conn) == -ETIME);
	check(conn == NULL);
	close(first);
	close(second);
	close_servers(servers);
}

static void a_deadline_ends_all_tries(void **state)
{
	from_both(cancel_dial, NULL);
}

/* The second of the first family would answer, but it is not its turn. */
static void the_families_take_turns(void **state)
{
	static const char *const hosts[] = {"127.0.0.3", "::1", NULL};
	static const char *const all[] = {"127.0.0.2", "127.0.0.3", "::1", NULL};
	struct servers servers;
	belay_conn *conn = NULL;

	if (!has_ipv6())
		skip();
	servers = servers_at(hosts, 8);
	answer = all;
	assert_int_equal(belay_dial(belay_background(), servers.address, &conn), 0);
	assert_memory_equal(belay_conn_peer(conn), "[::1]:", 6);
	belay_conn_close(conn);
	close_servers(servers);
}

BELAY_TEST_MAIN(cmocka_unit_test(what_cant_be_dialled_is_an_error),
		cmocka_unit_test(a_deadline_ends_a_dial_that_nobody_answers),
		cmocka_unit_test(nobody_ever_connects_to_itself),
		cmocka_unit_test(what_was_dialled_does_not_wait_to_fill_packets),
		cmocka_unit_test(an_address_that_refuses_is_followed_by_the_next),
		cmocka_unit_test(an_address_that_does_not_answer_is_overtaken_after_a_while),
		cmocka_unit_test(nobody_at_any_address_is_the_last_ones_error),
		cmocka_unit_test(a_deadline_ends_all_tries),
		cmocka_unit_test(the_families_take_turns))
