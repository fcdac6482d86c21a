/* SPDX-License-Identifier: MIT
 *
 * error.c - OpenSSL's errors as an errno and words.
 */
#include "tls/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>

/* To find that there is nothing to clear is much cheaper than to clear it. */
void belay_tls__errors_clear(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

/* Alerts by which a peer tells that it does not like our certificate, or that there is none: as the
 * numbers of RFC 8446, section 6.2, behind SSL_AD_REASON_OFFSET. */
static bool is_about_certificates(int alert)
{
	return (alert >= 41 && alert <= 46) || alert == 48 || alert == 49 || alert == 116;
}

static int errno_of_tls(int reason, int other)
{
	switch (reason) {
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return -ECONNRESET;
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return -EKEYREJECTED;
	}
	if (reason > SSL_AD_REASON_OFFSET && is_about_certificates(reason - SSL_AD_REASON_OFFSET))
		return -EKEYREJECTED;
	return other;
}

static int errno_of(unsigned long code, int other)
{
	if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
		return -ENOMEM;
	if (ERR_SYSTEM_ERROR(code))
		return -ERR_GET_REASON(code);
	return ERR_GET_LIB(code) == ERR_LIB_SSL ? errno_of_tls(ERR_GET_REASON(code), other) : other;
}

/* The first error is the cause and the others tell who passed it on; but what TLS itself has to say
 * of a cause further down ("certificate verify failed", of a bad signature) says more. Empties the
 * queue. */
static unsigned long cause(void)
{
	unsigned long first = ERR_get_error(), code = first;

	while (code && ERR_GET_LIB(code) != ERR_LIB_SSL)
		code = ERR_get_error();
	ERR_clear_error();
	return code ? code : first;
}

int belay_tls__errors_take(int other, char *text, size_t size)
{
	unsigned long code = cause();
	const char *reason = ERR_reason_error_string(code);

	if (size > 0)
		snprintf(text, size, "%s", reason ? reason : "TLS failed");
	return code ? errno_of(code, other) : other;
}

int belay_tls__fail(struct belay_tls_error *error, int err, const char *file, const char *text)
{
	if (error && file)
		snprintf(error->text, sizeof error->text, "%s: %s", file, text);
	else if (error)
		snprintf(error->text, sizeof error->text, "%s", text);
	return err;
}
