/* SPDX-License-Identifier: MIT
 *
 * handlers.c - the questions about packages, as HTTP requests.
 *
 * A handler takes the request apart, asks, and answers. It needs no care for clients that go away
 * or deadlines that pass: the query returns the context's error, and the server knows what to make
 * of it.
 */
#include "handlers.h"

#include "queries.h"
#include "reply.h"
#include "store.h"

#include <errno.h>

enum { LIMIT_MOST = 1000 };

/* The answer to a query that returned r. */
static int answer(belay_ctx *ctx, belay_request *req, belay_response *res, int r, json_t *body)
{
	const char *name = belay_request_param(req, "name");

	if (r == -ENOENT)
		return belay_response_error(ctx, req, res, 404, "there is no package \"%s\"", name);
	return r ? r : reply_json(ctx, res, body);
}

int handle_search(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const struct store *store = belay_request_data(req);
	json_t *body = NULL;
	int limit, r;

	if (reply_limit(ctx, req, res, 20, LIMIT_MOST, &limit))
		return 0;
	r = query_search(ctx, &store->db, belay_request_query(req, "q"), limit, &body);
	if (r == -E2BIG)
		return belay_response_error(ctx, req, res, 400, "q has more than %d words",
					    QUERY_WORDS_MOST);
	return answer(ctx, req, res, r, body);
}

int handle_package(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const struct store *store = belay_request_data(req);
	json_t *body = NULL;
	int r = query_package(ctx, &store->db, belay_request_param(req, "name"), &body);

	return answer(ctx, req, res, r, body);
}

int handle_closure(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const struct store *store = belay_request_data(req);
	json_t *body = NULL;
	int r = query_closure(ctx, &store->db, belay_request_param(req, "name"), &body);

	return answer(ctx, req, res, r, body);
}

int handle_similar(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const struct store *store = belay_request_data(req);
	json_t *body = NULL;
	int limit, r;

	if (reply_limit(ctx, req, res, 10, LIMIT_MOST, &limit))
		return 0;
	r = query_similar(ctx, &store->db, belay_request_param(req, "name"), limit, &body);
	return answer(ctx, req, res, r, body);
}

int handle_twins(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const struct store *store = belay_request_data(req);
	json_t *body = NULL;
	int limit, r;

	if (reply_limit(ctx, req, res, 10, LIMIT_MOST, &limit))
		return 0;
	r = query_twins(ctx, &store->db, belay_request_query(req, "section"), limit, &body);
	return answer(ctx, req, res, r, body);
}

int handle_health(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const struct store *store = belay_request_data(req);
	int r = query_health(ctx, &store->db);

	return r ? r : reply_json(ctx, res, json_pack("{s:s}", "status", "ok"));
}
