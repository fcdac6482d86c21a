/* SPDX-License-Identifier: MIT
 *
 * trace.c - one id for all that happens on behalf of one request, across services.
 *
 *     main --- GET /order ---> order --- GET /stock ---> stock
 *
 * The trace middleware takes the id from the request's headers, or makes one, and puts it into the
 * context. From there on nobody has to care: every line that is logged with the context has the id
 * in front, and every request that is sent with it carries the id on. The two handlers share a
 * server here, to keep this short; they talk by HTTP all the same.
 */
#include <belay.h>
#include <belay/http.h>
#include <belay/http_client.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct shop {
	belay_http_client *client;
	belay_router *router;
	belay_server *server;
	belay_listener *listener; /* the server's from the moment that it serves */
	char order_url[128], stock_url[128];
};

/* GETs url and gives its body, which the caller frees. */
static int get(belay_ctx *ctx, belay_http_client *client, const char *url, char **ret)
{
	belay_http_reply *reply;
	int err = belay_http_get(ctx, client, url, &reply);

	if (err < 0)
		return err;
	err = belay_http_reply_read_all(ctx, reply, 4096, ret, NULL);
	belay_http_reply_end(reply);
	return err;
}

static int stock(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_log(ctx, BELAY_LOG_INFO, "counting");
	return belay_response_puts(ctx, res, "7 pieces");
}

static int order(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct shop *shop = belay_request_data(req);
	char *left;
	int err;

	belay_log(ctx, BELAY_LOG_INFO, "asking the stock");
	err = get(ctx, shop->client, shop->stock_url, &left);
	if (err < 0)
		return err;
	belay_log(ctx, BELAY_LOG_INFO, "the stock has %s", left);
	err = belay_response_printf(ctx, res, "ordered 1 of %s\n", left);
	free(left);
	return err;
}

/* A middleware: it sees the request before the handler, and the answer after it. */
static int announce(belay_ctx *ctx, belay_request *req, belay_response *res,
		    const belay_chain *next, void *arg)
{
	int err;

	belay_log(ctx, BELAY_LOG_INFO, "%s %s", belay_request_method(req), belay_request_path(req));
	err = belay_next(ctx, req, res, next);
	belay_log(ctx, BELAY_LOG_INFO, "%s done", belay_request_path(req));
	return err;
}

/* The outermost middleware comes first: what announce logs has the id already. */
static int add_routes(struct shop *shop)
{
	int err = belay_router_use(shop->router, belay_http_trace, NULL);

	if (err == 0)
		err = belay_router_use(shop->router, announce, NULL);
	if (err == 0)
		err = belay_router_add(shop->router, "GET /order", order, shop);
	if (err == 0)
		err = belay_router_add(shop->router, "GET /stock", stock, shop);
	return err;
}

static int open_shop(belay_ctx *ctx, struct shop *shop)
{
	const char *address;
	int err;

	shop->router = belay_router_new();
	if (!shop->router)
		return -ENOMEM;
	err = add_routes(shop);
	if (err == 0)
		err = belay_http_client_new(NULL, &shop->client);
	if (err == 0)
		err = belay_server_new(ctx, shop->router, NULL, &shop->server);
	if (err == 0)
		err = belay_listen(ctx, "127.0.0.1:0", &shop->listener);
	if (err < 0)
		return err;
	address = belay_listener_address(shop->listener);
	snprintf(shop->order_url, sizeof shop->order_url, "http://%s/order", address);
	snprintf(shop->stock_url, sizeof shop->stock_url, "http://%s/stock", address);
	return 0;
}

static void close_shop(struct shop *shop)
{
	belay_listener_close(shop->listener);
	belay_server_free(shop->server);
	belay_http_client_close(shop->client);
	belay_router_free(shop->router);
}

static int serve(belay_ctx *ctx, void *arg)
{
	struct shop *shop = arg;
	belay_listener *listener = shop->listener;

	shop->listener = NULL;
	return belay_server_serve(ctx, shop->server, listener);
}

/* The customer has an id of its own for this, and finds it again in the shop's log. */
static int buy(belay_ctx *ctx, struct shop *shop)
{
	BELAY_SCOPED belay_ctx *traced = belay_with_trace_id(ctx, "demo-1");
	char *answer;
	int err;

	belay_log(traced, BELAY_LOG_INFO, "ordering");
	err = get(traced, shop->client, shop->order_url, &answer);
	if (err < 0)
		return err;
	printf("%s", answer);
	free(answer);
	return 0;
}

static int run(belay_ctx *ctx, struct shop *shop)
{
	belay_group *group = belay_group_new(ctx);
	int err, joined;

	if (!group)
		return -ENOMEM;
	err = belay_group_go(group, serve, shop);
	if (err == 0)
		err = buy(ctx, shop);
	belay_server_shutdown(ctx, shop->server);
	joined = belay_group_wait(group);
	return err < 0 ? err : joined;
}

int main(void)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_S(30));
	struct shop shop = {0};
	int err = open_shop(ctx, &shop);

	if (err == 0)
		err = run(ctx, &shop);
	if (err < 0)
		fprintf(stderr, "trace: %s\n", belay_strerror(err));
	close_shop(&shop);
	belay_end(ctx);
	belay_shutdown();
	return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
