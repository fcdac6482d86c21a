/* SPDX-License-Identifier: MIT
 *
 * conn.c - connected stream sockets, and what goes in and out of them.
 *
 * A connection has no state of its own but the socket's, and its filter's where it has one
 * (filter.c): one reader and one writer need no lock between them. Both addresses are looked up
 * when it is made, since the kernel forgets the peer's with the connection.
 */
#include "net/conn.h"

#include "base/alloc.h"
#include "net/io.h"
#include "net/pollfd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

/* ---- Making one ------------------------------------------------------------------------------ */

belay_conn *belay__conn_new(void)
{
	belay_conn *conn = belay__calloc(1, sizeof *conn + 2 * BELAY__ADDRESS_SIZE);

	if (conn)
		conn->fd = -1;
	return conn;
}

void belay__local_address(int fd, char ret[BELAY__ADDRESS_SIZE])
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof addr;

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		len = 0;
	belay__address_format((struct sockaddr *)&addr, len, ret);
}

/* Most addresses are a tenth of the longest. */
static belay_conn *shrink(belay_conn *conn)
{
	size_t size = conn->local + strlen(conn->addresses + conn->local) + 1;
	belay_conn *smaller = belay__realloc(conn, sizeof *conn + size);

	return smaller ? smaller : conn;
}

belay_conn *belay__conn_init(belay_conn *conn, int fd, bool is_tcp, const struct sockaddr *peer,
			     socklen_t len)
{
	conn->fd = fd;
	conn->input.tells = is_tcp;
	belay__address_format(peer, len, conn->addresses);
	conn->local = strlen(conn->addresses) + 1;
	belay__local_address(fd, conn->addresses + conn->local);
	return shrink(conn);
}

bool belay__is_tcp(int fd)
{
	int protocol;
	socklen_t size = sizeof protocol;

	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
	       protocol == IPPROTO_TCP;
}

/* -EBADF, -ENOTSOCK, or -EINVAL: not a stream. */
static int check_stream(int fd)
{
	int type;
	socklen_t size = sizeof type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	return type == SOCK_STREAM ? 0 : -EINVAL;
}

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int belay_conn_from_fd(int fd, belay_conn **ret)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;
	int err = check_stream(fd);
	belay_conn *conn;

	if (err < 0)
		return err;
	conn = belay__conn_new();
	if (!conn)
		return -ENOMEM;
	err = set_nonblocking(fd);
	if (err < 0) {
		belay__free(conn);
		return err;
	}
	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		len = 0;
	*ret = belay__conn_init(conn, fd, belay__is_tcp(fd), (struct sockaddr *)&peer, len);
	return 0;
}

void belay_conn_close(belay_conn *conn)
{
	if (!conn)
		return;
	belay__hangup_fini(&conn->hangup);
	if (conn->filter)
		conn->filter->close(conn, conn->filter_state);
	belay__pollfd_forget(conn->fd);
	close(conn->fd);
	belay__free(conn);
}

/* ---- In -------------------------------------------------------------------------------------- */

static ssize_t try_read(int fd, void *arg)
{
	struct iovec *part = arg;
	ssize_t count;

	if (part->iov_len == 0)
		return 0; /* where recv(2) would wait */
	count = recv(fd, part->iov_base, part->iov_len, MSG_DONTWAIT);
	return count < 0 ? -errno : count;
}

static ssize_t read_filter(belay_ctx *ctx, belay_conn *conn, void *buf, size_t size)
{
	ssize_t result = belay_err(ctx);

	if (result < 0 || size == 0)
		return result;
	belay__hangup_read_begins(&conn->hangup);
	result = conn->filter->read(ctx, conn, conn->filter_state, buf, size);
	belay__hangup_read_ends(&conn->hangup, result);
	return result;
}

ssize_t belay_conn_read(belay_ctx *ctx, belay_conn *conn, void *buf, size_t size)
{
	struct iovec part = {buf, size};

	if (conn->filter)
		return read_filter(ctx, conn, buf, size);
	return belay__io_read(ctx, conn->fd, &conn->input, size, try_read, &part);
}

/* ---- Out ------------------------------------------------------------------------------------- */

enum { WINDOW = 16 };

/* What is left to write: the caller's parts from iov on, of the first of which skip bytes are
 * gone. */
struct output {
	const struct iovec *iov;
	int count;
	size_t skip;
};

static void drop_empty(struct output *output)
{
	while (output->count > 0 && output->skip == output->iov->iov_len) {
		output->iov++;
		output->count--;
		output->skip = 0;
	}
}

static void advance(struct output *output, size_t size)
{
	while (output->count > 0 && size >= output->iov->iov_len - output->skip) {
		size -= output->iov->iov_len - output->skip;
		output->iov++;
		output->count--;
		output->skip = 0;
	}
	output->skip += size;
}

/* A copy of the next few parts, since the caller's are constant. */
static size_t window_of(const struct output *output, struct iovec window[WINDOW])
{
	size_t count = 0;

	for (; count < WINDOW && count < (size_t)output->count; count++)
		window[count] = output->iov[count];
	window[0].iov_base = (char *)window[0].iov_base + output->skip;
	window[0].iov_len -= output->skip;
	return count;
}

/* By the cheaper call: most often there is no other. */
static ssize_t send_last(int fd, const struct output *output)
{
	return send(fd, (char *)output->iov->iov_base + output->skip,
		    output->iov->iov_len - output->skip, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t send_window(int fd, const struct output *output)
{
	struct iovec window[WINDOW];
	struct msghdr message = {.msg_iov = window};

	message.msg_iovlen = window_of(output, window);
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t try_write(int fd, void *arg)
{
	const struct output *output = arg;
	ssize_t count = output->count == 1 ? send_last(fd, output) : send_window(fd, output);

	return count < 0 ? -errno : count;
}

static ssize_t write_some(belay_ctx *ctx, belay_conn *conn, struct output *output)
{
	struct iovec window[WINDOW];
	size_t count;

	if (!conn->filter)
		return belay__io_owned(ctx, conn->fd, BELAY_WRITABLE, try_write, output);
	count = window_of(output, window);
	return conn->filter->write(ctx, conn, conn->filter_state, window, (int)count);
}

static int flush(belay_ctx *ctx, belay_conn *conn)
{
	return conn->filter ? conn->filter->flush(ctx, conn, conn->filter_state) : 0;
}

int belay_conn_writev(belay_ctx *ctx, belay_conn *conn, const struct iovec *iov, int count,
		      size_t *written)
{
	struct output output = {.iov = iov, .count = count};
	ssize_t result = count < 0 ? -EINVAL : belay_err(ctx);
	size_t total = 0;

	drop_empty(&output);
	while (result >= 0 && output.count > 0) {
		result = write_some(ctx, conn, &output);
		if (result > 0) {
			advance(&output, (size_t)result);
			drop_empty(&output);
			total += (size_t)result;
		}
	}
	if (result >= 0 && total > 0)
		result = flush(ctx, conn);
	if (written)
		*written = total;
	return result < 0 ? (int)result : 0;
}

int belay_conn_write(belay_ctx *ctx, belay_conn *conn, const void *buf, size_t size,
		     size_t *written)
{
	struct iovec part = {(void *)buf, size};

	return belay_conn_writev(ctx, conn, &part, 1, written);
}

static int shut(belay_conn *conn)
{
	return shutdown(conn->fd, SHUT_WR) < 0 ? -errno : 0;
}

int belay_conn_shutdown(belay_conn *conn)
{
	int err = conn->filter ? conn->filter->finish(NULL, conn, conn->filter_state) : 0;

	return err < 0 ? err : shut(conn);
}

int belay_conn_finish(belay_ctx *ctx, belay_conn *conn)
{
	int err = belay_err(ctx);

	if (err == 0 && conn->filter)
		err = conn->filter->finish(ctx, conn, conn->filter_state);
	return err < 0 ? err : shut(conn);
}

/* ---- Questions ------------------------------------------------------------------------------- */

int belay_conn_fd(const belay_conn *conn)
{
	return conn->fd;
}

const char *belay_conn_peer(const belay_conn *conn)
{
	return conn->addresses;
}

const char *belay_conn_local(const belay_conn *conn)
{
	return conn->addresses + conn->local;
}
