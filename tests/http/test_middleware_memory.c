/* SPDX-License-Identifier: MIT
 *
 * test_middleware_memory.c - each allocation of the middlewares made to fail in turn: an answer or
 * none, and nothing left behind.
 */
#include "check_oom.h"
#include "folder.h"

#include <belay/http_files.h>
#include <belay/http_middleware.h>

#include <string.h>

static void drop(void *arg, const char *line, size_t size)
{
}

static int let_in(belay_ctx *ctx, const struct belay_credentials *given, belay_ctx **ret, void *arg)
{
	if (given->scheme == BELAY_AUTH_BEARER)
		*ret = belay_with_user(ctx, "a");
	return 0;
}

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, belay_user(ctx));
}

static int stream(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static const char lines[3000];
	int r = belay_response_header(res, "Content-Type", "text/plain");

	return r == 0 ? belay_response_write(ctx, res, lines, sizeof lines) : r;
}

struct parts {
	belay_files *files;
	belay_router *router;
	belay_metrics *metrics;
	belay_concurrency_limit *concurrency;
	belay_rate_limit *rate;
	belay_shedder *shedder;
};

static bool make(struct parts *p)
{
	static const struct belay_json_log log = {.write = drop};
	static const struct belay_http_auth auth = {
		.schemes = BELAY_AUTH_BASIC | BELAY_AUTH_BEARER, .check = let_in};
	static const char *const origins[] = {"https://a.example", NULL};
	static const struct belay_cors_options cors = {.origins = origins};
	const struct belay_concurrency_options one = {.most = 1, .waiting = 1, .target = 1};
	const struct belay_rate_options often = {.requests = 1000, .clients = 8};

	*p = (struct parts){.router = belay_router_new(), .metrics = belay_metrics_new()};
	return p->router && p->metrics &&
	       belay_concurrency_limit_new(&one, &p->concurrency) == 0 &&
	       belay_rate_limit_new(&often, &p->rate) == 0 &&
	       belay_shedder_new(NULL, &p->shedder) == 0 &&
	       belay_router_use(p->router, belay_http_measure, p->metrics) == 0 &&
	       belay_router_use(p->router, belay_http_access_log_json, (void *)&log) == 0 &&
	       belay_router_use(p->router, belay_http_cors, (void *)&cors) == 0 &&
	       belay_router_use(p->router, belay_http_limit_rate, p->rate) == 0 &&
	       belay_router_use(p->router, belay_http_shed, p->shedder) == 0 &&
	       belay_router_use(p->router, belay_http_limit_concurrency, p->concurrency) == 0 &&
	       belay_router_use(p->router, belay_http_authenticate, (void *)&auth) == 0 &&
	       belay_router_use(p->router, belay_http_compress, NULL) == 0 &&
	       belay_files_open(folder, NULL, &p->files) == 0 &&
	       belay_router_add(p->router, "GET /files/{path...}", belay_files_handler,
				p->files) == 0 &&
	       belay_router_add(p->router, "GET /stream", stream, NULL) == 0 &&
	       belay_router_add(p->router, "GET /", answer, NULL) == 0 &&
	       belay_router_add(p->router, "GET /metrics", belay_metrics_handler, p->metrics) == 0;
}

static void drop_parts(struct parts *p)
{
	belay_router_free(p->router);
	belay_files_close(p->files);
	belay_metrics_free(p->metrics);
	belay_concurrency_limit_free(p->concurrency);
	belay_rate_limit_free(p->rate);
	belay_shedder_free(p->shedder);
}

static void ask(struct parts *p, const char *target, const char *credentials, const char *coding)
{
	belay_recorder *rec = belay_recorder_new("GET", target);

	if (rec && belay_recorder_header(rec, "Authorization", credentials) == 0 &&
	    belay_recorder_header(rec, "Accept-Encoding", coding) == 0 &&
	    belay_recorder_header(rec, "Origin", "https://a.example") == 0) {
		int r = belay_recorder_serve(belay_background(), rec, p->router);
		int status = belay_recorder_status(rec);

		check(status == 0 || status == 200 || status == 503 || status == 500 ||
		      status == 301);
		if (r == 0 && status == 200 && target[1] == '\0')
			check(strcmp(belay_recorder_get_body(rec, NULL), "a") == 0);
	}
	belay_recorder_free(rec);
}

static void serve_some(void *arg)
{
	struct parts parts;

	if (make(&parts)) {
		ask(&parts, "/", "Basic YTpi", "");
		ask(&parts, "/", "Bearer abc", "");
		ask(&parts, "/metrics", "Bearer abc", "gzip");
		ask(&parts, "/stream", "Bearer abc", arg);
		ask(&parts, "/files/file.txt", "Bearer abc", arg);
		ask(&parts, "/files/sub", "Bearer abc", "");
	}
	drop_parts(&parts);
	belay_shutdown();
}

static void requests_survive_the_loss_of_any_allocation(void **state)
{
	char coding[][5] = {"gzip", "br", "zstd"};

	folder_make();
	folder_put("file.txt", "text", 1000);
	assert_int_equal(mkdir(in_folder("sub"), 0755), 0);
	for (size_t i = 0; i < sizeof coding / sizeof *coding; i++)
		assert_true(check_each_allocation(serve_some, coding[i]) > 40);
	folder_drop();
}

BELAY_TEST_MAIN(cmocka_unit_test(requests_survive_the_loss_of_any_allocation))
