/* SPDX-License-Identifier: MIT
 *
 * https_hello.c - an HTTPS server that says hello, reads its certificate again on SIGHUP, and stops
 * in good order.
 *
 *     ./https_hello CHAIN KEY [ADDRESS]
 */
#include <belay.h>
#include <belay/http.h>
#include <belay/tls.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static int hello(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *who = belay_request_peer_subject(req);

	return belay_response_printf(ctx, res, "hello %s\n", who ? who : "stranger");
}

struct reloading {
	belay_tls *tls;
	belay_ctx *next; /* ended by the next SIGHUP */
};

/* Each SIGHUP ends one context. The next is made before the files are read: so what a signal tells
 * of is read after it, also where it came in between. */
static int reload_on_hangup(belay_ctx *ctx, void *arg)
{
	struct reloading *reloading = arg;

	while (belay_wait(reloading->next) < 0 && belay_err(ctx) == 0) {
		struct belay_tls_error error;

		belay_end(reloading->next);
		reloading->next = belay_with_signal(ctx, SIGHUP, 0);
		if (belay_tls_reload(ctx, reloading->tls, &error) < 0)
			fprintf(stderr, "not reloaded: %s\n", error.text);
		else
			puts("reloaded");
		fflush(stdout);
	}
	return 0;
}

static int listen_and_serve(belay_ctx *stop, belay_server *server, belay_tls *tls,
			    const char *address)
{
	BELAY_SCOPED belay_ctx *grace = NULL;
	belay_listener *listener;
	int r = belay_tls_listen(stop, address, tls, &listener);

	if (r < 0)
		return r;
	printf("https://%s/\n", belay_listener_address(listener));
	fflush(stdout);
	belay_server_serve(stop, server, listener);
	grace = belay_with_timeout(belay_background(), BELAY_S(5));
	return belay_server_shutdown(grace, server);
}

static int run(belay_ctx *stop, belay_server *server, belay_tls *tls, const char *address)
{
	struct reloading reloading = {tls, belay_with_signal(stop, SIGHUP, 0)};
	belay_group *group = belay_group_new(stop);
	int r = group ? belay_group_go(group, reload_on_hangup, &reloading) : -ENOMEM;

	if (r == 0)
		r = listen_and_serve(stop, server, tls, address);
	if (group)
		belay_group_wait(group);
	belay_end(reloading.next);
	return r;
}

static int with_tls(belay_ctx *stop, belay_tls *tls, const char *address)
{
	belay_router *router = belay_router_new();
	belay_server *server = NULL;
	int r = router ? belay_router_add(router, "GET /", hello, NULL) : -ENOMEM;

	if (r == 0)
		r = belay_server_new(belay_background(), router, NULL, &server);
	if (r == 0)
		r = run(stop, server, tls, address);
	belay_server_free(server);
	belay_router_free(router);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", address, belay_strerror(r));
	return r;
}

static int serve(belay_ctx *stop, const struct belay_tls_certificate *own, const char *address)
{
	struct belay_tls_server_options options = {.certificates = own, .count = 1};
	struct belay_tls_error error;
	belay_tls *tls;
	int r = belay_tls_server_new(stop, &options, &tls, &error);

	if (r < 0) {
		fprintf(stderr, "%s\n", error.text);
		return r;
	}
	r = with_tls(stop, tls, address);
	belay_tls_unref(tls);
	return r;
}

int main(int argc, char **argv)
{
	belay_ctx *stop = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	int r;

	if (argc < 3) {
		fprintf(stderr, "usage: %s CHAIN KEY [ADDRESS]\n", argv[0]);
		return 2;
	}
	signal(SIGHUP, SIG_IGN); /* what it does while no context waits for it */
	r = serve(stop, &(struct belay_tls_certificate){argv[1], argv[2]},
		  argc > 3 ? argv[3] : "127.0.0.1:8443");
	belay_end(stop);
	belay_shutdown();
	return r < 0;
}
