/* SPDX-License-Identifier: MIT
 *
 * test_client_server.c - a context that reaches from a client through HTTP into a handler.
 */
#include "site.h"

#include <belay/http_client.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static belay_http_client *client_new(void)
{
	belay_http_client *client = NULL;

	assert_int_equal(belay_http_client_new(NULL, &client), 0);
	return client;
}

static int get(belay_ctx *ctx, belay_http_client *client, const struct site *site,
	       const char *path, belay_http_reply **ret)
{
	char url[200];

	snprintf(url, sizeof url, "http://%s%s", site->address, path);
	return belay_http_get(ctx, client, url, ret);
}

static void assert_body(belay_http_reply *reply, const char *expected)
{
	char *body;

	assert_int_equal(belay_http_reply_read_all(belay_background(), reply, 1000, &body, NULL),
			 0);
	assert_string_equal(body, expected);
	free(body);
}

/* ---- Handlers -------------------------------------------------------------------------------- */

static int tell_trace(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, belay_trace_id(ctx));
}

static int tell_baggage(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *baggage = belay_baggage(ctx);

	return belay_response_puts(ctx, res, baggage ? baggage : "none");
}

static int tell_time_left(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int64_t when;

	if (!belay_deadline(ctx, &when))
		return belay_response_puts(ctx, res, "none");
	return belay_response_printf(ctx, res, "%lld", (long long)(when - belay_now()));
}

/* What a handler that waits for its context has to say of its end. */
struct wait {
	atomic_bool started, ended;
	char cause[100];
};

static int wait_for_the_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct wait *wait = belay_request_data(req);
	belay_cause cause;

	atomic_store(&wait->started, true);
	belay_wait(ctx);
	if (check(belay_cause_of(ctx, &cause) == 0))
		snprintf(wait->cause, sizeof wait->cause, "%s", cause.message);
	atomic_store(&wait->ended, true);
	return belay_err(ctx);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* semantics 5.5 */
static void the_trace_reaches_the_handler(void **state)
{
	static const char id[] = "0af7651916cd43dd8448eb211c80319c";
	belay_http_client *client = client_new();
	belay_ctx *ctx = check_live(belay_with_trace_id(belay_background(), id));
	belay_http_reply *reply;
	struct site site;

	site_init(&site);
	assert_int_equal(belay_router_use(site.router, belay_http_trace, NULL), 0);
	assert_int_equal(belay_router_add(site.router, "GET /", tell_trace, NULL), 0);
	site_start(&site, belay_background(), NULL);
	assert_int_equal(get(ctx, client, &site, "/", &reply), 0);
	assert_non_null(belay_http_reply_header(reply, "X-Trace-Id"));
	assert_string_equal(belay_http_reply_header(reply, "X-Trace-Id"), id);
	assert_body(reply, id);
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	belay_end(ctx);
	site_stop(&site);
}

/* semantics 5.5 */
static void the_baggage_reaches_the_handler(void **state)
{
	belay_http_client *client = client_new();
	belay_ctx *ctx = check_live(belay_with_baggage(belay_background(), "user=42,plan=free"));
	belay_http_reply *reply;
	struct site site;

	site_init(&site);
	assert_int_equal(belay_router_use(site.router, belay_http_trace, NULL), 0);
	assert_int_equal(belay_router_add(site.router, "GET /", tell_baggage, NULL), 0);
	site_start(&site, belay_background(), NULL);
	assert_int_equal(get(ctx, client, &site, "/", &reply), 0);
	assert_body(reply, "user=42,plan=free");
	belay_http_reply_end(reply);
	assert_int_equal(get(belay_background(), client, &site, "/", &reply), 0);
	assert_body(reply, "none");
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	belay_end(ctx);
	site_stop(&site);
}

/* semantics 4.8 5.5 */
static void what_is_left_of_the_deadline_reaches_the_handler(void **state)
{
	static const struct belay_http_limit limit;
	belay_http_client *client = client_new();
	belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), BELAY_S(60)));
	belay_http_reply *reply;
	struct site site;
	char *body;

	site_init(&site);
	assert_int_equal(belay_router_use(site.router, belay_http_deadline, (void *)&limit), 0);
	assert_int_equal(belay_router_add(site.router, "GET /", tell_time_left, NULL), 0);
	site_start(&site, belay_background(), NULL);
	assert_int_equal(get(ctx, client, &site, "/", &reply), 0);
	assert_int_equal(belay_http_reply_read_all(ctx, reply, 100, &body, NULL), 0);
	assert_in_range(atoll(body), 1, BELAY_S(60));
	free(body);
	belay_http_reply_end(reply);
	assert_int_equal(get(belay_background(), client, &site, "/", &reply), 0);
	assert_body(reply, "none");
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	belay_end(ctx);
	site_stop(&site);
}

struct cancelling {
	struct wait *wait;
	belay_ctx *ctx;
};

static void cancel_once_started(belay_ctx *ctx, void *arg)
{
	struct cancelling *cancelling = arg;

	check_until(atomic_load(&cancelling->wait->started));
	belay_cancel(cancelling->ctx);
	/* Its own: the other side goes on before the cancel is through. */
	belay_unref(cancelling->ctx);
}

/* semantics 4.3 5.1: the end of a context here is the end of the one there. */
static void cancelling_a_call_ends_its_request_at_the_server(void **state)
{
	belay_http_client *client = client_new();
	struct wait wait = {0};
	struct cancelling cancelling = {&wait, check_live(belay_with_cancel(belay_background()))};
	belay_http_reply *reply;
	struct site site;

	site_init(&site);
	assert_int_equal(belay_router_add(site.router, "GET /", wait_for_the_end, &wait), 0);
	site_start(&site, belay_background(), NULL);
	belay_ref(cancelling.ctx);
	assert_int_equal(belay_go(belay_background(), cancel_once_started, &cancelling), 0);
	assert_int_equal(get(cancelling.ctx, client, &site, "/", &reply), -ECANCELED);
	assert_true(check_until(atomic_load(&wait.ended)));
	assert_string_equal(wait.cause, "client disconnected");
	belay_http_client_close(client);
	belay_end(cancelling.ctx);
	site_stop(&site);
}

/* ---- Side by side ---------------------------------------------------------------------------- */

static int answer_at_once(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "ok");
}

struct slow_call {
	belay_http_client *client;
	const struct site *site;
	belay_ctx *ctx;
	atomic_bool over;
};

static void call_what_waits(belay_ctx *ctx, void *arg)
{
	struct slow_call *call = arg;
	belay_http_reply *reply = NULL;

	check(get(call->ctx, call->client, call->site, "/wait", &reply) == -ECANCELED);
	atomic_store(&call->over, true);
}

/* Where there can be no HTTP/2 there is no connection to share, and so none to wait for. */
static void a_client_of_http2_has_no_request_without_tls_wait_for_another(void **state)
{
	const struct belay_http_client_options options = {.http2 = true};
	struct slow_call call = {.ctx = check_live(belay_with_cancel(belay_background()))};
	struct wait wait = {false};
	belay_http_reply *reply = NULL;
	struct site site;

	site_init(&site);
	assert_int_equal(belay_router_add(site.router, "/wait", wait_for_the_end, &wait), 0);
	assert_int_equal(belay_router_add(site.router, "/", answer_at_once, NULL), 0);
	site_start(&site, belay_background(), NULL);
	assert_int_equal(belay_http_client_new(&options, &call.client), 0);
	call.site = &site;
	assert_int_equal(belay_go(belay_background(), call_what_waits, &call), 0);
	assert_true(check_until(atomic_load(&wait.started)));
	assert_int_equal(get(belay_background(), call.client, &site, "/", &reply), 0);
	assert_body(reply, "ok");
	belay_http_reply_end(reply);
	belay_cancel(call.ctx);
	assert_true(check_until(atomic_load(&call.over)));
	assert_true(check_until(atomic_load(&wait.ended)));
	belay_http_client_close(call.client);
	belay_end(call.ctx);
	site_stop(&site);
}

BELAY_TEST_MAIN(cmocka_unit_test(the_trace_reaches_the_handler),
		cmocka_unit_test(the_baggage_reaches_the_handler),
		cmocka_unit_test(what_is_left_of_the_deadline_reaches_the_handler),
		cmocka_unit_test(cancelling_a_call_ends_its_request_at_the_server),
		cmocka_unit_test(
			a_client_of_http2_has_no_request_without_tls_wait_for_another))
