/* SPDX-License-Identifier: MIT
 *
 * listener.c - listening sockets and the connections that arrive there.
 */
#include "base/alloc.h"
#include "net/address.h"
#include "net/conn.h"
#include "net/io.h"
#include "net/pollfd.h"
#include "net/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

struct belay_listener {
	int fd;
	bool is_tcp; /* and so are its connections */
	struct belay__unix_file file; /* to be removed at the close; nothing for TCP */
	int (*wrap)(belay_conn *conn, void *arg); /* NULL: connections are as they come */
	void (*done)(void *arg);
	void *arg;
	char address[BELAY__ADDRESS_SIZE];
};

/* ---- TCP ------------------------------------------------------------------------------------- */

/* What is accepted inherits TCP_NODELAY. wide: an IPv6 socket for all interfaces takes IPv4 too,
 * whatever net.ipv6.bindv6only says. */
static int set_options(int fd, int family, bool wide, const struct belay_listen_options *options)
{
	int on = 1, off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
		return -errno;
	if (options->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
		return -errno;
	if (wide && family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0)
		return -errno;
	return 0;
}

static int bind_and_listen(int fd, const struct addrinfo *info, int backlog)
{
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, backlog) < 0)
		return -errno;
	return 0;
}

/* A listening socket, or a negative errno. */
static int listen_on(const struct addrinfo *info, bool wide,
		     const struct belay_listen_options *options)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = set_options(fd, info->ai_family, wide, options);
	if (err == 0)
		err = bind_and_listen(fd, info, options->backlog);
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

/* The first of the name's addresses that can be listened on; where none can, the last one's
 * error. */
static int listen_on_name(belay_ctx *ctx, const char *host, const char *port, int family,
			  const struct belay_listen_options *options)
{
	struct addrinfo hints = {
		.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *list;
	int fd = belay_resolve(ctx, host, port, &hints, &list);

	if (fd < 0)
		return fd;
	fd = -EADDRNOTAVAIL;
	for (struct addrinfo *info = list; info && fd < 0; info = info->ai_next)
		fd = listen_on(info, !host, options);
	freeaddrinfo(list);
	return fd;
}

/* All interfaces: one socket for both families, or for IPv4 alone where there is no IPv6. */
static int listen_on_all(belay_ctx *ctx, const char *port,
			 const struct belay_listen_options *options)
{
	int fd = listen_on_name(ctx, NULL, port, AF_INET6, options);

	if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
		return fd;
	return listen_on_name(ctx, NULL, port, AF_INET, options);
}

static int listen_inet(belay_ctx *ctx, const struct belay__address *address,
		       const struct belay_listen_options *options, belay_listener *listener)
{
	int fd = address->host[0] ? listen_on_name(ctx, address->host, address->port, AF_UNSPEC,
						   options)
				  : listen_on_all(ctx, address->port, options);

	if (fd < 0)
		return fd;
	listener->fd = fd;
	return 0;
}

/* ---- Making and closing ---------------------------------------------------------------------- */

static int start(belay_ctx *ctx, const struct belay__address *address,
		 const struct belay_listen_options *options, belay_listener *listener)
{
	if (address->kind == BELAY__ADDRESS_INET)
		return listen_inet(ctx, address, options, listener);
	if (options->reuse_port)
		return -EOPNOTSUPP;
	listener->fd = belay__unix_listen(&address->path, address->path_len, options->backlog,
					  &listener->file);
	return listener->fd < 0 ? listener->fd : 0;
}

int belay_listen_with(belay_ctx *ctx, const char *address,
		      const struct belay_listen_options *options, belay_listener **ret)
{
	struct belay_listen_options filled = options ? *options : (struct belay_listen_options){0};
	struct belay__address parsed;
	belay_listener *listener;
	int err = belay_err(ctx);

	if (err == 0)
		err = belay__address_parse(address, &parsed);
	if (err == 0 && filled.backlog < 0)
		err = -EINVAL;
	if (err < 0)
		return err;
	if (filled.backlog == 0)
		filled.backlog = SOMAXCONN;
	listener = belay__calloc(1, sizeof *listener);
	if (!listener)
		return -ENOMEM;
	err = start(ctx, &parsed, &filled, listener);
	if (err < 0) {
		belay__free(listener);
		return err;
	}
	listener->is_tcp = belay__is_tcp(listener->fd);
	belay__local_address(listener->fd, listener->address);
	*ret = listener;
	return 0;
}

int belay_listen(belay_ctx *ctx, const char *address, belay_listener **ret)
{
	return belay_listen_with(ctx, address, NULL, ret);
}

/* 0: it listens, on what is a stream. */
static int check_listening(int fd)
{
	int type = 0, listening = 0;
	socklen_t size = sizeof type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0)
		return -errno;
	return type == SOCK_STREAM && listening ? 0 : -EINVAL;
}

/* TCP_NODELAY as for our own, where it is TCP. */
static int adopt(int fd)
{
	int flags = fcntl(fd, F_GETFL), on = 1;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 && errno != EOPNOTSUPP &&
	    errno != ENOPROTOOPT)
		return -errno;
	return 0;
}

int belay_listener_from_fd(int fd, belay_listener **ret)
{
	int err = check_listening(fd);
	belay_listener *listener;

	if (err < 0)
		return err;
	listener = belay__calloc(1, sizeof *listener);
	if (!listener)
		return -ENOMEM;
	err = adopt(fd);
	if (err < 0) {
		belay__free(listener);
		return err;
	}
	listener->fd = fd;
	listener->is_tcp = belay__is_tcp(fd);
	belay__local_address(fd, listener->address);
	*ret = listener;
	return 0;
}

void belay_listener_keep_file(belay_listener *listener)
{
	listener->file.path[0] = '\0';
}

void belay_listener_close(belay_listener *listener)
{
	if (!listener)
		return;
	if (listener->done)
		listener->done(listener->arg);
	belay__unix_file_remove(&listener->file);
	belay__pollfd_forget(listener->fd);
	close(listener->fd);
	belay__free(listener);
}

/* ---- Accepting ------------------------------------------------------------------------------- */

struct arrival {
	struct sockaddr_storage peer;
	socklen_t len;
};

/* Errors of the connection that was to be accepted, not of the listener (accept(2), "Error
 * handling"). */
static bool is_peers(int err)
{
	switch (err) {
	case ECONNABORTED:
	case EPROTO:
	case ENOPROTOOPT:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static ssize_t try_accept(int fd, void *arg)
{
	struct arrival *arrival = arg;
	int conn_fd;

	arrival->len = sizeof arrival->peer;
	conn_fd = accept4(fd, (struct sockaddr *)&arrival->peer, &arrival->len,
			  SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (conn_fd >= 0)
		return conn_fd;
	if (is_peers(errno))
		return -EINTR;
	return errno == ENOBUFS ? -ENOMEM : -errno;
}

void belay_listener_set_wrap(belay_listener *listener, int (*wrap)(belay_conn *conn, void *arg),
			     void (*done)(void *arg), void *arg)
{
	listener->wrap = wrap;
	listener->done = done;
	listener->arg = arg;
}

/* Hands over the connection as it is to be seen. */
static int hand_over(belay_listener *listener, belay_conn *conn, belay_conn **ret)
{
	int err = listener->wrap ? listener->wrap(conn, listener->arg) : 0;

	if (err < 0) {
		belay_conn_close(conn);
		return err;
	}
	*ret = conn;
	return 0;
}

/* The connection's memory comes first: an accepted socket must not be lost for lack of it. */
int belay_listener_accept(belay_ctx *ctx, belay_listener *listener, belay_conn **ret)
{
	belay_conn *conn = belay__conn_new();
	struct arrival arrival;
	ssize_t fd;

	if (!conn)
		return -ENOMEM;
	fd = belay__io_owned(ctx, listener->fd, BELAY_READABLE, try_accept, &arrival);
	if (fd < 0) {
		belay__free(conn);
		return (int)fd;
	}
	conn = belay__conn_init(conn, (int)fd, listener->is_tcp, (struct sockaddr *)&arrival.peer,
				arrival.len);
	return hand_over(listener, conn, ret);
}

/* ---- Questions ------------------------------------------------------------------------------- */

const char *belay_listener_address(const belay_listener *listener)
{
	return listener->address;
}

int belay_listener_fd(const belay_listener *listener)
{
	return listener->fd;
}
