/* SPDX-License-Identifier: MIT
 *
 * handlers.h - the questions about packages, as HTTP requests. Their data is the struct store.
 */
#ifndef STORE_HANDLERS_H
#define STORE_HANDLERS_H

#include <belay/http.h>

belay_handler handle_search;  /* GET /packages?q=words&limit=20          */
belay_handler handle_package; /* GET /packages/{name}                    */
belay_handler handle_closure; /* GET /packages/{name}/closure            */
belay_handler handle_similar; /* GET /packages/{name}/similar?limit=10   */
belay_handler handle_twins;   /* GET /twins?limit=10&section=net         */
belay_handler handle_health;  /* GET /healthz                            */

#endif
