/* SPDX-License-Identifier: MIT
 *
 * trace.c - on whose behalf: traceparent, X-Trace-Id and baggage, as strangers send them.
 *
 * Whatever they are, the request has an id that may stand in a log and in a header, and what goes
 * on from here is well-formed.
 *
 * Input       lines: traceparent, X-Trace-Id, baggage, tracestate.
 */
#include "fuzz.h"
#include "http/baggage.h"

#include <belay/http.h>
#include <belay/http_client.h>
#include <belay/log.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static bool is_w3c(const char *id)
{
	return strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32 && strspn(id, "0") < 32;
}

static void check_parent(const char *text)
{
	char id[33] = "untouched";
	int r = belay_traceparent_parse(text, id);

	MUST(r == 0 || r == -EINVAL);
	MUST(r == 0 ? is_w3c(id) && strstr(text, id) == text + 3 : strcmp(id, "untouched") == 0);
	MUST(r < 0 || (strlen(text) >= 55 && strncmp(text, "ff", 2) != 0));
}

/* What a request that is made on behalf of ctx would say. */
static void check_next(const belay_ctx *ctx, const char *id)
{
	char parent[BELAY_TRACEPARENT_SIZE], again[33];
	int r = belay_traceparent_format(ctx, parent);

	MUST(r == (is_w3c(id) ? 0 : -ENOENT));
	if (r == 0) {
		MUST(belay_traceparent_parse(parent, again) == 0 && strcmp(again, id) == 0);
		check_parent(parent);
	}
}

/* Either nothing, or the beginning of what came, which is as good as the whole where that fits. */
static void check_baggage(const char *given, const char *taken)
{
	size_t size = 0;

	if (!taken)
		return;
	MUST(given && strncmp(given, taken, strlen(taken)) == 0 && !fuzz_has_control(taken));
	MUST(belay__baggage_scan(taken, &size) == 0 && size == strlen(taken) && size <= 8192);
}

/* What came with a traceparent, well-formed: it can be given to another context of the trace. */
static void check_state(belay_ctx *ctx, const belay_request *req)
{
	const char *state = belay_tracestate(ctx);
	belay_ctx *again;

	if (!state)
		return;
	MUST(belay_request_header(req, "tracestate") && belay_request_header(req, "traceparent"));
	MUST(*state && !fuzz_has_control(state));
	again = belay_with_tracestate(ctx, state);
	MUST(belay_err(again) == 0 && strcmp(belay_tracestate(again), state) == 0);
	belay_end(again);
}

static int handle(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *id = belay_trace_id(ctx);
	const bool *asked = belay_request_data(req);

	MUST(asked != NULL);
	MUST(id && *id && strlen(id) <= 64 && strspn(id, LETTERS) == strlen(id));
	check_baggage(belay_request_header(req, "baggage"), belay_baggage(ctx));
	check_state(ctx, req);
	check_next(ctx, id);
	return belay_response_puts(ctx, res, id);
}

/* A header that could not have come over the wire is left out. */
static void add(belay_recorder *rec, const char *name, const char *value)
{
	int r = *value ? belay_recorder_header(rec, name, value) : 0;

	MUST(r == 0 || (r == -EINVAL && fuzz_has_control(value)));
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static bool asked;
	struct fuzz_input in = {data, size};
	char *parent = fuzz_line(&in), *id = fuzz_line(&in), *baggage = fuzz_line(&in);
	char *state = fuzz_line(&in);
	belay_recorder *rec = belay_recorder_new("GET", "/");
	belay_router *router = belay_router_new();

	MUST(rec && router && belay_router_use(router, belay_http_trace, NULL) == 0);
	MUST(belay_router_add(router, "GET /", handle, &asked) == 0);
	check_parent(parent);
	add(rec, "traceparent", parent);
	add(rec, "X-Trace-Id", id);
	add(rec, "baggage", baggage);
	add(rec, "tracestate", state);
	MUST(belay_recorder_serve(belay_background(), rec, router) == 0);
	MUST(strcmp(belay_recorder_get_header(rec, "X-Trace-Id"),
		    belay_recorder_get_body(rec, NULL)) == 0);
	belay_router_free(router);
	belay_recorder_free(rec);
	free(parent);
	free(id);
	free(baggage);
	free(state);
}
