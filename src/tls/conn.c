/* SPDX-License-Identifier: MIT
 *
 * conn.c - a connection's TLS: put on it, asked about, taken away with it.
 */
#include "tls/tls.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>

/* ---- Errors ---------------------------------------------------------------------------------- */

int belay_tls__break(struct belay_tls__link *link, int err, const char *why)
{
	if (!link->broken) {
		link->broken = err;
		snprintf(link->why, sizeof link->why, "%s", why);
	}
	return link->broken;
}

static int break_with_errno(struct belay_tls__link *link, int err)
{
	return belay_tls__break(link, err, belay_strerror(err));
}

/* Of a certificate that is not trusted it is told why not. */
static int break_with_queue(struct belay_tls__link *link)
{
	long verdict = SSL_get_verify_result(link->ssl);
	char why[sizeof link->why];
	int err = belay_tls__errors_take(-EPROTO, why, sizeof why);

	if (err == -EKEYREJECTED && verdict != X509_V_OK)
		return belay_tls__break(link, err, X509_verify_cert_error_string(verdict));
	return belay_tls__break(link, err, why);
}

/* OpenSSL calls it the peer's end, too, where the socket fails behind that. */
int belay_tls__judge(struct belay_tls__link *link, int result, unsigned *events)
{
	switch (SSL_get_error(link->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		*events = BELAY_READABLE;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*events = BELAY_WRITABLE;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		if (!link->io_error)
			return 0;
	}
	if (link->io_error) {
		belay_tls__errors_clear();
		return break_with_errno(link, link->io_error);
	}
	return link->eof ? belay_tls__break(link, -ECONNRESET, "the peer closed without a word")
			 : break_with_queue(link);
}

int belay_tls__flush_locked(struct belay_tls__link *link, unsigned *events)
{
	int err = belay_tls__send_pending(link);

	*events = BELAY_WRITABLE;
	return err < 0 && err != -EAGAIN ? break_with_errno(link, err) : err;
}

/* ---- What is told ---------------------------------------------------------------------------- */

static const char *tell(const belay_conn *conn, void *state, enum belay_conn_fact fact)
{
	const struct belay_tls__link *link = state;

	if (!atomic_load_explicit(&link->ready, memory_order_acquire))
		return NULL;
	switch (fact) {
	case BELAY_CONN_PROTOCOL:
		return link->protocol;
	case BELAY_CONN_PEER_SUBJECT:
		return link->subject;
	default:
		return NULL;
	}
}

static int offer_locked(struct belay_tls__link *link, unsigned char *protocols, size_t size)
{
	if (!SSL_in_before(link->ssl))
		return -EALREADY;
	belay__free(link->offered);
	link->offered = protocols;
	link->offered_size = size;
	return 0;
}

static int offer(belay_conn *conn, void *state, const char *protocols)
{
	struct belay_tls__link *link = state;
	unsigned char *bytes;
	size_t size;
	int err = belay_tls__protocols(protocols, &bytes, &size);

	if (err < 0)
		return err;
	pthread_mutex_lock(&link->lock);
	err = offer_locked(link, bytes, size);
	pthread_mutex_unlock(&link->lock);
	if (err < 0)
		belay__free(bytes);
	return err;
}

/* ---- Making and closing ---------------------------------------------------------------------- */

static void link_free(struct belay_tls__link *link)
{
	SSL_free(link->ssl);
	belay_tls__loaded_unref(link->loaded);
	pthread_mutex_destroy(&link->lock);
	belay__free(link->pending.bytes);
	belay__free(link->offered);
	belay__free(link->subject);
	belay__free(link->protocol);
	belay__free(link);
}

/* The end is told to a peer that has got all the rest, where the socket has room for it now. */
static void close_link(belay_conn *conn, void *state)
{
	belay_tls__finish(NULL, conn, state);
	belay_tls__errors_clear();
	link_free(state);
}

static const struct belay_conn_filter filter = {
	.handshake = belay_tls__handshake,
	.read = belay_tls__read,
	.write = belay_tls__write,
	.flush = belay_tls__flush,
	.finish = belay_tls__finish,
	.look = belay_tls__look,
	.tell = tell,
	.offer = offer,
	.close = close_link,
	.doze = belay_tls__doze,
	.wake = belay_tls__wake,
};

struct belay_tls__link *belay_tls__link_of(const belay_conn *conn)
{
	return belay_conn_filter_state(conn, &filter);
}

static bool is_number(const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* Who the peer must be; and, for a name, whom a server with several faces is asked for. */
static bool expect(SSL *ssl, const char *name)
{
	if (is_number(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static int set_up_ssl(struct belay_tls__link *link, const char *name)
{
	BIO *bio = belay_tls__socket_bio(link);

	if (!bio)
		return -ENOMEM;
	SSL_set_bio(link->ssl, bio, bio);
	SSL_set_app_data(link->ssl, link);
	if (!name) {
		SSL_set_accept_state(link->ssl);
		return 0;
	}
	SSL_set_connect_state(link->ssl);
	return expect(link->ssl, name) ? 0 : belay_tls__errors_take(-EINVAL, NULL, 0);
}

static int64_t moment(int64_t ns)
{
	int64_t now = belay_now();

	return ns > BELAY_FOREVER - now ? BELAY_FOREVER : now + ns;
}

static struct belay_tls__link *link_new(belay_tls *tls, belay_conn *conn)
{
	struct belay_tls__link *link = belay__calloc(1, sizeof *link);

	if (!link)
		return NULL;
	link->conn = conn;
	link->fd = belay_conn_fd(conn);
	link->handshake_by = moment(tls->settings.handshake_time);
	link->shaking = (belay_mutex)BELAY_MUTEX_INIT;
	pthread_mutex_init(&link->lock, NULL);
	link->loaded = belay_tls__loaded_of(tls);
	return link;
}

int belay_tls__attach(belay_tls *tls, belay_conn *conn, const char *name)
{
	struct belay_tls__link *link;
	int err;

	if (belay_conn_is_secure(conn) || tls->settings.server != !name || (name && !*name))
		return -EINVAL;
	link = link_new(tls, conn);
	if (!link)
		return -ENOMEM;
	belay_tls__errors_clear();
	link->ssl = SSL_new(link->loaded->contexts[0]);
	err = link->ssl ? set_up_ssl(link, name) : -ENOMEM;
	belay_tls__errors_clear();
	if (err < 0) {
		link_free(link);
		return err;
	}
	belay_conn_set_filter(conn, &filter, link);
	return 0;
}
