/* SPDX-License-Identifier: MIT
 *
 * authority.h - an authority made on the spot, and certificates that it issues, in a folder of
 * temporary files.
 */
#ifndef BELAY_TESTS_TLS_AUTHORITY_H
#define BELAY_TESTS_TLS_AUTHORITY_H

#include "check.h"

#include <belay/tls.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

struct authority {
	char folder[40];
	char ca_file[64]; /* its own certificate */
	EVP_PKEY *key;
	X509 *cert;
	long issued;
};

/* A certificate's files. */
struct issued {
	char chain[64], key[64];
};

void authority_init(struct authority *authority);
void authority_fini(struct authority *authority); /* removes the folder */

/* Issues one for the subject CN=common, O=Belay and the alternative names ("DNS:localhost", NULL:
 * none), valid until some seconds from now (negative: expired); in files of that name. */
struct issued authority_issue(struct authority *authority, const char *file, const char *common,
			      const char *names, long seconds);

/* The files as an option. */
static inline struct belay_tls_certificate certificate_of(const struct issued *issued)
{
	return (struct belay_tls_certificate){issued->chain, issued->key};
}

/* Writes text to that file of the folder, and its path to path. */
void authority_write(const struct authority *authority, const char *file, const char *text,
		     char path[64]);

#endif
