/* SPDX-License-Identifier: MIT
 *
 * test_handshake.c - who trusts whom, what is agreed on, and how long that may take.
 */
#include "sides_test.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* Both sides' results of one handshake; the client's words. */
struct outcome {
	int client, server;
	struct belay_tls_error error;
};

static struct outcome shake_as(const char *name)
{
	struct outcome outcome = {.error = {""}};
	struct pair pair;

	sides_make(&sides);
	outcome.client =
		tls_pair_try(&sides, &pair, name, &outcome.server, &outcome.error);
	close_pair(pair);
	return outcome;
}

/* ---- Whom the client trusts ------------------------------------------------------------------ */

static void a_name_that_the_certificate_is_for_is_trusted(void **state)
{
	struct outcome outcome = shake_as("localhost");

	assert_string_equal(outcome.error.text, "");
	assert_int_equal(outcome.client, 0);
	assert_int_equal(outcome.server, 0);
}

static void an_address_that_the_certificate_is_for_is_trusted(void **state)
{
	assert_int_equal(shake_as("127.0.0.1").client, 0);
}

static void another_host_s_certificate_is_refused(void **state)
{
	struct outcome outcome = shake_as("elsewhere.test");

	assert_int_equal(outcome.client, -EKEYREJECTED);
	assert_int_equal(outcome.server, -EKEYREJECTED);
	assert_non_null(strstr(outcome.error.text, "ostname mismatch"));
}

static void another_address_s_certificate_is_refused(void **state)
{
	assert_int_equal(shake_as("127.0.0.2").client, -EKEYREJECTED);
}

static void an_expired_certificate_is_refused(void **state)
{
	struct outcome outcome;

	sides.own = authority_issue(&sides.authority, "own", "server", "DNS:localhost", -60);
	outcome = shake_as("localhost");
	assert_int_equal(outcome.client, -EKEYREJECTED);
	assert_non_null(strstr(outcome.error.text, "expired"));
}

static void an_unknown_authority_is_refused(void **state)
{
	struct authority other;
	struct outcome outcome;

	authority_init(&other);
	sides.client_options.ca_file = other.ca_file;
	outcome = shake_as("localhost");
	assert_int_equal(outcome.client, -EKEYREJECTED);
	authority_fini(&other);
}

static void the_system_s_authorities_do_not_know_the_test_s(void **state)
{
	sides.client_options.ca_file = NULL;
	assert_int_equal(shake_as("localhost").client, -EKEYREJECTED);
}

/* ---- Whom the server trusts ------------------------------------------------------------------ */

static struct belay_tls_certificate clients;

static struct issued show(struct authority *authority, const char *common, long seconds)
{
	return authority_issue(authority, "client", common, NULL, seconds);
}

/* A client learns that it was refused when it reads: the server has the last word. */
static int read_after(struct sides *both, int *ret_server, char *subject, size_t size)
{
	struct belay_tls_error error = {""};
	struct pair pair;
	int result = tls_pair_try(both, &pair, "localhost", ret_server, &error);
	char buf[8];

	if (*ret_server == 0) {
		const char *known = belay_conn_peer_subject(pair.b);

		snprintf(subject, size, "%s", known ? known : "none");
		check(belay_conn_write(belay_background(), pair.b, "ok", 2, NULL) == 0);
	}
	if (result == 0)
		result = (int)belay_conn_read(belay_background(), pair.a, buf, sizeof buf);
	close_pair(pair);
	return result;
}

static int ask_with(enum belay_tls_clients policy, const struct issued *own, int *ret_server,
		    char subject[64])
{
	sides.server_options.clients = policy;
	sides.server_options.client_ca_file = sides.authority.ca_file;
	if (own) {
		clients = certificate_of(own);
		sides.client_options.certificate = &clients;
	}
	sides_make(&sides);
	return read_after(&sides, ret_server, subject, 64);
}

static void a_client_with_a_good_certificate_is_known_by_its_subject(void **state)
{
	struct issued own = show(&sides.authority, "alice", 3600);
	char subject[64];
	int server;

	assert_int_equal(ask_with(BELAY_TLS_CLIENTS_MUST, &own, &server, subject), 2);
	assert_string_equal(subject, "CN=alice,O=Belay");
}

static void a_client_without_a_certificate_is_refused_where_it_must_have_one(void **state)
{
	char subject[64];
	int server;

	assert_int_equal(ask_with(BELAY_TLS_CLIENTS_MUST, NULL, &server, subject), -EKEYREJECTED);
	assert_int_equal(server, -EKEYREJECTED);
}

static void a_client_without_a_certificate_is_served_where_it_may_have_one(void **state)
{
	char subject[64];
	int server;

	assert_int_equal(ask_with(BELAY_TLS_CLIENTS_MAY, NULL, &server, subject), 2);
	assert_string_equal(subject, "none");
}

static void a_client_s_certificate_of_another_authority_is_refused(void **state)
{
	struct authority other;
	struct issued own;
	char subject[64];
	int server;

	authority_init(&other);
	own = show(&other, "mallory", 3600);
	assert_int_equal(ask_with(BELAY_TLS_CLIENTS_MAY, &own, &server, subject), -EKEYREJECTED);
	assert_int_equal(server, -EKEYREJECTED);
	authority_fini(&other);
}

static void a_client_s_expired_certificate_is_refused(void **state)
{
	struct issued own = show(&sides.authority, "alice", -60);
	char subject[64];
	int server;

	assert_int_equal(ask_with(BELAY_TLS_CLIENTS_MUST, &own, &server, subject), -EKEYREJECTED);
	assert_int_equal(server, -EKEYREJECTED);
}

/* ---- What is agreed on ----------------------------------------------------------------------- */

static void agree(const char *offered, const char *spoken, int result, const char *agreed)
{
	struct belay_tls_error error = {""};
	const char *found;
	struct pair pair;
	int server;

	sides.client_options.protocols = offered;
	sides.server_options.protocols = spoken;
	sides_make(&sides);
	assert_int_equal(tls_pair_try(&sides, &pair, "localhost", &server, &error), result);
	found = belay_conn_protocol(pair.b);
	assert_string_equal(found ? found : "none", agreed);
	found = belay_conn_protocol(pair.a);
	assert_string_equal(found ? found : "none", agreed);
	close_pair(pair);
}

static void the_server_s_first_of_the_offered_protocols_is_agreed_on(void **state)
{
	agree("http/1.1,h2", "h2,http/1.1", 0, "h2");
}

static void a_server_speaks_http_1_1_where_nothing_is_said(void **state)
{
	agree("h2,http/1.1", NULL, 0, "http/1.1");
}

static void a_client_that_offers_no_protocol_is_served(void **state)
{
	agree(NULL, NULL, 0, "none");
}

static void a_client_that_offers_only_others_is_refused(void **state)
{
	agree("gopher", NULL, -EPROTO, "none");
}

static void the_certificate_is_the_one_for_the_name_that_is_asked_for(void **state)
{
	struct issued other =
		authority_issue(&sides.authority, "other", "other", "DNS:other.test", 7200);
	struct belay_tls_certificate both[] = {sides.certificate, certificate_of(&other)};
	struct belay_tls_error error;
	struct pair pair;
	int server;

	sides.server_options.certificates = both;
	sides.server_options.count = 2;
	sides_make(&sides);
	assert_int_equal(tls_pair_try(&sides, &pair, "other.test", &server, &error), 0);
	assert_string_equal(belay_conn_peer_subject(pair.a), "CN=other,O=Belay");
	close_pair(pair);
	assert_int_equal(tls_pair_try(&sides, &pair, "localhost", &server, &error), 0);
	assert_string_equal(belay_conn_peer_subject(pair.a), "CN=server,O=Belay");
	assert_string_equal(belay_tls_version(pair.a), "TLSv1.3");
	close_pair(pair);
}

/* ---- Versions: a client of OpenSSL's own ----------------------------------------------------- */

struct old {
	int fd, version;
	bool connected;
};

static void *connect_old(void *arg)
{
	struct old *old = arg;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl;

	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_min_proto_version(context, old->version);
	SSL_CTX_set_max_proto_version(context, old->version);
	ssl = SSL_new(context);
	SSL_set_fd(ssl, old->fd);
	old->connected = SSL_connect(ssl) == 1;
	ERR_clear_error();
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(old->fd);
	return NULL;
}

static int shake_with_version(int version)
{
	struct old old = {.version = version};
	struct pair pair = tcp_pair();
	pthread_t thread;
	int result;

	sides_make(&sides);
	old.fd = dup(belay_conn_fd(pair.a));
	fcntl(old.fd, F_SETFL, 0);
	check(belay_tls_accept(sides.server, pair.b) == 0);
	assert_int_equal(pthread_create(&thread, NULL, connect_old, &old), 0);
	result = belay_conn_handshake(belay_background(), pair.b);
	belay_conn_close(pair.b);
	pthread_join(thread, NULL);
	assert_int_equal(old.connected, result == 0);
	belay_conn_close(pair.a);
	return result;
}

static void tls_1_2_is_spoken(void **state)
{
	assert_int_equal(shake_with_version(TLS1_2_VERSION), 0);
}

static void tls_1_1_is_refused(void **state)
{
	assert_int_equal(shake_with_version(TLS1_1_VERSION), -EPROTO);
}

static void tls_1_0_is_refused(void **state)
{
	assert_int_equal(shake_with_version(TLS1_VERSION), -EPROTO);
}

/* ---- Peers that don't play along ------------------------------------------------------------- */

static void say_hello(belay_ctx *ctx, void *arg)
{
	check(belay_conn_write(ctx, arg, "GET / HTTP/1.1\r\n\r\n", 18, NULL) == 0);
}

static void a_peer_that_speaks_something_else_is_EPROTO(void **state)
{
	struct belay_tls_error error;
	struct pair pair = tcp_pair();

	sides_make(&sides);
	check(belay_tls_accept(sides.server, pair.b) == 0);
	say_hello(belay_background(), pair.a);
	assert_int_equal(belay_conn_handshake(belay_background(), pair.b), -EPROTO);
	belay_tls_error_of(pair.b, &error);
	assert_non_null(strstr(error.text, "http request"));
	assert_int_equal(belay_conn_write(belay_background(), pair.b, "x", 1, NULL), -EPROTO);
	close_pair(pair);
}

static void a_handshake_that_takes_too_long_is_cut_off(void **state)
{
	struct pair pair = tcp_pair();
	char byte;

	sides.server_options.handshake_time = BELAY_MS(30);
	sides_make(&sides);
	check(belay_tls_accept(sides.server, pair.b) == 0);
	check(belay_conn_write(belay_background(), pair.a, "\x16\x03\x01", 3, NULL) == 0);
	assert_int_equal(belay_conn_read(belay_background(), pair.b, &byte, 1), -ETIMEDOUT);
	assert_int_equal(belay_conn_handshake(belay_background(), pair.b), -ETIMEDOUT);
	close_pair(pair);
}

static void a_peer_that_leaves_in_the_handshake_is_ECONNRESET(void **state)
{
	struct pair pair = tcp_pair();

	sides_make(&sides);
	check(belay_tls_accept(sides.server, pair.b) == 0);
	belay_conn_close(pair.a);
	assert_int_equal(belay_conn_handshake(belay_background(), pair.b), -ECONNRESET);
	belay_conn_close(pair.b);
}

/* ---- Contexts -------------------------------------------------------------------------------- */

static void cancel_then_go_on(belay_ctx *ctx, void *arg)
{
	struct pair pair = tcp_pair();
	struct canceller canceller = {belay_with_cancel(ctx), belay_conn_fd(pair.b), EPOLLIN};
	struct shaking shaking = {pair.a, 0};
	struct aside aside;

	check(belay_tls_accept(sides.server, pair.b) == 0);
	aside_start(&aside, ctx, cancel_when_waited_for, &canceller);
	check(belay_conn_handshake(canceller.ctx, pair.b) == -ECANCELED);
	aside_join(&aside);
	aside_start(&aside, ctx, shake_hands, &(struct shaking){pair.b, 0});
	shaking.result = belay_tls_connect(ctx, sides.client, pair.a, "localhost", NULL);
	check(shaking.result == 0);
	aside_join(&aside);
	belay_end(canceller.ctx);
	close_pair(pair);
}

static void a_cancelled_handshake_is_gone_on_with_by_the_next_call(void **state)
{
	sides_make(&sides);
	from_both(cancel_then_go_on, NULL);
}

static void a_context_that_is_done_begins_no_handshake(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_conn *conn = NULL;

	sides_make(&sides);
	belay_cancel(ctx);
	assert_int_equal(belay_tls_dial(ctx, "127.0.0.1:1", sides.client, &conn, NULL),
			 -ECANCELED);
	assert_null(conn);
	belay_end(ctx);
}

static void sides_are_not_mixed_up(void **state)
{
	belay_listener *listener;
	struct pair pair;
	belay_conn *conn;

	sides_make(&sides);
	pair = tls_pair(&sides);
	assert_int_equal(belay_tls_accept(sides.server, pair.b), -EINVAL);
	assert_int_equal(belay_tls_listen(belay_background(), "127.0.0.1:0", sides.client,
					  &listener),
			 -EINVAL);
	assert_int_equal(belay_tls_dial(belay_background(), "127.0.0.1:1", sides.server, &conn,
					NULL),
			 -EINVAL);
	assert_int_equal(belay_tls_dial(belay_background(), "unix:/tmp/x", sides.client, &conn,
					NULL),
			 -EINVAL);
	close_pair(pair);
}

BELAY_TEST_MAIN(
	OPTIONS_TEST(a_name_that_the_certificate_is_for_is_trusted),
	OPTIONS_TEST(an_address_that_the_certificate_is_for_is_trusted),
	OPTIONS_TEST(another_host_s_certificate_is_refused),
	OPTIONS_TEST(another_address_s_certificate_is_refused),
	OPTIONS_TEST(an_expired_certificate_is_refused),
	OPTIONS_TEST(an_unknown_authority_is_refused),
	OPTIONS_TEST(the_system_s_authorities_do_not_know_the_test_s),
	OPTIONS_TEST(a_client_with_a_good_certificate_is_known_by_its_subject),
	OPTIONS_TEST(a_client_without_a_certificate_is_refused_where_it_must_have_one),
	OPTIONS_TEST(a_client_without_a_certificate_is_served_where_it_may_have_one),
	OPTIONS_TEST(a_client_s_certificate_of_another_authority_is_refused),
	OPTIONS_TEST(a_client_s_expired_certificate_is_refused),
	OPTIONS_TEST(the_server_s_first_of_the_offered_protocols_is_agreed_on),
	OPTIONS_TEST(a_server_speaks_http_1_1_where_nothing_is_said),
	OPTIONS_TEST(a_client_that_offers_no_protocol_is_served),
	OPTIONS_TEST(a_client_that_offers_only_others_is_refused),
	OPTIONS_TEST(the_certificate_is_the_one_for_the_name_that_is_asked_for),
	OPTIONS_TEST(tls_1_2_is_spoken),
	OPTIONS_TEST(tls_1_1_is_refused),
	OPTIONS_TEST(tls_1_0_is_refused),
	OPTIONS_TEST(a_peer_that_speaks_something_else_is_EPROTO),
	OPTIONS_TEST(a_handshake_that_takes_too_long_is_cut_off),
	OPTIONS_TEST(a_peer_that_leaves_in_the_handshake_is_ECONNRESET),
	OPTIONS_TEST(a_cancelled_handshake_is_gone_on_with_by_the_next_call),
	OPTIONS_TEST(a_context_that_is_done_begins_no_handshake),
	OPTIONS_TEST(sides_are_not_mixed_up))
