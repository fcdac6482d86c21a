/* SPDX-License-Identifier: MIT
 *
 * refusal.c - "come again later": what limits answer.
 *
 * Where there is no memory for the header, the answer goes without it.
 */
#include "http/refusal.h"

#include <inttypes.h>
#include <stdio.h>

int belay__refuse_for_now(belay_ctx *ctx, belay_request *req, belay_response *res, int status,
			  uint64_t seconds, const char *message)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, seconds);
	belay_response_header(res, "Retry-After", text);
	return belay_response_error(ctx, req, res, status, "%s", message);
}
