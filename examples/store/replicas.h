/* SPDX-License-Identifier: MIT
 *
 * replicas.h - other stores, that may be asked in this one's place.
 */
#ifndef STORE_REPLICAS_H
#define STORE_REPLICAS_H

#include "options.h"
#include "store.h"

#include <belay/http.h>

struct replicas;

/* Those of the options; or, where there are none, two servers inside of this process, which answer
 * from store's database, one of them slowly. 0 and *ret; the context's error; a negative errno. */
int replicas_start(belay_ctx *ctx, const struct options *options, struct store *store,
		   struct replicas **ret);

/* Shuts them down, waiting no longer than ctx for what they still do. NULL is fine. */
void replicas_stop(belay_ctx *ctx, struct replicas *replicas);

/* GET /first/packages/{name}: asks all replicas at once. The first that knows the package wins,
 * and the others are cancelled. */
belay_handler handle_first;

#endif
