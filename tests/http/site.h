/* SPDX-License-Identifier: MIT
 *
 * site.h - a server on a free port of the loopback, and clients that speak to it byte by byte.
 *
 * Clients are plain blocking sockets: what is tested here must not be tested by itself. Each read
 * gives up after half a minute, far beyond what any answer takes, and then fails the test.
 */
#ifndef BELAY_TESTS_HTTP_SITE_H
#define BELAY_TESTS_HTTP_SITE_H

#include "check.h"

#include <belay/http.h>

#include <pthread.h>

struct site {
	belay_router *router; /* made by site_init(); routes are added before site_start() */
	belay_server *server;
	belay_ctx *stop;      /* the one that belay_server_serve() is given */
	belay_listener *listener;
	pthread_t thread;
	bool serving;         /* the thread has not been joined yet */
	char address[64];
	int result;           /* of belay_server_serve() */
};

void site_init(struct site *site);
void site_start(struct site *site, belay_ctx *base, const struct belay_server_options *options);

/* Waits until belay_server_serve() has returned; its result is in result. */
void site_join(struct site *site);

/* Shuts down (ending requests that still run), joins, frees. */
void site_stop(struct site *site);

/* A connected socket. And one that takes no more than some size bytes ahead of its reader. */
int site_dial(const struct site *site);
int site_dial_narrow(const struct site *site, int size);

/* Sends all of it. False: the server has closed. */
bool raw_send(int fd, const char *text);
bool raw_send_bytes(int fd, const void *data, size_t size);

/* Reads to the end of the stream: text with a NUL behind it, which the caller frees. A reset counts
 * as an end. */
char *raw_read_all(int fd);

/* Reads what one read gives: up to size - 1 bytes and a NUL; 0: the end, also by a reset. */
size_t raw_read_some(int fd, char *buf, size_t size);

/* Reads as many bytes as text has, which must be text's. */
void raw_expect(int fd, const char *text);

/* Reads until text stands in what came. */
void raw_read_until(int fd, const char *text);

/* One response, read to its end by Content-Length, chunks or none. */
struct reply {
	int status;
	char head[4096]; /* with the empty line */
	char body[65536];
	size_t size;
	bool chunked, closes; /* Transfer-Encoding: chunked; Connection: close */
};
void raw_read_reply(int fd, struct reply *ret, bool head_only);

/* The value of a header in reply, to buf; false: there is none. */
bool reply_header(const struct reply *reply, const char *name, char *buf, size_t size);

/* True once the server has closed the connection: nothing but the end comes. */
bool raw_is_closed(int fd);

/* Sends text on a connection of its own, and gives the one reply, and whether the server closed. */
bool site_ask(const struct site *site, const char *text, struct reply *ret);

#endif
