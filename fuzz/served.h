/* SPDX-License-Identifier: MIT
 *
 * served.h - a server to be fuzzed, and connections to it.
 *
 * The client is the fuzzer's thread; the server's tasks run beside it, on a Unix socket of the
 * process's own. There is one server, and one connection at a time.
 */
#ifndef BELAY_FUZZ_SERVED_H
#define BELAY_FUZZ_SERVED_H

#include <belay/http.h>

#include <stdbool.h>
#include <stddef.h>

/* Starts it, once; it ends with the process, as router does. What options say of connection is not
 * heeded: that is needed here. */
void served_start(belay_router *router, const struct belay_server_options *options);

/* A connection to it. */
int served_dial(void);

/* Reads what the server says, behind what is in buf already, *size of room bytes, until the server
 * closes (true), buf is full, or the server falls silent: for most_ms, or, unless that has to pass
 * (patient), when nothing in the process goes on any more. */
bool served_hear(int fd, void *buf, size_t room, size_t *size, int most_ms, bool patient);

/* Closes it, and waits until the server has let it go. */
void served_leave(int fd);

#endif
