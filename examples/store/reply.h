/* SPDX-License-Identifier: MIT
 *
 * reply.h - answers in JSON, good and bad, and the numbers that are asked for with them.
 */
#ifndef STORE_REPLY_H
#define STORE_REPLY_H

#include <belay/http.h>

#include <jansson.h>

/* text as a string of JSON's, which must be UTF-8: where it is not, each byte that is not ASCII
 * becomes a question mark. NULL: null. NULL is returned where memory runs out. */
json_t *reply_text(const char *text);

/* Answers with body, and gives up the reference to it; NULL: -ENOMEM. */
int reply_json(belay_ctx *ctx, belay_response *res, json_t *body);

/* The error page of every server here: {"error", "cause", "trace_id"}, the latter two null where
 * there is none. arg is not used. */
belay_error_page reply_error_page;

/* The number from 1 to most in the query parameter "limit"; otherwise where there is none. 0;
 * -EINVAL: it is something else, and 400 has been answered. */
int reply_limit(belay_ctx *ctx, belay_request *req, belay_response *res, int otherwise, int most,
		int *ret);

#endif
