/* SPDX-License-Identifier: MIT
 *
 * outcome.h - how a request ended, for those who keep count.
 */
#ifndef BELAY_SRC_HTTP_OUTCOME_H
#define BELAY_SRC_HTTP_OUTCOME_H

#include <belay/http.h>

/* nginx's own, for clients that had gone before they were answered. */
enum { BELAY__CLIENT_CLOSED_REQUEST = 499 };

/* What was answered, or would have been, once everything behind has returned result. */
int belay__outcome_status(const belay_ctx *ctx, const belay_response *res, int result);

#endif
