/* SPDX-License-Identifier: MIT
 *
 * client_peer.h - a server of plain threads and sockets that says what a test tells it to.
 *
 * It knows nothing of Belay, so that a client is tested against HTTP itself. Each connection has a
 * thread, which runs the test's script; the script ends the connection by returning.
 */
#ifndef BELAY_TESTS_HTTP_CLIENT_PEER_H
#define BELAY_TESTS_HTTP_CLIENT_PEER_H

#include "check.h"

#include <belay/http_client.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

enum { PEER_MOST_CONNECTIONS = 4096, PEER_MOST_REQUEST = 16384 };

struct peer {
	int listen_fd;
	int port;
	char url[64]; /* "http://127.0.0.1:port" */
	void (*serve)(struct peer *peer, int fd);
	void *arg; /* the test's own */
	atomic_uint connections; /* accepted so far */
	atomic_uint requests;    /* read whole so far */
	pthread_t acceptor;

	pthread_mutex_t lock;
	bool stopping;
	struct peer_connection {
		struct peer *peer;
		int fd;
		pthread_t thread;
	} *list[PEER_MOST_CONNECTIONS];
	unsigned count;
};

/* Listens on a free port of the loopback; runs serve(peer, fd) in a thread for each connection. */
void peer_start(struct peer *peer, void (*serve)(struct peer *peer, int fd), void *arg);

/* Ends what the scripts still wait for, and joins all of them. */
void peer_stop(struct peer *peer);

/* A request as it came: head and, by its Content-Length, body. */
struct peer_request {
	char text[PEER_MOST_REQUEST];
	char method[16], path[256];
	const char *body; /* in text */
	size_t body_size;
};

/* Reads one. False: the client has closed the connection instead. */
bool peer_read(struct peer *peer, int fd, struct peer_request *request);

/* The value of a header of a request, trimmed; false: it has none. */
bool peer_header(const struct peer_request *request, const char *name, char *value, size_t size);

/* Sends all of it, whatever becomes of it; false: the client does not take it. */
bool peer_send(int fd, const char *text);
bool peer_send_bytes(int fd, const void *bytes, size_t size);

/* Sends 200 with this body. */
bool peer_reply(int fd, const char *body);

/* Blocks until the client has closed the connection, or reset it. */
void peer_await_end(int fd);

/* A socket that never accepts, and has no room for one more connection: whoever connects waits. The
 * descriptors are closed by peer_unreachable_end(). */
struct peer_unreachable {
	int listen_fd, fill[16];
	unsigned filled;
	char url[64];
};
void peer_unreachable_begin(struct peer_unreachable *unreachable);
void peer_unreachable_end(struct peer_unreachable *unreachable);

/* The client that most tests use, with the defaults. */
belay_http_client *peer_client(const struct belay_http_client_options *options);

/* "http://127.0.0.1:port/path" in a buffer of the thread's own. */
const char *peer_url(const struct peer *peer, const char *path);

#endif
