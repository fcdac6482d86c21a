/* SPDX-License-Identifier: MIT
 *
 * refusal.h - "come again later".
 */
#ifndef BELAY_SRC_HTTP_REFUSAL_H
#define BELAY_SRC_HTTP_REFUSAL_H

#include <belay/http.h>

/* Answers with status and Retry-After (RFC 9110, section 10.2.3). 0, or belay_response_error()'s
 * errors. */
int belay__refuse_for_now(belay_ctx *ctx, belay_request *req, belay_response *res, int status,
			  uint64_t seconds, const char *message);

#endif
