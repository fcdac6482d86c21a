/* SPDX-License-Identifier: MIT
 *
 * debug.c - handlers for a look inside of the running process.
 */
#include <belay/http.h>
#include <belay/stats.h>
#include <belay/tree.h>

#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is shown, in both forms. */
struct view {
	int (*text)(FILE *out);
	int (*json)(FILE *out);
};

/* The parameter counts for more than the header: it can be typed into a browser. */
static int wanted_format(belay_ctx *ctx, belay_request *req, belay_response *res, bool *ret_json)
{
	const char *format = belay_request_query(req, "format");
	const char *accept = belay_request_header(req, "Accept");

	*ret_json = format ? !strcmp(format, "json")
			   : accept && strstr(accept, "application/json") != NULL;
	if (!format || *ret_json || !strcmp(format, "text"))
		return 0;
	belay_response_error(ctx, req, res, 400, "format must be text or json, not \"%s\"", format);
	return -EINVAL;
}

static int print(int (*view)(FILE *out), char **ret, size_t *ret_size)
{
	FILE *out = belay__alloc_fails() ? NULL : open_memstream(ret, ret_size);
	int r;

	if (!out)
		return -ENOMEM;
	r = view(out);
	if (fclose(out) && !r)
		r = -ENOMEM;
	return r;
}

static int serve(belay_ctx *ctx, belay_request *req, belay_response *res, const struct view *view)
{
	char *text = NULL;
	size_t size = 0;
	bool json;
	int r;

	if (wanted_format(ctx, req, res, &json))
		return 0;
	r = print(json ? view->json : view->text, &text, &size);
	if (!r)
		r = belay_response_header(res, "Content-Type",
					  json ? "application/json" : "text/plain; charset=utf-8");
	if (!r)
		r = belay_response_write(ctx, res, text, size);
	free(text);
	return r;
}

int belay_stats_handler(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static const struct view stats = {belay_stats_text, belay_stats_json};

	return serve(ctx, req, res, &stats);
}

int belay_tree_handler(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static const struct view tree = {belay_tree, belay_tree_json};

	return serve(ctx, req, res, &tree);
}
