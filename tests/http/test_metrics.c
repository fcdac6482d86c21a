/* SPDX-License-Identifier: MIT
 *
 * test_metrics.c - requests, counted for Prometheus.
 */
#include "around.h"

#include <belay/http_middleware.h>

#include <stdlib.h>

static char *text;

static int set_up(void **state)
{
	*state = belay_metrics_new();
	text = NULL;
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	belay_metrics_free(*state);
	free(text);
	return 0;
}

/* What they are now, to text. */
static void print(belay_metrics *metrics)
{
	size_t size;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &size);
	assert_int_equal(belay_metrics_text(metrics, out), 0);
	fclose(out);
}

static void assert_line(const char *line)
{
	const char *at = strstr(text, line);

	if (!at || (at != text && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("no line \"%s\" in\n%s", line, text);
}

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body;
	int r = belay_request_body(ctx, req, &body, NULL);

	return r == 0 ? belay_response_puts(ctx, res, "twelve bytes") : r;
}

static int fail_with(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return -EIO;
}

static belay_router *make_router(belay_metrics *metrics)
{
	belay_router *router = check_made(belay_router_new());

	check(belay_router_use(router, belay_http_measure, metrics) == 0);
	check(belay_router_add(router, "GET /packages/{name}", answer, NULL) == 0);
	check(belay_router_add(router, "/any/\"quoted\\", answer, NULL) == 0);
	check(belay_router_add(router, "POST /fails", fail_with, NULL) == 0);
	check(belay_router_add(router, "GET /metrics", belay_metrics_handler, metrics) == 0);
	return router;
}

static void ask(belay_router *router, const char *method, const char *target, const char *body)
{
	belay_recorder *rec = check_made(belay_recorder_new(method, target));

	if (body)
		check(belay_recorder_body(rec, body, strlen(body)) == 0);
	belay_recorder_serve(belay_background(), rec, router);
	belay_recorder_free(rec);
}

static void requests_are_counted_by_route_method_and_class(void **state)
{
	belay_router *router = make_router(*state);

	ask(router, "GET", "/packages/a", NULL);
	ask(router, "GET", "/packages/b", NULL);
	ask(router, "HEAD", "/packages/b", NULL);
	ask(router, "POST", "/fails", NULL);
	ask(router, "GET", "/nothing/here", NULL);
	ask(router, "GET", "/nothing/there", NULL);
	ask(router, "BREW", "/nothing", NULL);
	print(*state);
	assert_line("belay_http_requests_total{route=\"/packages/{name}\",method=\"GET\","
		    "code=\"2xx\"} 2");
	assert_line("belay_http_requests_total{route=\"/packages/{name}\",method=\"HEAD\","
		    "code=\"2xx\"} 1");
	assert_line("belay_http_requests_total{route=\"/fails\",method=\"POST\",code=\"5xx\"} 1");
	assert_line("belay_http_requests_total{route=\"\",method=\"GET\",code=\"4xx\"} 2");
	assert_line("belay_http_requests_total{route=\"\",method=\"other\",code=\"4xx\"} 1");
	assert_line("belay_http_requests_uncounted_total 0");
	belay_router_free(router);
}

static void labels_are_escaped(void **state)
{
	belay_router *router = make_router(*state);

	ask(router, "GET", "/any/\"quoted\\", NULL);
	print(*state);
	assert_line("belay_http_requests_total{route=\"/any/\\\"quoted\\\\\",method=\"GET\","
		    "code=\"2xx\"} 1");
	belay_router_free(router);
}

static void bytes_are_those_of_the_bodies(void **state)
{
	belay_router *router = make_router(*state);

	ask(router, "POST", "/any/\"quoted\\", "hello");
	ask(router, "POST", "/any/\"quoted\\", "hello");
	print(*state);
	assert_line("belay_http_request_bytes_total{route=\"/any/\\\"quoted\\\\\",method=\"POST\","
		    "code=\"2xx\"} 10");
	assert_line("belay_http_response_bytes_total{route=\"/any/\\\"quoted\\\\\",method=\"POST\","
		    "code=\"2xx\"} 24");
	belay_router_free(router);
}

static int nap(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_sleep(ctx, BELAY_MS(2));
}

static void the_histogram_is_cumulative_and_ends_with_all(void **state)
{
	belay_router *router = around_new(belay_http_measure, *state, nap, NULL);

	ask(router, "GET", "/", NULL);
	print(*state);
	assert_line("belay_http_request_duration_seconds_bucket{route=\"/{rest...}\","
		    "method=\"GET\",code=\"2xx\",le=\"0.001\"} 0");
	assert_line("belay_http_request_duration_seconds_bucket{route=\"/{rest...}\","
		    "method=\"GET\",code=\"2xx\",le=\"+Inf\"} 1");
	assert_line("belay_http_request_duration_seconds_count{route=\"/{rest...}\","
		    "method=\"GET\",code=\"2xx\"} 1");
	belay_router_free(router);
}

struct end {
	belay_ctx *ctx;
	int code;
	belay_metrics *metrics;
};

static int end_it(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct end *end = belay_request_data(req);

	print(end->metrics);
	assert_line("belay_http_requests_in_flight 1");
	if (end->code)
		belay_cancel_cause(end->ctx, end->code, "ended");
	else
		belay_wait(ctx);
	return belay_err(ctx);
}

static void serve_to_the_end(belay_metrics *metrics, int code)
{
	struct end end = {.code = code, .metrics = metrics};
	belay_router *router = around_new(belay_http_measure, metrics, end_it, &end);

	end.ctx = code ? check_live(belay_with_cancel(belay_background()))
		       : check_live(belay_with_timeout(belay_background(), BELAY_MS(1)));
	belay_recorder_free(around_ask(end.ctx, router, "GET", "/", NULL, NULL));
	belay_end(end.ctx);
	belay_router_free(router);
}

static void ends_are_counted_by_cause(void **state)
{
	belay_router *router = make_router(*state);

	serve_to_the_end(*state, -ECONNRESET);
	serve_to_the_end(*state, -ECONNRESET);
	serve_to_the_end(*state, -ESHUTDOWN);
	serve_to_the_end(*state, -EIO);
	serve_to_the_end(*state, 0);
	print(*state);
	assert_line("belay_http_requests_cut_total{cause=\"client_disconnected\"} 2");
	assert_line("belay_http_requests_cut_total{cause=\"shutdown\"} 1");
	assert_line("belay_http_requests_cut_total{cause=\"cancelled\"} 1");
	assert_line("belay_http_requests_cut_total{cause=\"error\"} 0");
	assert_line("belay_http_requests_in_flight 0");
	belay_router_free(router);
}

static int overstay(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_wait(ctx);
}

static void a_deadline_of_the_middleware_s_inside_counts(void **state)
{
	static const struct belay_http_limit limit = {.most = BELAY_MS(200)};
	belay_router *router = around_new(belay_http_measure, *state, overstay, NULL);

	check(belay_router_use(router, belay_http_deadline, (void *)&limit) == 0);
	ask(router, "GET", "/", NULL);
	print(*state);
	assert_line("belay_http_requests_cut_total{cause=\"deadline\"} 1");
	assert_line("belay_http_requests_total{route=\"/{rest...}\",method=\"GET\","
		    "code=\"5xx\"} 1");
	belay_router_free(router);
}

static int ask_often(belay_ctx *ctx, void *arg)
{
	char target[32];

	for (int i = 0; i < 200; i++) {
		snprintf(target, sizeof target, "/packages/%d", i);
		ask(arg, i % 2 ? "GET" : "HEAD", target, NULL);
	}
	return 0;
}

static void many_at_once_lose_none(void **state)
{
	belay_router *router = make_router(*state);
	belay_group *group = check_made(belay_group_new(belay_background()));

	for (int i = 0; i < 8; i++)
		assert_int_equal(belay_group_go(group, ask_often, router), 0);
	assert_int_equal(belay_group_wait(group), 0);
	print(*state);
	assert_line("belay_http_requests_total{route=\"/packages/{name}\",method=\"GET\","
		    "code=\"2xx\"} 800");
	assert_line("belay_http_requests_total{route=\"/packages/{name}\",method=\"HEAD\","
		    "code=\"2xx\"} 800");
	belay_router_free(router);
}

static void the_handler_serves_them_and_the_process_s_numbers(void **state)
{
	belay_router *router = make_router(*state);
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/metrics"));

	assert_int_equal(belay_recorder_serve(belay_background(), rec, router), 0);
	assert_true(around_header_is(rec, "Content-Type",
				     "text/plain; version=0.0.4; charset=utf-8"));
	text = strdup(belay_recorder_get_body(rec, NULL));
	assert_line("belay_http_requests_in_flight 1");
	assert_non_null(strstr(text, "\nbelay_contexts "));
	belay_recorder_free(rec);
	belay_router_free(router);
}

static void malformed_headers_are_counted_by_their_name(void **state)
{
	belay_router *router = make_router(*state);
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/packages/a"));

	check(belay_router_use(router, belay_http_trace, NULL) == 0);
	check(belay_recorder_header(rec, "traceparent", "00-nonsense") == 0);
	assert_int_equal(belay_recorder_serve(belay_background(), rec, router), 0);
	print(*state);
	assert_line("belay_http_headers_dropped_total{header=\"traceparent\"} 1");
	assert_line("belay_http_headers_dropped_total{header=\"baggage\"} 0");
	belay_recorder_free(rec);
	belay_router_free(router);
}

#define METRICS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(METRICS_TEST(requests_are_counted_by_route_method_and_class),
		METRICS_TEST(labels_are_escaped),
		METRICS_TEST(bytes_are_those_of_the_bodies),
		METRICS_TEST(the_histogram_is_cumulative_and_ends_with_all),
		METRICS_TEST(ends_are_counted_by_cause),
		METRICS_TEST(a_deadline_of_the_middleware_s_inside_counts),
		METRICS_TEST(many_at_once_lose_none),
		METRICS_TEST(malformed_headers_are_counted_by_their_name),
		METRICS_TEST(the_handler_serves_them_and_the_process_s_numbers))
