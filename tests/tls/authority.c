/* SPDX-License-Identifier: MIT
 *
 * authority.c - an authority made on the spot, and certificates that it issues.
 */
#include "authority.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

static void name(X509_NAME *subject, const char *field, const char *value)
{
	X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8, (const unsigned char *)value, -1,
				   -1, 0);
}

static X509 *certificate(struct authority *authority, EVP_PKEY *key, const char *common,
			 long seconds)
{
	X509 *cert = X509_new();

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++authority->issued);
	X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(cert), seconds);
	name(X509_get_subject_name(cert), "O", "Belay");
	name(X509_get_subject_name(cert), "CN", common);
	X509_set_pubkey(cert, key);
	return cert;
}

static FILE *create(const struct authority *authority, const char *file, char path[64])
{
	FILE *stream;

	snprintf(path, 64, "%.39s/%.22s", authority->folder, file);
	stream = fopen(path, "we");
	assert_non_null(stream);
	return stream;
}

static void write_certificate(const struct authority *authority, const char *file, X509 *cert,
			      char path[64])
{
	FILE *stream = create(authority, file, path);

	assert_int_equal(PEM_write_X509(stream, cert), 1);
	fclose(stream);
}

void authority_write(const struct authority *authority, const char *file, const char *text,
		     char path[64])
{
	FILE *stream = create(authority, file, path);

	fputs(text, stream);
	fclose(stream);
}

void authority_init(struct authority *authority)
{
	*authority = (struct authority){.folder = "/tmp/belay-tls-XXXXXX"};
	assert_non_null(mkdtemp(authority->folder));
	authority->key = EVP_EC_gen("P-256");
	authority->cert = certificate(authority, authority->key, authority->folder, 7200);
	X509_set_issuer_name(authority->cert, X509_get_subject_name(authority->cert));
	extend(authority->cert, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(authority->cert, authority->key, EVP_sha256()) > 0);
	write_certificate(authority, "ca.pem", authority->cert, authority->ca_file);
}

void authority_fini(struct authority *authority)
{
	DIR *folder = opendir(authority->folder);

	for (struct dirent *entry; (entry = readdir(folder));)
		unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
	rmdir(authority->folder);
	X509_free(authority->cert);
	EVP_PKEY_free(authority->key);
}

static void write_key(const struct authority *authority, const char *file, EVP_PKEY *key,
		      char path[64])
{
	FILE *stream = create(authority, file, path);

	assert_int_equal(PEM_write_PrivateKey(stream, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(stream);
}

struct issued authority_issue(struct authority *authority, const char *file, const char *common,
			      const char *names, long seconds)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = certificate(authority, key, common, seconds);
	struct issued issued;
	char path[32];

	X509_set_issuer_name(cert, X509_get_subject_name(authority->cert));
	if (names)
		extend(cert, NID_subject_alt_name, names);
	assert_true(X509_sign(cert, authority->key, EVP_sha256()) > 0);
	snprintf(path, sizeof path, "%s.pem", file);
	write_certificate(authority, path, cert, issued.chain);
	snprintf(path, sizeof path, "%s.key", file);
	write_key(authority, path, key, issued.key);
	X509_free(cert);
	EVP_PKEY_free(key);
	return issued;
}
