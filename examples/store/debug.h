/* SPDX-License-Identifier: MIT
 *
 * debug.h - a look inside of the running process.
 */
#ifndef STORE_DEBUG_H
#define STORE_DEBUG_H

#include <belay/http.h>

/* GET /debug/contexts: all contexts that are alive, as a tree in text; as JSON with ?format=json or
 * "Accept: application/json". */
belay_handler handle_contexts;

#endif
