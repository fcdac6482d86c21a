/* SPDX-License-Identifier: MIT
 *
 * listeners.c - one server behind two doors: HTTP/1.1, or HTTP/2 to those who know that it is
 * there, on the plain one; on the other TLS, whose handshake agrees on one of the two.
 */
#include "listeners.h"

#include <belay.h>
#include <belay/tls.h>

#include <stdio.h>

/* ---- Opening --------------------------------------------------------------------------------- */

static int told(const char *address, int r)
{
	if (r)
		fprintf(stderr, "store: can't listen on %s: %s\n", address, belay_strerror(r));
	return r;
}

/* The listener has its own reference to what it does TLS with. */
static int listen_secure(belay_ctx *ctx, const struct options *options, belay_listener **ret)
{
	const struct belay_tls_server_options secure = {.certificates = &options->certificate,
							.count = 1};
	struct belay_tls_error error;
	belay_tls *tls;
	int r = belay_tls_server_new(ctx, &secure, &tls, &error);

	if (r) {
		fprintf(stderr, "store: %s\n", error.text);
		return r;
	}
	r = told(options->https, belay_tls_listen(ctx, options->https, tls, ret));
	belay_tls_unref(tls);
	return r;
}

int listeners_open(belay_ctx *ctx, const struct options *options, struct listeners *ret)
{
	int r;

	*ret = (struct listeners){.https = NULL};
	r = told(options->listen, belay_listen(ctx, options->listen, &ret->http));
	if (!r && options->certificate.chain_file)
		r = listen_secure(ctx, options, &ret->https);
	if (r)
		belay_listener_close(ret->http);
	return r;
}

/* ---- Serving --------------------------------------------------------------------------------- */

/* The listener is the server's once it serves it. */
struct door {
	belay_server *server;
	belay_listener *listener;
};

static int serve_door(belay_ctx *ctx, void *arg)
{
	struct door *door = arg;
	belay_listener *listener = door->listener;

	door->listener = NULL;
	return belay_server_serve(ctx, door->server, listener);
}

/* Until ctx is done, or one of them fails: its error ends the other too. */
static void serve_doors(belay_ctx *ctx, struct door *doors, size_t n)
{
	belay_group *group = belay_group_new(ctx);
	size_t i;
	int r = 0;

	if (!group)
		return;
	for (i = 0; i < n && !r; i++)
		if (doors[i].listener)
			r = belay_group_go(group, serve_door, &doors[i]);
	if (r)
		belay_cancel(belay_group_ctx(group));
	belay_group_wait(group);
}

void listeners_serve(belay_ctx *ctx, belay_server *server, const struct listeners *listeners)
{
	struct door doors[] = {{server, listeners->http}, {server, listeners->https}};
	size_t i;

	printf("listening on http://%s\n", belay_listener_address(listeners->http));
	if (listeners->https)
		printf("listening on https://%s\n", belay_listener_address(listeners->https));
	fflush(stdout);
	serve_doors(ctx, doors, sizeof doors / sizeof *doors);
	for (i = 0; i < sizeof doors / sizeof *doors; i++)
		belay_listener_close(doors[i].listener);
}
