/* SPDX-License-Identifier: MIT
 *
 * import.h - makes the database out of what dpkg and apt know.
 */
#ifndef STORE_IMPORT_H
#define STORE_IMPORT_H

#include "options.h"

#include <belay.h>

/* Sees to it that options->db has the packages of options->data, or of this machine: makes it
 * where there is none, or where it was made of other data. All or nothing: the file is built
 * beside its place and moved there when it is complete; a file that no store has made is left
 * alone. Says what it does, and what went wrong, on standard error. For main, before the server
 * starts. 0; the context's error; a negative errno. */
int import(belay_ctx *ctx, const struct options *options);

#endif
