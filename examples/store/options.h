/* SPDX-License-Identifier: MIT
 *
 * options.h - what the command line says.
 */
#ifndef STORE_OPTIONS_H
#define STORE_OPTIONS_H

#include <belay/tls.h>

#include <stddef.h>

enum { REPLICAS_MOST = 16 };

struct options {
	const char *listen;                  /* address to listen on                              */
	const char *https;                   /* and for HTTPS, where there is a certificate:      */
	struct belay_tls_certificate certificate; /* of NULLs, there is none                      */
	const char *db;                      /* the database's file                               */
	const char *data;                    /* a file in dpkg's format; NULL: what apt knows     */
	const char *replicas[REPLICAS_MOST]; /* URLs; none: two inside of this process            */
	size_t n_replicas;
};

enum options_verdict {
	OPTIONS_RUN,
	OPTIONS_HELPED, /* --help has been answered */
	OPTIONS_WRONG,  /* and said so on standard error */
};

/* Strings are borrowed from argv, the environment or static memory. */
enum options_verdict options_parse(int argc, char **argv, struct options *ret);

#endif
