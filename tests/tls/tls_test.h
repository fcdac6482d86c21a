/* SPDX-License-Identifier: MIT
 *
 * tls_test.h - a server's and a client's side of TLS for tests, and pairs of connections between
 * them.
 */
#ifndef BELAY_TESTS_TLS_TLS_TEST_H
#define BELAY_TESTS_TLS_TLS_TEST_H

#include "authority.h"
#include "conn_test.h"

#include <fcntl.h>
#include <pthread.h>

#include <string.h>

/* Both sides: the server is "localhost" and 127.0.0.1, the client trusts its authority. */
struct sides {
	struct authority authority;
	struct issued own;
	struct belay_tls_certificate certificate;
	struct belay_tls_server_options server_options;
	struct belay_tls_client_options client_options;
	belay_tls *server, *client;
};

static inline void sides_prepare(struct sides *sides)
{
	memset(sides, 0, sizeof *sides);
	authority_init(&sides->authority);
	sides->own = authority_issue(&sides->authority, "own", "server",
				     "DNS:localhost,IP:127.0.0.1", 7200);
	sides->certificate = certificate_of(&sides->own);
	sides->server_options.certificates = &sides->certificate;
	sides->server_options.count = 1;
	sides->client_options.ca_file = sides->authority.ca_file;
}

/* With what the options say by now. */
static inline void sides_make(struct sides *sides)
{
	struct belay_tls_error error = {""};

	if (!check(belay_tls_server_new(belay_background(), &sides->server_options, &sides->server,
					&error) == 0) ||
	    !check(belay_tls_client_new(belay_background(), &sides->client_options, &sides->client,
					&error) == 0))
		fail_msg("%s", error.text);
}

static inline void sides_init(struct sides *sides)
{
	sides_prepare(sides);
	sides_make(sides);
}

static inline void sides_fini(struct sides *sides)
{
	belay_tls_unref(sides->server);
	belay_tls_unref(sides->client);
	authority_fini(&sides->authority);
}

/* A handshake to be made by a task. */
struct shaking {
	belay_conn *conn;
	int result;
};

static inline void shake_hands(belay_ctx *ctx, void *arg)
{
	struct shaking *shaking = arg;

	shaking->result = belay_conn_handshake(ctx, shaking->conn);
}

/* Makes a pair's a the client's end and b the server's. Returns the client's result, and the
 * server's in ret_server; the pair is to be closed in either case. */
static inline int tls_over(struct sides *sides, struct pair *pair, const char *name,
			   int *ret_server, struct belay_tls_error *error)
{
	struct shaking shaking = {0};
	struct aside aside;
	int result;

	check(belay_tls_accept(sides->server, pair->b) == 0);
	shaking.conn = pair->b;
	aside_start(&aside, belay_background(), shake_hands, &shaking);
	result = belay_tls_connect(belay_background(), sides->client, pair->a, name, error);
	if (result < 0)
		belay_conn_shutdown(pair->a); /* so that the server does not wait */
	aside_join(&aside);
	*ret_server = shaking.result;
	return result;
}

static inline int tls_pair_try(struct sides *sides, struct pair *pair, const char *name,
			       int *ret_server, struct belay_tls_error *error)
{
	*pair = tcp_pair();
	return tls_over(sides, pair, name, ret_server, error);
}

static inline struct pair tls_made(struct sides *sides, struct pair pair)
{
	struct belay_tls_error error = {""};
	int server;

	if (!check(tls_over(sides, &pair, "localhost", &server, &error) == 0))
		fprintf(stderr, "%s\n", error.text);
	check(server == 0);
	return pair;
}

static inline struct pair tls_pair(struct sides *sides)
{
	return tls_made(sides, tcp_pair());
}

/* Closes conn, so that the peer gets close_notify, and nothing else: the socket stays as it is.
 * Returns a descriptor of it. */
static inline int say_close_notify(belay_conn *conn)
{
	int fd = dup(belay_conn_fd(conn));

	check(fd >= 0);
	belay_conn_close(conn);
	return fd;
}

/* Over a Unix socket, which is full once it is full: nothing goes on in the kernel meanwhile. */
static inline struct pair tls_unix_pair(struct sides *sides)
{
	return tls_made(sides, unix_pair());
}

#endif
