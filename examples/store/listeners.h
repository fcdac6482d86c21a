/* SPDX-License-Identifier: MIT
 *
 * listeners.h - where the store listens: over plain HTTP, and over HTTPS for those that have a
 * certificate, which is where browsers speak HTTP/2.
 */
#ifndef STORE_LISTENERS_H
#define STORE_LISTENERS_H

#include "options.h"

#include <belay/http.h>

struct listeners {
	belay_listener *http;
	belay_listener *https; /* NULL: no certificate was given */
};

/* Opens those of the options. 0; or an error, which has been told on standard error: nothing is
 * open then. */
int listeners_open(belay_ctx *ctx, const struct options *options, struct listeners *ret);

/* Says where it listens, and lets server serve there until ctx is done; they are closed then. */
void listeners_serve(belay_ctx *ctx, belay_server *server, const struct listeners *listeners);

#endif
