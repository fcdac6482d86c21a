/* SPDX-License-Identifier: MIT
 *
 * test_client_tls.c - https://: whom the client trusts, and cancelling inside of TLS.
 *
 * Each run makes an authority of its own, whose one certificate is its own and the peer's.
 */
#include "client_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- A certificate --------------------------------------------------------------------------- */

struct authority {
	SSL_CTX *ssl;
	char file[64]; /* its certificate as PEM */
};

static void add_name(X509 *cert, const char *name)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, name);

	assert_non_null(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

static X509 *make_certificate(EVP_PKEY *key, const char *name)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
				   (const unsigned char *)"test authority", -1, -1, 0);
	X509_set_issuer_name(cert, subject);
	X509_set_pubkey(cert, key);
	add_name(cert, name);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

static void write_pem(struct authority *authority, X509 *cert)
{
	FILE *file;
	int fd;

	strcpy(authority->file, "/tmp/belay-test-XXXXXX");
	fd = mkstemp(authority->file);
	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	assert_int_equal(PEM_write_X509(file, cert), 1);
	fclose(file);
}

static void authority_init(struct authority *authority, const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_certificate(key, name);

	authority->ssl = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(authority->ssl, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(authority->ssl, key), 1);
	write_pem(authority, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void authority_fini(struct authority *authority)
{
	unlink(authority->file);
	SSL_CTX_free(authority->ssl);
}

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

/* OpenSSL writes with write(2): its SIGPIPE stays pending on this thread, and one of the client's,
 * which would hit the thread that cancels or drives, is not hidden. */
static void serve_tls(struct peer *peer, int fd)
{
	struct scene *scene = peer->arg;
	SSL *ssl = SSL_new(scene->authority.ssl);
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1)
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
	assert_int_equal(get_error("IP:127.0.0.1", "/nonexistent.pem"), -ENOKEY);
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
