/* SPDX-License-Identifier: MIT
 *
 * explain.h - the last line of the programs that show patterns, and their exit status.
 */
#ifndef BELAY_EXAMPLES_EXPLAIN_H
#define BELAY_EXAMPLES_EXPLAIN_H

#include <belay.h>

#include <stdio.h>
#include <stdlib.h>

/* What main() returns for err, which is 0 or a negative errno; says whose it is on standard error.
 * Where ctx is done its cause says more than its error does: "SIGINT received", not "context
 * canceled". */
static inline int explain(const char *whose, const belay_ctx *ctx, int err)
{
	belay_cause cause;

	if (err == 0)
		return EXIT_SUCCESS;
	if (belay_cause_of(ctx, &cause) == 0)
		fprintf(stderr, "%s: %s\n", whose, cause.message);
	else
		fprintf(stderr, "%s: %s\n", whose, belay_strerror(err));
	return EXIT_FAILURE;
}

#endif
