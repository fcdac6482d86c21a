/* SPDX-License-Identifier: MIT
 *
 * test_client_tls.c - https://: whom the client trusts, and cancelling inside of TLS.
 */
#include "client_authority.h"
#include "client_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* ---- A peer ---------------------------------------------------------------------------------- */

struct scene {
	struct authority authority;
	belay_ctx *cancels; /* NULL: the reply is whole; else: cancelled in the middle of it */
	atomic_bool ended;
};

static bool read_request(SSL *ssl)
{
	char text[4096];
	size_t used = 0;
	int n;

	while ((n = SSL_read(ssl, text + used, (int)(sizeof text - 1 - used))) > 0) {
		used += (size_t)n;
		text[used] = '\0';
		if (strstr(text, "\r\n\r\n"))
			return true;
	}
	return false;
}

static void answer(struct scene *scene, SSL *ssl)
{
	static const char whole[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret";
	static const char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsec";

	while (read_request(ssl)) {
		if (!scene->cancels) {
			SSL_write(ssl, whole, sizeof whole - 1);
			continue;
		}
		SSL_write(ssl, half, sizeof half - 1);
		belay_cancel(scene->cancels);
	}
}

static void serve_tls(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	SSL *ssl = authority_accept(&scene->authority, fd);

	if (ssl)
		answer(scene, ssl);
	SSL_free(ssl);
	ERR_clear_error();
	atomic_store(&scene->ended, true);
}

static const char *https_url(const struct peer *peer, char *url, size_t size)
{
	snprintf(url, size, "https://127.0.0.1:%d/", peer->port);
	return url;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* The error of a GET from a peer whose certificate is for that name, with that file of authorities;
 * "": the peer's own. */
static int get_error(const char *name, const char *ca_file)
{
	struct scene scene = {0};
	struct belay_http_client_options options = {.ca_file = ca_file};
	belay_http_reply *reply;
	belay_http_client *client;
	struct peer peer;
	char url[64];
	int err;

	authority_init(&scene.authority, name);
	if (ca_file && !*ca_file)
		options.ca_file = scene.authority.file;
	peer_start(&peer, serve_tls, &scene);
	client = peer_client(&options);
	err = belay_http_get(belay_background(), client, https_url(&peer, url, sizeof url),
			     &reply);
	if (err == 0)
		belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
	authority_fini(&scene.authority);
	return err;
}

static void a_peer_of_a_known_authority_is_trusted(void **state)
{
	assert_int_equal(get_error("IP:127.0.0.1", ""), 0);
}

static void a_peer_of_an_unknown_authority_is_EKEYREJECTED(void **state)
{
	assert_int_equal(get_error("IP:127.0.0.1", NULL), -EKEYREJECTED);
}

static void a_certificate_for_another_name_is_EKEYREJECTED(void **state)
{
	assert_int_equal(get_error("DNS:elsewhere.test", ""), -EKEYREJECTED);
}

static void a_file_of_authorities_that_is_not_there_is_ENOKEY(void **state)
{
	assert_int_equal(get_error("IP:127.0.0.1", "/proc/self/none.pem"), -ENOKEY);
}

static void say_http(struct peer *peer, int fd)
{
	(void)peer;
	peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	peer_await_end(fd);
}

static void a_peer_that_does_not_speak_tls_is_EPROTO(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;
	char url[64];

	peer_start(&peer, say_http, NULL);
	assert_int_equal(belay_http_get(belay_background(), client,
					https_url(&peer, url, sizeof url), &reply),
			 -EPROTO);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void connections_are_reused_over_tls(void **state)
{
	struct scene scene = {0};
	struct belay_http_client_options options = {0};
	belay_http_client *client;
	belay_http_reply *reply;
	struct peer peer;
	char url[64], *body;

	authority_init(&scene.authority, "IP:127.0.0.1");
	options.ca_file = scene.authority.file;
	peer_start(&peer, serve_tls, &scene);
	client = peer_client(&options);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(belay_http_get(belay_background(), client,
						https_url(&peer, url, sizeof url), &reply),
				 0);
		assert_int_equal(belay_http_reply_read_all(belay_background(), reply, 100, &body,
							   NULL),
				 0);
		assert_string_equal(body, "secret");
		free(body);
		belay_http_reply_end(reply);
	}
	assert_int_equal(atomic_load(&peer.connections), 1);
	belay_http_client_close(client);
	peer_stop(&peer);
	authority_fini(&scene.authority);
}

/* semantics 5.1 5.2, over TLS */
static void cancelled_in_mid_body_over_tls_the_connection_is_closed(void **state)
{
	struct scene scene = {.cancels = belay_with_cancel(belay_background())};
	struct belay_http_client_options options = {0};
	belay_http_client *client;
	belay_http_reply *reply;
	struct peer peer;
	char url[64], *body = NULL;
	int err;

	authority_init(&scene.authority, "IP:127.0.0.1");
	options.ca_file = scene.authority.file;
	peer_start(&peer, serve_tls, &scene);
	client = peer_client(&options);
	err = belay_http_get(scene.cancels, client, https_url(&peer, url, sizeof url), &reply);
	if (err == 0) {
		err = belay_http_reply_read_all(belay_background(), reply, 100, &body, NULL);
		belay_http_reply_end(reply);
	}
	assert_int_equal(err, -ECANCELED);
	assert_null(body);
	assert_true(check_until(atomic_load(&scene.ended)));
	belay_end(scene.cancels);
	belay_http_client_close(client);
	peer_stop(&peer);
	authority_fini(&scene.authority);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_peer_of_a_known_authority_is_trusted),
		cmocka_unit_test(a_peer_of_an_unknown_authority_is_EKEYREJECTED),
		cmocka_unit_test(a_certificate_for_another_name_is_EKEYREJECTED),
		cmocka_unit_test(a_file_of_authorities_that_is_not_there_is_ENOKEY),
		cmocka_unit_test(a_peer_that_does_not_speak_tls_is_EPROTO),
		cmocka_unit_test(connections_are_reused_over_tls),
		cmocka_unit_test(cancelled_in_mid_body_over_tls_the_connection_is_closed))
