/* SPDX-License-Identifier: MIT
 *
 * debug.c - a look inside of the running process.
 */
#include "debug.h"

#include <belay.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int print_tree(bool json, char **ret, size_t *ret_size)
{
	FILE *out = open_memstream(ret, ret_size);
	int r;

	if (!out)
		return -ENOMEM;
	r = json ? belay_tree_json(out) : belay_tree(out);
	if (fclose(out) && !r)
		r = -ENOMEM;
	return r;
}

int handle_contexts(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char *text = NULL;
	size_t size = 0;
	bool json;
	int r;

	if (wanted_format(ctx, req, res, &json))
		return 0;
	r = print_tree(json, &text, &size);
	if (!r)
		r = belay_response_header(res, "Content-Type",
					  json ? "application/json" : "text/plain; charset=utf-8");
	if (!r)
		r = belay_response_write(ctx, res, text, size);
	free(text);
	return r;
}
