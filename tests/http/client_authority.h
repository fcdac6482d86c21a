/* SPDX-License-Identifier: MIT
 *
 * client_authority.h - an authority made on the spot; its one certificate is the peer's too.
 */
#ifndef BELAY_TESTS_HTTP_CLIENT_AUTHORITY_H
#define BELAY_TESTS_HTTP_CLIENT_AUTHORITY_H

#include "check.h"

#include <openssl/ssl.h>

struct authority {
	SSL_CTX *ssl;  /* for the peer's side */
	char file[64]; /* its certificate as PEM */
};

/* For a peer of that name: "IP:127.0.0.1", "DNS:host". */
void authority_init(struct authority *authority, const char *name);
void authority_fini(struct authority *authority);

/* The peer's side of a connection, its handshake done; NULL where that failed. OpenSSL writes with
 * write(2): from here on SIGPIPE stays pending on this thread, and one of the client's, which would
 * hit the thread that cancels or drives, is not hidden. */
SSL *authority_accept(struct authority *authority, int fd);

#endif
