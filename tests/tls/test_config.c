/* SPDX-License-Identifier: MIT
 *
 * test_config.c - files and options: what is wrong with them, and in which.
 */
#include "check_oom.h"
#include "sides_test.h"

#include <openssl/pem.h>

/* The server can't be made, for that reason, in words that name the file and hold text. */
static void fails_with(int err, const char *file, const char *text)
{
	struct belay_tls_error error = {""};
	belay_tls *tls = NULL;

	assert_int_equal(belay_tls_server_new(belay_background(), &sides.server_options, &tls,
					      &error),
			 err);
	assert_null(tls);
	if (!strstr(error.text, file) || !strstr(error.text, text))
		fail_msg("\"%s\" lacks \"%s\" or \"%s\"", error.text, file, text);
	assert_int_equal(belay_tls_server_new(belay_background(), &sides.server_options, &tls,
					      NULL),
			 err);
}

static void a_file_that_is_not_there_is_named(void **state)
{
	sides.certificate.chain_file = "/tmp/belay-none.pem";
	fails_with(-ENOENT, "/tmp/belay-none.pem", "No such file");
	sides.certificate = certificate_of(&sides.own);
	sides.certificate.key_file = "/tmp/belay-none.key";
	fails_with(-ENOENT, "/tmp/belay-none.key", "No such file");
}

static void a_file_without_a_certificate_is_named(void **state)
{
	char path[64];

	authority_write(&sides.authority, "empty.pem", "nothing here\n", path);
	sides.certificate.chain_file = path;
	fails_with(-EBADMSG, "empty.pem", "no certificate in it");
	sides.certificate.chain_file = sides.own.key;
	fails_with(-EBADMSG, "own.key", "no certificate in it");
}

static void a_broken_certificate_is_named(void **state)
{
	char path[64];

	authority_write(&sides.authority, "bad.pem",
			"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", path);
	sides.certificate.chain_file = path;
	fails_with(-EBADMSG, "bad.pem", "not a good certificate");
}

static void a_file_without_a_key_is_named(void **state)
{
	sides.certificate.key_file = sides.own.chain;
	fails_with(-EBADMSG, "own.pem", "private key");
}

static void a_key_with_a_passphrase_asks_nobody(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char path[64];
	FILE *file;

	authority_write(&sides.authority, "locked.key", "", path);
	file = fopen(path, "we");
	PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(), (unsigned char *)"secret", 6, NULL,
			     NULL);
	fclose(file);
	EVP_PKEY_free(key);
	sides.certificate.key_file = path;
	fails_with(-EBADMSG, "locked.key", "not a good private key");
}

static void a_key_that_belongs_to_another_certificate_is_named(void **state)
{
	struct issued other = authority_issue(&sides.authority, "other", "other", NULL, 60);

	sides.certificate.key_file = other.key;
	fails_with(-EKEYREJECTED, "other.key", "does not belong to");
}

static void a_file_of_authorities_without_any_is_named(void **state)
{
	char path[64];

	authority_write(&sides.authority, "empty.pem", "", path);
	sides.server_options.clients = BELAY_TLS_CLIENTS_MUST;
	sides.server_options.client_ca_file = path;
	fails_with(-EBADMSG, "empty.pem", "certificate");
}

static void options_that_lack_something_are_EINVAL(void **state)
{
	belay_tls *tls;

	sides.server_options.clients = BELAY_TLS_CLIENTS_MUST;
	fails_with(-EINVAL, "", "incomplete");
	sides.server_options.clients = BELAY_TLS_CLIENTS_ANY;
	sides.server_options.protocols = "h2,";
	fails_with(-EINVAL, "", "");
	sides.server_options.protocols = "";
	fails_with(-EINVAL, "", "");
	sides.server_options.protocols = NULL;
	sides.server_options.count = 0;
	fails_with(-EINVAL, "", "");
	assert_int_equal(belay_tls_server_new(belay_background(), NULL, &tls, NULL), -EINVAL);
}

static void a_context_that_is_done_reads_nothing(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct belay_tls_error error;
	belay_tls *tls;

	belay_cancel(ctx);
	assert_int_equal(belay_tls_client_new(ctx, NULL, &tls, &error), -ECANCELED);
	assert_string_equal(error.text, "context canceled");
	belay_end(ctx);
}

/* ---- Reloading ------------------------------------------------------------------------------- */

static const char *subject_seen(void)
{
	static char subject[64];
	struct pair pair = tls_pair(&sides);

	snprintf(subject, sizeof subject, "%s", belay_conn_peer_subject(pair.a));
	close_pair(pair);
	return subject;
}

static void a_reload_is_seen_by_new_connections_and_not_by_open_ones(void **state)
{
	struct pair pair;
	char buf[8];

	sides_make(&sides);
	pair = tls_pair(&sides);
	authority_issue(&sides.authority, "own", "renewed", "DNS:localhost", 7200);
	assert_string_equal(subject_seen(), "CN=server,O=Belay");
	assert_int_equal(belay_tls_reload(belay_background(), sides.server, NULL), 0);
	assert_string_equal(subject_seen(), "CN=renewed,O=Belay");
	check(belay_conn_write(belay_background(), pair.a, "still", 5, NULL) == 0);
	check(belay_conn_read(belay_background(), pair.b, buf, sizeof buf) == 5);
	close_pair(pair);
}

static void a_reload_that_fails_changes_nothing(void **state)
{
	struct belay_tls_error error;
	char path[64];

	sides_make(&sides);
	authority_write(&sides.authority, "own.key", "garbage", path);
	assert_int_equal(belay_tls_reload(belay_background(), sides.server, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "own.key"));
	assert_string_equal(subject_seen(), "CN=server,O=Belay");
}

/* ---- Out of memory --------------------------------------------------------------------------- */

static void make_both(void *arg)
{
	belay_ctx *ctx = belay_background();
	struct pair *pair = arg;
	belay_tls *server = NULL;
	int err = belay_tls_server_new(ctx, &sides.server_options, &server, NULL);

	check(err == 0 || err == -ENOMEM);
	if (err == 0 && !belay_conn_is_secure(pair->b)) {
		err = belay_tls_accept(server, pair->b);
		check(err == 0 || err == -ENOMEM);
		check((err == 0) == belay_conn_is_secure(pair->b));
	}
	belay_tls_unref(server);
}

static void out_of_memory_is_an_error(void **state)
{
	struct pair pair = tcp_pair();

	assert_true(check_each_allocation(make_both, &pair) >= 8);
	close_pair(pair);
}

BELAY_TEST_MAIN(
	OPTIONS_TEST(a_file_that_is_not_there_is_named),
	OPTIONS_TEST(a_file_without_a_certificate_is_named),
	OPTIONS_TEST(a_broken_certificate_is_named),
	OPTIONS_TEST(a_file_without_a_key_is_named),
	OPTIONS_TEST(a_key_with_a_passphrase_asks_nobody),
	OPTIONS_TEST(a_key_that_belongs_to_another_certificate_is_named),
	OPTIONS_TEST(a_file_of_authorities_without_any_is_named),
	OPTIONS_TEST(options_that_lack_something_are_EINVAL),
	OPTIONS_TEST(a_context_that_is_done_reads_nothing),
	OPTIONS_TEST(a_reload_is_seen_by_new_connections_and_not_by_open_ones),
	OPTIONS_TEST(a_reload_that_fails_changes_nothing),
	OPTIONS_TEST(out_of_memory_is_an_error))
