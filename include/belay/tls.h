/* SPDX-License-Identifier: MIT
 *
 * tls.h - TLS 1.2 and 1.3 on connections, by OpenSSL.
 *
 *     static const struct belay_tls_certificate own = {"chain.pem", "key.pem"};
 *     struct belay_tls_server_options options = {.certificates = &own, .count = 1};
 *     struct belay_tls_error error;
 *     belay_tls *tls;
 *
 *     r = belay_tls_server_new(ctx, &options, &tls, &error);
 *     if (r == 0)
 *             r = belay_tls_listen(ctx, ":8443", tls, &listener);
 *     else
 *             fprintf(stderr, "%s\n", error.text);     "key.pem: does not belong to chain.pem"
 *
 * A connection with TLS is a connection like any other: it is read, written, watched, shut down and
 * closed with the calls of net.h, each under its context, and a server that is given such a
 * listener serves HTTPS. One reader and one writer may use it at the same time. A call that a
 * context ends leaves the stream whole: the next one goes on where it stopped.
 *
 * Links as belay-tls. What can block takes a context and returns that context's error as soon as it
 * is done; the rules of belay.h hold here too.
 */
#ifndef BELAY_TLS_H
#define BELAY_TLS_H

#include <belay/net.h>

BELAY_BEGIN_DECLS

/* How one side speaks TLS: certificates, authorities, what it insists on. Counted, and used by any
 * number of connections, tasks and threads at once. */
typedef struct belay_tls belay_tls;

/* Why a call failed, for people: "chain.pem: no certificate in it". */
struct belay_tls_error {
	char text[256];
};

/* A certificate with those of its authorities behind it (but the root), and its private key without
 * a passphrase; both PEM, and may be one file. */
struct belay_tls_certificate {
	const char *chain_file;
	const char *key_file;
};

/* ---- Servers --------------------------------------------------------------------------------- */

enum belay_tls_clients {
	BELAY_TLS_CLIENTS_ANY = 0,  /* are not asked for a certificate                          */
	BELAY_TLS_CLIENTS_MAY,      /* may show one, which then has to be good                  */
	BELAY_TLS_CLIENTS_MUST,     /* must show a good one                                     */
};

/* Zeros stand for the defaults in brackets. */
struct belay_tls_server_options {
	const struct belay_tls_certificate *certificates; /* at least one. A client that asks for a
				 name (SNI) is shown the first that is for it; else the first   */
	size_t count;
	enum belay_tls_clients clients; /* certificates of theirs [ANY]                         */
	const char *client_ca_file;     /* PEM: whom these must be from; needed with MAY and MUST */
	const char *protocols;  /* ALPN: what is spoken, best first, commas between [what the
				 connection's user speaks, belay_conn_offer(): belay-http's server
				 does that; else "http/1.1"]; a client that offers none of them
				 is refused, one that offers nothing is not                     */
	int64_t handshake_time; /* nanoseconds from the accept to the end of the handshake [10 s] */
};

/* Reads the files, on a thread that may block, and copies options. 0 and *ret, one reference; the
 * context's error; -EINVAL: options are incomplete, or protocols malformed; the errno of a file
 * that can't be opened; -EBADMSG: a file has not got in it what it should; -EKEYREJECTED: a key
 * does not belong to its certificate; -ENOMEM. error (may be NULL) says which file and what is
 * wrong. */
BELAY_EXPORT int belay_tls_server_new(BELAY_BORROWED belay_ctx *ctx,
				      const struct belay_tls_server_options *options,
				      belay_tls **ret, struct belay_tls_error *error);

/* belay_listen(), with TLS on what arrives there. The listener has a reference to tls of its own.
 * Accepting does not wait for the handshake: the first read or write makes it, or
 * belay_conn_handshake(). */
BELAY_EXPORT int belay_tls_listen(BELAY_BORROWED belay_ctx *ctx, const char *address,
				  belay_tls *tls, belay_listener **ret);

/* The same for a listener that was made in another way (belay_listen_with(),
 * belay_listen_inherited()): what it accepts from now on comes with TLS. Once for a listener,
 * before it accepts. 0; -EINVAL: tls is a client's. Does not block. */
BELAY_EXPORT int belay_tls_on_listener(belay_listener *listener, belay_tls *tls);

/* Makes conn, which nobody else uses yet, the server's side of TLS with tls; for connections that
 * come from elsewhere, or turn to TLS after some talk (STARTTLS). Does not block. 0; -EINVAL: tls
 * is a client's, or conn has TLS already; -ENOMEM: conn is as it was. */
BELAY_EXPORT int belay_tls_accept(belay_tls *tls, belay_conn *conn);

/* ---- Clients --------------------------------------------------------------------------------- */

/* Zeros stand for the defaults in brackets. */
struct belay_tls_client_options {
	const char *ca_file;    /* PEM: the authorities that are trusted [the system's]          */
	const struct belay_tls_certificate *certificate; /* the client's own [none]              */
	const char *protocols;  /* ALPN: what is offered, best first [none]                      */
	int64_t handshake_time; /* nanoseconds from the connect to its end [10 s] */
};

/* As belay_tls_server_new(). options may be NULL. */
BELAY_EXPORT int belay_tls_client_new(BELAY_BORROWED belay_ctx *ctx,
				      const struct belay_tls_client_options *options,
				      belay_tls **ret, struct belay_tls_error *error);

/* belay_dial(address), and the handshake with a peer whose certificate must be for the host in
 * address. 0 and *ret; belay_dial()'s and belay_conn_handshake()'s errors, and error (may be NULL)
 * in words; -EINVAL besides: tls is a server's, or address has no host. */
BELAY_EXPORT int belay_tls_dial(BELAY_BORROWED belay_ctx *ctx, const char *address, belay_tls *tls,
				belay_conn **ret, struct belay_tls_error *error);

/* The same on conn, which is connected and nobody else uses yet: name is the host's name, or
 * address in numbers, that the peer's certificate must be for. Makes the handshake. The errors as
 * above; what is left to do with conn then is to close it. */
BELAY_EXPORT int belay_tls_connect(BELAY_BORROWED belay_ctx *ctx, belay_tls *tls, belay_conn *conn,
				   const char *name, struct belay_tls_error *error);

/* ---- Both ------------------------------------------------------------------------------------ */

/* Reads all the files again. 0: connections that begin from now on use what is there; those that
 * are open keep what they have. Sessions from before the reload are not resumed any more. An error
 * as belay_tls_server_new(): nothing has changed. */
BELAY_EXPORT int belay_tls_reload(BELAY_BORROWED belay_ctx *ctx, belay_tls *tls,
				  struct belay_tls_error *error);

/* NULL is fine for unref. */
BELAY_EXPORT belay_tls *belay_tls_ref(belay_tls *tls);
BELAY_EXPORT void belay_tls_unref(belay_tls *tls);

/* Once the handshake is made: "TLSv1.3"; and whether it resumed an earlier session. NULL, false:
 * conn has no TLS, or no handshake yet. belay_conn_protocol() and belay_conn_peer_subject() tell
 * what else there is. The string lives for ever. */
BELAY_EXPORT const char *belay_tls_version(const belay_conn *conn);
BELAY_EXPORT bool belay_tls_is_resumed(const belay_conn *conn);

/* Why TLS on conn failed, for people; "" where it has not. Any thread, once the call that failed
 * has returned. */
BELAY_EXPORT void belay_tls_error_of(const belay_conn *conn, struct belay_tls_error *ret);

BELAY_END_DECLS

#endif
