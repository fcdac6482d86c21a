/* SPDX-License-Identifier: MIT
 *
 * page.h - the one page for people.
 */
#ifndef STORE_PAGE_H
#define STORE_PAGE_H

#include <belay/http.h>

belay_handler handle_page; /* GET / */

#endif
