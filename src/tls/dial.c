/* SPDX-License-Identifier: MIT
 *
 * dial.c - connections with TLS: those that arrive, those that are made, and what they tell.
 */
#include "tls/tls.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* ---- Servers --------------------------------------------------------------------------------- */

int belay_tls_accept(belay_tls *tls, belay_conn *conn)
{
	return belay_tls__attach(tls, conn, NULL);
}

static int wrap(belay_conn *conn, void *arg)
{
	return belay_tls_accept(arg, conn);
}

static void done(void *arg)
{
	belay_tls_unref(arg);
}

int belay_tls_on_listener(belay_listener *listener, belay_tls *tls)
{
	if (!tls->settings.server)
		return -EINVAL;
	belay_listener_set_wrap(listener, wrap, done, belay_tls_ref(tls));
	return 0;
}

int belay_tls_listen(belay_ctx *ctx, const char *address, belay_tls *tls, belay_listener **ret)
{
	int err = tls->settings.server ? belay_listen(ctx, address, ret) : -EINVAL;

	return err < 0 ? err : belay_tls_on_listener(*ret, tls);
}

/* ---- Clients --------------------------------------------------------------------------------- */

/* The host of "host:port" and "[v6]:port". 0 or -EINVAL. */
static int host_of(const char *address, char *ret, size_t size)
{
	const char *end = strrchr(address, ':');
	size_t length;

	if (!end || strncmp(address, "unix:", 5) == 0)
		return -EINVAL;
	if (*address == '[') {
		address++;
		end = memchr(address, ']', (size_t)(end - address));
	}
	length = end ? (size_t)(end - address) : 0;
	if (length == 0 || length >= size)
		return -EINVAL;
	memcpy(ret, address, length);
	ret[length] = '\0';
	return 0;
}

/* What is known of a failure on conn, or err's own words. */
static int explain(struct belay_tls_error *error, int err, const belay_conn *conn)
{
	struct belay_tls_error known = {""};

	if (conn)
		belay_tls_error_of(conn, &known);
	return belay_tls__fail(error, err, NULL, *known.text ? known.text : belay_strerror(err));
}

int belay_tls_connect(belay_ctx *ctx, belay_tls *tls, belay_conn *conn, const char *name,
		      struct belay_tls_error *error)
{
	int err = belay_tls__attach(tls, conn, name ? name : "");

	if (err == 0)
		err = belay_conn_handshake(ctx, conn);
	return err < 0 ? explain(error, err, conn) : 0;
}

int belay_tls_dial(belay_ctx *ctx, const char *address, belay_tls *tls, belay_conn **ret,
		   struct belay_tls_error *error)
{
	char host[256];
	belay_conn *conn;
	int err = tls->settings.server ? -EINVAL : host_of(address, host, sizeof host);

	if (err == 0)
		err = belay_dial(ctx, address, &conn);
	if (err < 0)
		return explain(error, err, NULL);
	err = belay_tls_connect(ctx, tls, conn, host, error);
	if (err < 0) {
		belay_conn_close(conn);
		return err;
	}
	*ret = conn;
	return 0;
}

/* ---- Questions ------------------------------------------------------------------------------- */

static struct belay_tls__link *ready_link(const belay_conn *conn)
{
	struct belay_tls__link *link = belay_tls__link_of(conn);

	return link && atomic_load_explicit(&link->ready, memory_order_acquire) ? link : NULL;
}

const char *belay_tls_version(const belay_conn *conn)
{
	const struct belay_tls__link *link = ready_link(conn);

	return link ? SSL_get_version(link->ssl) : NULL;
}

bool belay_tls_is_resumed(const belay_conn *conn)
{
	const struct belay_tls__link *link = ready_link(conn);

	return link && SSL_session_reused(link->ssl);
}

void belay_tls_error_of(const belay_conn *conn, struct belay_tls_error *ret)
{
	struct belay_tls__link *link = belay_tls__link_of(conn);

	ret->text[0] = '\0';
	if (!link)
		return;
	pthread_mutex_lock(&link->lock);
	strcpy(ret->text, link->why);
	pthread_mutex_unlock(&link->lock);
}
