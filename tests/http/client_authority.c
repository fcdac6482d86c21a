/* SPDX-License-Identifier: MIT
 *
 * client_authority.c - an authority whose one certificate is its own and the peer's.
 */
#include "client_authority.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void authority_init(struct authority *authority, const char *name)
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

void authority_fini(struct authority *authority)
{
	unlink(authority->file);
	SSL_CTX_free(authority->ssl);
}

SSL *authority_accept(struct authority *authority, int fd)
{
	SSL *ssl = SSL_new(authority->ssl);
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1)
		return ssl;
	SSL_free(ssl);
	ERR_clear_error();
	return NULL;
}
