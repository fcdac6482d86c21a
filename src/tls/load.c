/* SPDX-License-Identifier: MIT
 *
 * load.c - from settings and files to what OpenSSL makes connections of.
 *
 * Each certificate has an SSL_CTX of its own, alike but for that; which one a client is shown is
 * chosen by the name that it asks for. Keys of session tickets are OpenSSL's, random for each load:
 * so a ticket says nothing any more once the authorities that its client was judged by have been
 * read anew.
 */
#include "tls/tls.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Forward secrecy and authenticated encryption alone; those of TLS 1.3 have nothing else. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

/* ---- Files ----------------------------------------------------------------------------------- */

/* OpenSSL's own words for a file that can't be opened are no help. */
static int check_file(const char *file, struct belay_tls_error *error)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	if (err < 0)
		return belay_tls__fail(error, err, file, strerror(-err));
	close(fd);
	return 0;
}

/* What OpenSSL has found wrong with a file that should have got what in it. */
static int reject(struct belay_tls_error *error, const char *file, const char *what)
{
	unsigned long first = ERR_peek_error();
	const char *reason = ERR_reason_error_string(first);
	char text[192];

	belay_tls__errors_clear();
	if (ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE)
		return belay_tls__fail(error, -ENOMEM, file, "out of memory");
	if (ERR_GET_LIB(first) == ERR_LIB_PEM && ERR_GET_REASON(first) == PEM_R_NO_START_LINE)
		snprintf(text, sizeof text, "no %s in it", what);
	else
		snprintf(text, sizeof text, "not a good %s: %s", what,
			 reason ? reason : "unreadable");
	return belay_tls__fail(error, -EBADMSG, file, text);
}

/* A library does not ask at the terminal for a passphrase. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	return -1;
}

static int use_chain(SSL_CTX *context, const char *file, struct belay_tls_error *error)
{
	int err = check_file(file, error);

	if (err == 0 && SSL_CTX_use_certificate_chain_file(context, file) != 1)
		err = reject(error, file, "certificate");
	return err;
}

/* Whether what OpenSSL complains of is that key and certificate are no pair. */
static bool is_mismatch(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_X509 &&
	       (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH ||
		ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH);
}

static int no_pair(const struct belay_tls_certificate *own, struct belay_tls_error *error)
{
	char text[200];

	belay_tls__errors_clear();
	snprintf(text, sizeof text, "does not belong to %s", own->chain_file);
	return belay_tls__fail(error, -EKEYREJECTED, own->key_file, text);
}

static int use_key(SSL_CTX *context, const struct belay_tls_certificate *own,
		   struct belay_tls_error *error)
{
	int err = check_file(own->key_file, error);

	if (err < 0)
		return err;
	if (SSL_CTX_use_PrivateKey_file(context, own->key_file, SSL_FILETYPE_PEM) != 1)
		return is_mismatch() ? no_pair(own, error)
				     : reject(error, own->key_file, "private key");
	return SSL_CTX_check_private_key(context) == 1 ? 0 : no_pair(own, error);
}

static int use_certificate(SSL_CTX *context, const struct belay_tls_certificate *own,
			   struct belay_tls_error *error)
{
	int err = use_chain(context, own->chain_file, error);

	return err < 0 ? err : use_key(context, own, error);
}

static int trust(SSL_CTX *context, const char *file, struct belay_tls_error *error)
{
	int err = check_file(file, error);

	if (err == 0 && SSL_CTX_load_verify_file(context, file) != 1)
		err = reject(error, file, "certificate");
	return err;
}

/* ---- The server's choices in a handshake ----------------------------------------------------- */

/* What the options name wins over what the connection's user speaks. Within a call of OpenSSL's,
 * with the link's lock held. */
static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_size,
			   const unsigned char *offered, unsigned offered_size, void *arg)
{
	const struct belay_tls__loaded *loaded = arg;
	const struct belay_tls__link *link = SSL_get_app_data(ssl);
	bool own = link->offered && !loaded->named;
	unsigned char *chosen;

	if (SSL_select_next_proto(&chosen, ret_size, own ? link->offered : loaded->protocols,
				  (unsigned)(own ? link->offered_size : loaded->protocols_size),
				  offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301, section 3.2 */
	*ret = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int choose_certificate(SSL *ssl, int *alert, void *arg)
{
	const struct belay_tls__loaded *loaded = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	for (size_t i = 0; name && i < loaded->count; i++) {
		X509 *own = SSL_CTX_get0_certificate(loaded->contexts[i]);

		if (X509_check_host(own, name, 0, 0, NULL) != 1)
			continue;
		if (!SSL_set_SSL_CTX(ssl, loaded->contexts[i]))
			return SSL_TLSEXT_ERR_ALERT_FATAL;
		break;
	}
	return SSL_TLSEXT_ERR_OK;
}

/* ---- Contexts -------------------------------------------------------------------------------- */

static bool set_common(SSL_CTX *context)
{
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_cipher_list(context, ciphers) == 1;
}

static int judge_clients(SSL_CTX *context, const struct belay_tls__settings *settings,
			 struct belay_tls_error *error)
{
	STACK_OF(X509_NAME) *names;
	int err;

	if (settings->clients == BELAY_TLS_CLIENTS_ANY)
		return 0;
	err = trust(context, settings->ca_file, error);
	if (err < 0)
		return err;
	names = SSL_load_client_CA_file(settings->ca_file);
	if (!names)
		return reject(error, settings->ca_file, "certificate");
	SSL_CTX_set_client_CA_list(context, names);
	SSL_CTX_set_verify(context,
			   SSL_VERIFY_PEER | (settings->clients == BELAY_TLS_CLIENTS_MUST
						      ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
						      : 0),
			   NULL);
	return 0;
}

static int out_of_memory(struct belay_tls_error *error)
{
	belay_tls__errors_clear();
	return belay_tls__fail(error, -ENOMEM, NULL, "out of memory");
}

static int set_server(SSL_CTX *context, const struct belay_tls__settings *settings, size_t index,
		      struct belay_tls__loaded *loaded, struct belay_tls_error *error)
{
	static const unsigned char own[] = "belay";
	int err = use_certificate(context, &settings->certificates[index], error);

	if (err < 0)
		return err;
	if (SSL_CTX_set_session_id_context(context, own, sizeof own - 1) != 1)
		return out_of_memory(error);
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, loaded);
	SSL_CTX_set_tlsext_servername_callback(context, choose_certificate);
	SSL_CTX_set_tlsext_servername_arg(context, loaded);
	return judge_clients(context, settings, error);
}

static int set_client(SSL_CTX *context, const struct belay_tls__settings *settings,
		      struct belay_tls_error *error)
{
	int err = 0;

	if (settings->ca_file)
		err = trust(context, settings->ca_file, error);
	else if (SSL_CTX_set_default_verify_paths(context) != 1)
		err = out_of_memory(error);
	if (err == 0 && settings->count > 0)
		err = use_certificate(context, settings->certificates, error);
	if (err < 0)
		return err;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (settings->protocols &&
	    SSL_CTX_set_alpn_protos(context, settings->protocols,
				    (unsigned)settings->protocols_size) != 0)
		return out_of_memory(error);
	return 0;
}

static int make_context(const struct belay_tls__settings *settings, size_t index,
			struct belay_tls__loaded *loaded, struct belay_tls_error *error)
{
	SSL_CTX *context =
		SSL_CTX_new(settings->server ? TLS_server_method() : TLS_client_method());

	if (!context)
		return out_of_memory(error);
	loaded->contexts[loaded->count++] = context;
	if (!set_common(context))
		return out_of_memory(error);
	return settings->server ? set_server(context, settings, index, loaded, error)
				: set_client(context, settings, error);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static struct belay_tls__loaded *make_empty(const struct belay_tls__settings *settings, size_t most)
{
	struct belay_tls__loaded *loaded =
		belay__calloc(1, sizeof *loaded + most * sizeof loaded->contexts[0]);

	if (!loaded)
		return NULL;
	loaded->refs = 1;
	if (!settings->protocols)
		return loaded;
	loaded->protocols = belay__malloc(settings->protocols_size);
	if (!loaded->protocols) {
		belay__free(loaded);
		return NULL;
	}
	memcpy(loaded->protocols, settings->protocols, settings->protocols_size);
	loaded->protocols_size = settings->protocols_size;
	loaded->named = settings->named;
	return loaded;
}

int belay_tls__load(const struct belay_tls__settings *settings, struct belay_tls__loaded **ret,
		    struct belay_tls_error *error)
{
	size_t most = settings->server ? settings->count : 1;
	struct belay_tls__loaded *loaded = make_empty(settings, most);
	int err = loaded ? 0 : out_of_memory(error);

	belay_tls__errors_clear();
	for (size_t i = 0; err == 0 && i < most; i++)
		err = make_context(settings, i, loaded, error);
	if (err < 0) {
		belay_tls__loaded_unref(loaded);
		return err;
	}
	*ret = loaded;
	return 0;
}

/* Release and acquire: the last one sees what the others did with it. */
void belay_tls__loaded_unref(struct belay_tls__loaded *loaded)
{
	if (!loaded ||
	    atomic_fetch_sub_explicit(&loaded->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < loaded->count; i++)
		SSL_CTX_free(loaded->contexts[i]);
	belay__free(loaded->protocols);
	belay__free(loaded);
}
