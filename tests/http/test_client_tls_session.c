/* SPDX-License-Identifier: MIT
 *
 * test_client_tls_session.c - a TLS session that the next connection to the same host resumes.
 */
#include "client_authority.h"
#include "client_peer.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

struct scene {
	struct authority authority;
	atomic_uint whole, resumed; /* handshakes */
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

/* One request a connection. */
static void serve_once(struct peer *peer, int fd)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
				   "Connection: close\r\n\r\nok";
	struct scene *scene = peer->arg;
	SSL *ssl = authority_accept(&scene->authority, fd);

	if (ssl && read_request(ssl)) {
		atomic_fetch_add(SSL_session_reused(ssl) ? &scene->resumed : &scene->whole, 1);
		SSL_write(ssl, text, sizeof text - 1);
		SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	ERR_clear_error();
}

static void ask(belay_http_client *client, const struct peer *peer)
{
	belay_http_reply *reply;
	char url[64], *body;

	snprintf(url, sizeof url, "https://127.0.0.1:%d/", peer->port);
	assert_int_equal(belay_http_get(belay_background(), client, url, &reply), 0);
	assert_int_equal(belay_http_reply_read_all(belay_background(), reply, 10, &body, NULL), 0);
	free(body);
	belay_http_reply_end(reply);
}

/* So many requests, one after the other, by each of so many clients. */
static void ask_often(struct scene *scene, int version, unsigned clients, unsigned requests)
{
	struct belay_http_client_options options = {0};
	struct peer peer;

	authority_init(&scene->authority, "IP:127.0.0.1");
	SSL_CTX_set_max_proto_version(scene->authority.ssl, version);
	options.ca_file = scene->authority.file;
	peer_start(&peer, serve_once, scene);
	for (unsigned i = 0; i < clients; i++) {
		belay_http_client *client = peer_client(&options);

		for (unsigned j = 0; j < requests; j++)
			ask(client, &peer);
		belay_http_client_close(client);
	}
	assert_int_equal(atomic_load(&peer.connections), clients * requests);
	peer_stop(&peer);
	authority_fini(&scene->authority);
}

/* RFC 8446, section 2.2; RFC 5077 */
static void the_second_connection_resumes_the_session(void **state)
{
	static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
		struct scene scene = {0};

		ask_often(&scene, versions[i], 1, 3);
		assert_int_equal(atomic_load(&scene.whole), 1);
		assert_int_equal(atomic_load(&scene.resumed), 2);
	}
}

static void clients_share_no_sessions(void **state)
{
	struct scene scene = {0};

	ask_often(&scene, TLS1_3_VERSION, 2, 1);
	assert_int_equal(atomic_load(&scene.whole), 2);
	assert_int_equal(atomic_load(&scene.resumed), 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(the_second_connection_resumes_the_session),
		cmocka_unit_test(clients_share_no_sessions))
