/* SPDX-License-Identifier: MIT
 *
 * reply.c - answers in JSON, good and bad, and the numbers that are asked for with them.
 */
#include "reply.h"

#include <belay.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Text ------------------------------------------------------------------------------------ */

static json_t *ascii_only(const char *text)
{
	size_t i, length = strlen(text);
	char *copy = malloc(length + 1);
	json_t *string;

	if (!copy)
		return NULL;
	for (i = 0; i < length; i++)
		copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	copy[length] = '\0';
	string = json_string(copy);
	free(copy);
	return string;
}

json_t *reply_text(const char *text)
{
	json_t *string = text ? json_string(text) : json_null();

	return string ? string : ascii_only(text);
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* json_dumps() with a newline behind it, for people with a terminal. */
static int write_json(belay_ctx *ctx, belay_response *res, const json_t *body)
{
	char *text = json_dumps(body, JSON_INDENT(2));
	int r = belay_response_header(res, "Content-Type", "application/json");

	if (!text)
		return -ENOMEM;
	if (!r)
		r = belay_response_puts(ctx, res, text);
	if (!r)
		r = belay_response_puts(ctx, res, "\n");
	free(text);
	return r;
}

int reply_json(belay_ctx *ctx, belay_response *res, json_t *body)
{
	int r = body ? write_json(ctx, res, body) : -ENOMEM;

	json_decref(body);
	return r;
}

int reply_error_page(belay_ctx *ctx, const belay_request *req, belay_response *res,
		     const struct belay_http_error *error, void *arg)
{
	return reply_json(ctx, res,
			  json_pack("{s:o, s:o, s:o}", "error", reply_text(error->message), "cause",
				    reply_text(error->cause), "trace_id",
				    reply_text(belay_trace_id(ctx))));
}

int reply_limit(belay_ctx *ctx, belay_request *req, belay_response *res, int otherwise, int most,
		int *ret)
{
	const char *text = belay_request_query(req, "limit");
	char *end;
	long limit;

	*ret = otherwise;
	if (!text)
		return 0;
	errno = 0;
	limit = strtol(text, &end, 10);
	if (end != text && !*end && !errno && limit >= 1 && limit <= most) {
		*ret = (int)limit;
		return 0;
	}
	belay_response_error(ctx, req, res, 400, "limit must be a number from 1 to %d, not \"%s\"",
			     most, text);
	return -EINVAL;
}
