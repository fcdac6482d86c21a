/* SPDX-License-Identifier: MIT
 *
 * status.h - the status that an error is answered with.
 */
#ifndef BELAY_SRC_HTTP_STATUS_H
#define BELAY_SRC_HTTP_STATUS_H

/* An error that reading the request's body gave, and any other one, as belay_handler says. */
int belay__status_of_body(int err);
int belay__status_of(int err);

#endif
