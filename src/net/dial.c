/* SPDX-License-Identifier: MIT
 *
 * dial.c - connecting to a name: every address of it gets its chance, none of them an hour.
 *
 * Happy Eyeballs (RFC 8305): the addresses are tried in the resolver's order with the families
 * taking turns (section 4), each 250 ms after the one before it or as soon as one has failed
 * (section 5). The first to connect wins and the others are cancelled.
 */
#include "base/alloc.h"
#include "net/conn.h"

#include <belay/group.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static const int64_t stagger = BELAY_MS(250);

/* One address, and its connected socket where it has come so far. */
struct attempt {
	const struct sockaddr *addr;
	socklen_t len;
	int fd;
};

/* Requests and answers go out as they are written; Unix sockets know no such delay. */
static void send_at_once(int fd, int family)
{
	int on = 1;

	if (family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Where nobody listens at a port that clients are given, the kernel may give us that very port, and
 * TCP lets a socket connect to itself (RFC 9293, 3.5: simultaneous open). */
static bool is_self(int fd, const struct attempt *attempt)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof own;

	return getsockname(fd, (struct sockaddr *)&own, &len) == 0 && len == attempt->len &&
	       attempt->addr->sa_family != AF_UNIX && memcmp(&own, attempt->addr, len) == 0;
}

static int attempt(belay_ctx *ctx, void *arg)
{
	struct attempt *attempt = arg;
	int family = attempt->addr->sa_family;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = belay_connect(ctx, fd, attempt->addr, attempt->len);
	if (err == 0 && is_self(fd, attempt))
		err = -ECONNREFUSED;
	if (err < 0) {
		close(fd);
		return err;
	}
	send_at_once(fd, family);
	attempt->fd = fd;
	return 0;
}

/* ---- Several addresses ----------------------------------------------------------------------- */

static size_t count_of(const struct addrinfo *list)
{
	size_t count = 0;

	for (; list; list = list->ai_next)
		count++;
	return count;
}

/* The next entry from here on that is (same) or is not of family; NULL: none. */
static const struct addrinfo *find(const struct addrinfo *from, int family, bool same)
{
	while (from && (from->ai_family == family) != same)
		from = from->ai_next;
	return from;
}

/* The resolver's order, but for the families taking turns, beginning with the first one's. */
static void interleave(const struct addrinfo *list, struct attempt *attempts)
{
	int family = list->ai_family;
	const struct addrinfo *next[] = {list, find(list, family, false)};

	for (size_t i = 0; next[0] || next[1]; i++) {
		size_t turn = next[i % 2] ? i % 2 : (i + 1) % 2;

		attempts[i] = (struct attempt){next[turn]->ai_addr, next[turn]->ai_addrlen, -1};
		next[turn] = find(next[turn]->ai_next, family, turn == 0);
	}
}

/* Closes all but the winner's: another may have connected in the same moment. */
static void close_losers(struct attempt *attempts, size_t count, int winner)
{
	for (size_t i = 0; i < count; i++)
		if ((int)i != winner && attempts[i].fd >= 0)
			close(attempts[i].fd);
}

/* The index of the one that connected, or a negative errno. */
static int race(belay_ctx *ctx, struct attempt *attempts, size_t count)
{
	void **args = belay__calloc(count, sizeof *args);
	int winner;

	if (!args)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		args[i] = &attempts[i];
	winner = belay_first(ctx, attempt, args, count, stagger);
	close_losers(attempts, count, winner);
	belay__free(args);
	return winner;
}

/* ---- From an address to a connection --------------------------------------------------------- */

/* Makes the connection of won's socket, which is closed where that fails. */
static int wrap(const struct attempt *won, belay_conn **ret)
{
	belay_conn *conn = belay__conn_new();

	if (!conn) {
		close(won->fd);
		return -ENOMEM;
	}
	*ret = belay__conn_init(conn, won->fd, belay__is_tcp(won->fd), won->addr, won->len);
	return 0;
}

/* One address needs no task of its own. */
static int dial_one(belay_ctx *ctx, const struct sockaddr *addr, socklen_t len, belay_conn **ret)
{
	struct attempt only = {addr, len, -1};
	int err = attempt(ctx, &only);

	return err < 0 ? err : wrap(&only, ret);
}

static int dial_all(belay_ctx *ctx, const struct addrinfo *list, belay_conn **ret)
{
	size_t count = count_of(list);
	struct attempt *attempts;
	int winner;

	if (count == 1)
		return dial_one(ctx, list->ai_addr, list->ai_addrlen, ret);
	attempts = belay__calloc(count, sizeof *attempts);
	if (!attempts)
		return -ENOMEM;
	interleave(list, attempts);
	winner = race(ctx, attempts, count);
	if (winner >= 0)
		winner = wrap(&attempts[winner], ret);
	belay__free(attempts);
	return winner;
}

static int dial_inet(belay_ctx *ctx, const struct belay__address *address, belay_conn **ret)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int err;

	if (address->host[0] == '\0')
		return -EINVAL;
	err = belay_resolve(ctx, address->host, address->port, &hints, &list);
	if (err < 0)
		return err;
	err = dial_all(ctx, list, ret);
	freeaddrinfo(list);
	return err;
}

int belay_dial(belay_ctx *ctx, const char *address, belay_conn **ret)
{
	struct belay__address parsed;
	int err = belay_err(ctx);

	if (err == 0)
		err = belay__address_parse(address, &parsed);
	if (err < 0)
		return err;
	if (parsed.kind == BELAY__ADDRESS_INET)
		return dial_inet(ctx, &parsed, ret);
	return dial_one(ctx, (struct sockaddr *)&parsed.path, parsed.path_len, ret);
}
