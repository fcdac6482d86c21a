/* SPDX-License-Identifier: MIT
 *
 * client_peer.c - a server of plain threads and sockets that says what a test tells it to.
 *
 * Locking     peer->lock guards what stands below it; a connection's descriptor is closed under it,
 *             so that peer_stop() shuts down no other that has got the same number.
 */
#include "client_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Connections ----------------------------------------------------------------------------- */

static void *run_connection(void *arg)
{
	struct peer_connection *connection = arg;
	struct peer *peer = connection->peer;

	peer->serve(peer, connection->fd);
	pthread_mutex_lock(&peer->lock);
	close(connection->fd);
	connection->fd = -1;
	pthread_mutex_unlock(&peer->lock);
	return NULL;
}

static void begin_connection(struct peer *peer, int fd)
{
	struct peer_connection *connection = calloc(1, sizeof *connection);

	pthread_mutex_lock(&peer->lock);
	if (peer->stopping || peer->count == PEER_MOST_CONNECTIONS) {
		pthread_mutex_unlock(&peer->lock);
		free(connection);
		close(fd);
		return;
	}
	*connection = (struct peer_connection){.peer = peer, .fd = fd};
	peer->list[peer->count++] = connection;
	atomic_fetch_add(&peer->connections, 1);
	pthread_create(&connection->thread, NULL, run_connection, connection);
	pthread_mutex_unlock(&peer->lock);
}

static void *run_acceptor(void *arg)
{
	struct peer *peer = arg;
	int fd;

	while ((fd = accept4(peer->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno != EINVAL)
		if (fd >= 0)
			begin_connection(peer, fd);
	return NULL;
}

static int listen_on_loopback(int backlog, int *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

void peer_start(struct peer *peer, void (*serve)(struct peer *peer, int fd), void *arg)
{
	memset(peer, 0, sizeof *peer);
	pthread_mutex_init(&peer->lock, NULL);
	peer->serve = serve;
	peer->arg = arg;
	peer->listen_fd = listen_on_loopback(1024, &peer->port);
	snprintf(peer->url, sizeof peer->url, "http://127.0.0.1:%d", peer->port);
	assert_int_equal(pthread_create(&peer->acceptor, NULL, run_acceptor, peer), 0);
}

static void shut_down_all(struct peer *peer)
{
	pthread_mutex_lock(&peer->lock);
	peer->stopping = true;
	for (unsigned i = 0; i < peer->count; i++)
		if (peer->list[i]->fd >= 0)
			shutdown(peer->list[i]->fd, SHUT_RDWR);
	pthread_mutex_unlock(&peer->lock);
}

/* A listening socket that is shut down makes accept(2) fail with EINVAL. */
void peer_stop(struct peer *peer)
{
	shutdown(peer->listen_fd, SHUT_RDWR);
	pthread_join(peer->acceptor, NULL);
	shut_down_all(peer);
	for (unsigned i = 0; i < peer->count; i++) {
		pthread_join(peer->list[i]->thread, NULL);
		free(peer->list[i]);
	}
	close(peer->listen_fd);
	pthread_mutex_destroy(&peer->lock);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static size_t content_length(const struct peer_request *request)
{
	char value[32] = "0";

	peer_header(request, "Content-Length", value, sizeof value);
	return strtoul(value, NULL, 10);
}

/* Reads up to and with the blank line; the number of bytes read, 0 at the end of the stream. */
static size_t read_head(int fd, char *text, size_t size)
{
	size_t used = 0;

	while (used < size - 1) {
		ssize_t n = recv(fd, text + used, 1, 0);

		if (n <= 0)
			return 0;
		text[++used] = '\0';
		if (used >= 4 && memcmp(text + used - 4, "\r\n\r\n", 4) == 0)
			return used;
	}
	return 0;
}

bool peer_read(struct peer *peer, int fd, struct peer_request *request)
{
	size_t head = read_head(fd, request->text, sizeof request->text), read = 0;

	if (head == 0 || sscanf(request->text, "%15s %255s", request->method, request->path) != 2)
		return false;
	request->body = request->text + head;
	request->body_size = content_length(request);
	if (!check(head + request->body_size < sizeof request->text))
		return false;
	while (read < request->body_size) {
		ssize_t n = recv(fd, request->text + head + read, request->body_size - read, 0);

		if (n <= 0)
			return false;
		read += (size_t)n;
	}
	request->text[head + read] = '\0';
	atomic_fetch_add(&peer->requests, 1);
	return true;
}

bool peer_header(const struct peer_request *request, const char *name, char *value, size_t size)
{
	const char *line = strstr(request->text, "\r\n");
	size_t length = strlen(name);

	for (; line && strncmp(line, "\r\n\r\n", 4) != 0; line = strstr(line + 2, "\r\n")) {
		const char *start = line + 2;

		if (strncasecmp(start, name, length) != 0 || start[length] != ':')
			continue;
		start += length + 1;
		start += strspn(start, " ");
		snprintf(value, size, "%.*s", (int)strcspn(start, "\r"), start);
		return true;
	}
	return false;
}

/* ---- Replies --------------------------------------------------------------------------------- */

bool peer_send_bytes(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size > 0) {
		ssize_t n = send(fd, at, size, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

bool peer_send(int fd, const char *text)
{
	return peer_send_bytes(fd, text, strlen(text));
}

bool peer_reply(int fd, const char *body)
{
	char head[128];

	snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(body));
	return peer_send(fd, head) && peer_send(fd, body);
}

void peer_await_end(int fd)
{
	char scrap[4096];

	while (recv(fd, scrap, sizeof scrap, 0) > 0)
		;
}

/* ---- Nobody there ---------------------------------------------------------------------------- */

/* Connects without waiting; true where the kernel answered within a generous while, false where the
 * queue of the listening socket is full and it is kept waiting. */
static bool fill_one(struct peer_unreachable *unreachable, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct pollfd poller = {.events = POLLOUT};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	unreachable->fill[unreachable->filled++] = fd;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return true;
	poller.fd = fd;
	return poll(&poller, 1, 200) > 0;
}

void peer_unreachable_begin(struct peer_unreachable *unreachable)
{
	int port;

	memset(unreachable, 0, sizeof *unreachable);
	unreachable->listen_fd = listen_on_loopback(0, &port);
	snprintf(unreachable->url, sizeof unreachable->url, "http://127.0.0.1:%d/", port);
	while (fill_one(unreachable, port))
		assert_true(unreachable->filled < 16);
}

void peer_unreachable_end(struct peer_unreachable *unreachable)
{
	for (unsigned i = 0; i < unreachable->filled; i++)
		close(unreachable->fill[i]);
	close(unreachable->listen_fd);
}

/* ---- Clients --------------------------------------------------------------------------------- */

belay_http_client *peer_client(const struct belay_http_client_options *options)
{
	belay_http_client *client = NULL;

	assert_int_equal(belay_http_client_new(options, &client), 0);
	return client;
}

const char *peer_url(const struct peer *peer, const char *path)
{
	static _Thread_local char url[512];

	snprintf(url, sizeof url, "%s%s", peer->url, path);
	return url;
}
