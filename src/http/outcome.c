/* SPDX-License-Identifier: MIT
 *
 * outcome.c - how a request ended, for those who keep count.
 */
#include "http/outcome.h"

#include "http/response.h"

#include <errno.h>

int belay__outcome_status(const belay_ctx *ctx, const belay_response *res, int result)
{
	belay_cause cause;

	if (res->written || (result == 0 && belay_err(ctx) == 0))
		return res->status;
	if (belay_cause_of(ctx, &cause) == 0)
		return cause.code == -ECONNRESET ? BELAY__CLIENT_CLOSED_REQUEST : 503;
	return 500;
}
