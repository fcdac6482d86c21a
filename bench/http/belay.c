/* SPDX-License-Identifier: MIT
 *
 * belay.c - Belay's HTTP server: what load asks for, as a program would answer it.
 *
 *     http-belay list          the works of works.toml that it can serve
 *     http-belay CHAIN KEY     serves on free ports of 127.0.0.1, which it prints, until SIGTERM
 *
 * GET /            the work of a request: a deadline, a value, a task, a select, 12 bytes
 * GET /gone/{id}   says that it waits, does so until its client has gone, and notes when it knew
 * GET /gone        those moments, "ID NANOSECONDS" a line, by the monotonic clock
 */
#include "bench.h"

#include <belay.h>
#include <belay/http.h>
#include <belay/tls.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The work of a request ------------------------------------------------------------------- */

BELAY_KEY(user, const char *, .destroy = NULL);
BELAY_CHAN(texts, const char *);

/* What it says belongs to its context, which the handler has a reference to as well. */
static void greet(belay_ctx *ctx, void *arg)
{
	texts *answers = arg;
	const char *text = belay_sprintf(ctx, "hello, %s", user_of(ctx));

	texts_send(ctx, answers, &text);
	texts_unref(answers);
}

static int ask(belay_ctx *ctx, texts *answers, const char **ret)
{
	int r = belay_go(ctx, greet, texts_ref(answers));

	if (r < 0) {
		texts_unref(answers);
		return r;
	}
	r = belay_select(ctx, texts_case_recv(answers, ret));
	return r == 0 && !*ret ? -ENOMEM : r;
}

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *name = belay_request_header(req, "X-User"), *text;
	BELAY_SCOPED belay_ctx *limited = belay_with_timeout(ctx, BELAY_S(5));
	BELAY_SCOPED belay_ctx *known =
		limited ? with_user(limited, belay_strdup(limited, name ? name : "nobody")) : NULL;
	texts *answers = known && user_of(known) ? texts_new(1) : NULL;
	int r;

	if (!answers)
		return -ENOMEM;
	r = ask(known, answers, &text);
	texts_unref(answers);
	if (r == 0)
		r = belay_response_header(res, "Content-Type", "text/plain");
	return r == 0 ? belay_response_puts(known, res, text) : r;
}

/* ---- Clients that go ------------------------------------------------------------------------- */

#define MOST 10000

/* Written by the handler of that id, and read by that of all. */
static int64_t gone_at[MOST];

static int wait_until_gone(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	long id = strtol(belay_request_param(req, "id"), NULL, 10);
	int r = belay_response_puts(ctx, res, "waiting\n");

	if (id < 0 || id >= MOST)
		return -ENOENT;
	if (r == 0)
		r = belay_response_flush(ctx, res);
	if (r == 0)
		r = belay_wait(ctx);
	__atomic_store_n(&gone_at[id], bench_now(), __ATOMIC_RELAXED);
	return r;
}

static int tell_gone(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = 0;

	(void)req;
	for (int id = 0; id < MOST && r == 0; id++) {
		int64_t at = __atomic_load_n(&gone_at[id], __ATOMIC_RELAXED);

		if (at)
			r = belay_response_printf(ctx, res, "%d %lld\n", id, (long long)at);
	}
	return r;
}

/* ---- The server ------------------------------------------------------------------------------ */

struct listening {
	belay_server *server;
	belay_listener *listener;
};

static int serve_listener(belay_ctx *ctx, void *arg)
{
	struct listening *listening = arg;

	return belay_server_serve(ctx, listening->server, listening->listener);
}

static void serve_both(belay_ctx *stop, belay_server *server, belay_tls *tls)
{
	BELAY_SCOPED belay_ctx *grace = NULL;
	struct listening plain = {server, NULL}, secure = {server, NULL};
	belay_group *group = belay_group_new(stop);

	bench_must(group != NULL);
	bench_must(belay_listen(stop, "127.0.0.1:0", &plain.listener) == 0);
	bench_must(belay_tls_listen(stop, "127.0.0.1:0", tls, &secure.listener) == 0);
	printf("http %s\nhttp2 %s\nhttps %s\n", belay_listener_address(plain.listener),
	       belay_listener_address(plain.listener), belay_listener_address(secure.listener));
	fflush(stdout);
	bench_must(belay_group_go(group, serve_listener, &plain) == 0);
	bench_must(belay_group_go(group, serve_listener, &secure) == 0);
	belay_group_wait(group); /* until the signal comes */
	grace = belay_with_timeout(belay_background(), BELAY_S(5));
	belay_server_shutdown(grace, server);
}

static belay_router *make_router(void)
{
	belay_router *router = belay_router_new();

	bench_must(router != NULL);
	bench_must(belay_router_add(router, "GET /", answer, NULL) == 0);
	bench_must(belay_router_add(router, "GET /gone/{id}", wait_until_gone, NULL) == 0);
	bench_must(belay_router_add(router, "GET /gone", tell_gone, NULL) == 0);
	return router;
}

static void run(belay_ctx *stop, const struct belay_tls_certificate *own)
{
	const struct belay_tls_server_options secure = {.certificates = own, .count = 1};
	const struct belay_server_options options = {.connections = 2 * MOST};
	belay_router *router = make_router();
	belay_server *server;
	belay_tls *tls;

	bench_must(belay_tls_server_new(stop, &secure, &tls, NULL) == 0);
	bench_must(belay_server_new(belay_background(), router, &options, &server) == 0);
	serve_both(stop, server, tls);
	belay_server_free(server);
	belay_tls_unref(tls);
	belay_router_free(router);
}

int main(int argc, char **argv)
{
	belay_ctx *stop;

	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return puts("keep_alive\nlatency\nhttp2\ntls\nidle\ngone") < 0;
	bench_must(argc == 3);
	stop = belay_with_signal(belay_background(), SIGTERM, 0);
	run(stop, &(struct belay_tls_certificate){argv[1], argv[2]});
	belay_end(stop);
	belay_shutdown();
}
