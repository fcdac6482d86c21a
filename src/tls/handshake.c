/* SPDX-License-Identifier: MIT
 *
 * handshake.c - how a connection's TLS begins: made by whoever reads or writes first, under his
 * context, and gone on with by the next one where that ended.
 *
 * One at a time makes it, since he has to be the only one who takes the socket's input: others wait
 * for shaking, not for the socket, where his taking what has arrived could leave them asleep.
 */
#include "tls/tls.h"

#include "base/alloc.h"

#include <errno.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <string.h>

/* ---- What is known once it is made ----------------------------------------------------------- */

/* A copy of bytes with a NUL behind them. */
static char *copy(const void *bytes, size_t size)
{
	char *text = belay__malloc(size + 1);

	if (!text)
		return NULL;
	memcpy(text, bytes, size);
	text[size] = '\0';
	return text;
}

/* As RFC 2253 writes it, but for UTF-8, which stays as it is. */
static char *subject_of(X509 *peer)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *text = NULL, *bytes;

	if (memory && X509_NAME_print_ex(memory, X509_get_subject_name(peer), 0,
					 XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
		long size = BIO_get_mem_data(memory, &bytes);

		text = copy(bytes, (size_t)size);
	}
	BIO_free(memory);
	return text;
}

static int note_subject(struct belay_tls__link *link)
{
	X509 *peer = SSL_get0_peer_certificate(link->ssl);

	if (!peer || link->subject)
		return 0;
	link->subject = subject_of(peer);
	return link->subject ? 0 : -ENOMEM;
}

static int note_protocol(struct belay_tls__link *link)
{
	const unsigned char *name;
	unsigned size;

	SSL_get0_alpn_selected(link->ssl, &name, &size);
	if (!name || link->protocol)
		return 0;
	link->protocol = copy(name, size);
	return link->protocol ? 0 : -ENOMEM;
}

static int note_facts(struct belay_tls__link *link)
{
	int err = note_subject(link);

	return err < 0 ? err : note_protocol(link);
}

/* ---- Making it ------------------------------------------------------------------------------- */

/* As far as it gets. While something of ours waits for room, the peer can't be waited for. */
static int go_on(struct belay_tls__link *link, unsigned *events)
{
	int err = belay_tls__flush_locked(link, events), result;

	if (err < 0)
		return err;
	belay_tls__errors_clear();
	result = SSL_do_handshake(link->ssl);
	if (result == 1)
		return belay_tls__flush_locked(link, events);
	err = belay_tls__judge(link, result, events);
	if (err == 0)
		return belay_tls__break(link, -ECONNRESET, "the peer closed in the handshake");
	if (err == -EAGAIN && link->pending.start < link->pending.end)
		*events = BELAY_WRITABLE;
	return err;
}

static ssize_t attempt(int fd, void *arg, unsigned *events)
{
	struct belay_tls__link *link = arg;
	int err;

	pthread_mutex_lock(&link->lock);
	err = link->broken;
	if (err == 0)
		err = go_on(link, events);
	if (err == 0)
		err = note_facts(link);
	link->barren = 0;
	pthread_mutex_unlock(&link->lock);
	return err;
}

static int give_up(struct belay_tls__link *link)
{
	int err;

	pthread_mutex_lock(&link->lock);
	err = belay_tls__break(link, -ETIMEDOUT, "the handshake took too long");
	pthread_mutex_unlock(&link->lock);
	return err;
}

static int make(belay_ctx *ctx, struct belay_tls__link *link)
{
	belay_ctx *timed = belay_with_deadline(ctx, link->handshake_by);
	int err = (int)belay_conn_try(timed, link->conn, attempt, link);

	belay_end(timed);
	if (err == -ETIME && belay_err(ctx) == 0)
		return give_up(link);
	if (err == 0) /* pairs with the loads of those who go on without shaking */
		atomic_store_explicit(&link->ready, true, memory_order_release);
	return err;
}

int belay_tls__handshake(belay_ctx *ctx, belay_conn *conn, void *state)
{
	struct belay_tls__link *link = state;
	int err;

	if (atomic_load_explicit(&link->ready, memory_order_acquire))
		return 0;
	err = belay_mutex_lock(ctx, &link->shaking);
	if (err < 0)
		return err;
	if (!atomic_load_explicit(&link->ready, memory_order_acquire))
		err = make(ctx, link);
	belay_mutex_unlock(&link->shaking);
	return err;
}
