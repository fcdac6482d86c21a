/* SPDX-License-Identifier: MIT
 *
 * misuse.h - a middleware or a handler that was added without what it needs.
 */
#ifndef BELAY_SRC_HTTP_MISUSE_H
#define BELAY_SRC_HTTP_MISUSE_H

#include <belay/http.h>

/* Logs, as an error, that name was given no what ("belay_http_limit_rate", "limit"), and answers
 * 500. 0, or belay_response_error()'s errors. */
int belay__answer_misuse(belay_ctx *ctx, belay_request *req, belay_response *res, const char *name,
			 const char *what);

#endif
