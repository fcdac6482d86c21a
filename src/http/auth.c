/* SPDX-License-Identifier: MIT
 *
 * auth.c - who is asking: Basic (RFC 7617) and Bearer (RFC 6750) credentials, for the program to
 * judge.
 *
 * Malformed credentials are as good as none. Passwords and tokens are wiped once they were judged;
 * the header that they came in stands in the request's memory till the next one.
 */
#include "http/headers.h"
#include "http/misuse.h"

#include "base/alloc.h"

#include <belay/http_middleware.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

BELAY_KEY(user_name, char *, .destroy = belay__free);

/* ---- Base64 ---------------------------------------------------------------------------------- */

static int digit_of(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* RFC 4648, section 4, with its padding, and no bits set that stand for nothing. Decodes in place;
 * the size, or -1. */
static ssize_t decode_base64(char *text)
{
	size_t size = strlen(text), digits = strcspn(text, "="), out = 0;
	unsigned bits = 0, have = 0;

	if (size % 4 != 0 || size - digits > 2 || strspn(text + digits, "=") != size - digits)
		return -1;
	for (size_t i = 0; i < digits; i++) {
		int digit = digit_of(text[i]);

		if (digit < 0)
			return -1;
		bits = (bits << 6 | (unsigned)digit) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			text[out++] = (char)(bits >> have & 0xff);
		}
	}
	if (bits & ((1u << have) - 1))
		return -1;
	text[out] = '\0';
	return (ssize_t)out;
}

/* ---- Credentials ----------------------------------------------------------------------------- */

/* No control characters in either (RFC 7617, section 2), above all no NUL. */
static bool parse_basic(char *text, struct belay_credentials *ret)
{
	ssize_t size = decode_base64(text);
	char *colon = size < 0 ? NULL : memchr(text, ':', (size_t)size);

	if (!colon || !belay__is_field_value(text, (size_t)size) ||
	    memchr(text, '\t', (size_t)size))
		return false;
	*colon = '\0';
	*ret = (struct belay_credentials){BELAY_AUTH_BASIC, text, colon + 1};
	return true;
}

/* b64token of RFC 6750, section 2.1. */
static bool parse_bearer(char *text, struct belay_credentials *ret)
{
	size_t size = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				   "-._~+/");

	if (size == 0 || text[size + strspn(text + size, "=")] != '\0')
		return false;
	*ret = (struct belay_credentials){BELAY_AUTH_BEARER, "", text};
	return true;
}

/* What stands behind the scheme's name and at least one space; NULL: it is another scheme. */
static char *behind(char *text, const char *scheme)
{
	size_t size = strlen(scheme);

	if (strncasecmp(text, scheme, size) != 0 || text[size] != ' ')
		return NULL;
	return text + size + strspn(text + size, " ");
}

/* Takes text apart in place. False: no credentials of a scheme that is accepted. */
static bool parse(char *text, unsigned schemes, struct belay_credentials *ret)
{
	char *basic = schemes & BELAY_AUTH_BASIC ? behind(text, "Basic") : NULL;
	char *bearer = schemes & BELAY_AUTH_BEARER ? behind(text, "Bearer") : NULL;

	return basic ? parse_basic(basic, ret) : bearer ? parse_bearer(bearer, ret) : false;
}

/* ---- Judging --------------------------------------------------------------------------------- */

/* The context with the user's name, where the check by Basic set none. */
static int name_user(belay_ctx *ctx, const struct belay_credentials *given, belay_ctx **known)
{
	char *copy;

	if (*known || given->scheme != BELAY_AUTH_BASIC)
		return 0;
	copy = belay__strdup(given->user);
	if (!copy)
		return -ENOMEM;
	*known = with_user_name(ctx, copy);
	return 0;
}

static int judge(belay_ctx *ctx, const struct belay_http_auth *auth, char *text, belay_ctx **known)
{
	struct belay_credentials given;
	int r;

	if (!parse(text, auth->schemes, &given))
		return -EACCES;
	r = auth->check(ctx, &given, known, auth->arg);
	if (r == 0)
		r = name_user(ctx, &given, known);
	if (r == 0 && *known && belay_err(ctx) == 0)
		r = belay_err(*known); /* there was no memory for it */
	return r;
}

/* 0, and *known where there is another context to go on with; -EACCES; another error. */
static int ask(belay_ctx *ctx, const struct belay_http_auth *auth, const char *header,
	       belay_ctx **known)
{
	char *text = belay__strdup(header);
	size_t size = strlen(header);
	int r;

	if (!text)
		return -ENOMEM;
	r = judge(ctx, auth, text, known);
	explicit_bzero(text, size);
	belay__free(text);
	return r;
}

/* ---- Answering ------------------------------------------------------------------------------- */

/* As a quoted-string (RFC 9110, section 5.6.4), as much of it as there is room for. */
static void quote(char *buf, size_t size, const char *text)
{
	size_t n = 0;

	buf[n++] = '"';
	for (; *text && n + 3 < size; text++) {
		if (*text == '"' || *text == '\\')
			buf[n++] = '\\';
		buf[n++] = *text;
	}
	buf[n++] = '"';
	buf[n] = '\0';
}

static int challenge(belay_response *res, const struct belay_http_auth *auth, bool refused)
{
	char realm[256], text[320];
	int r = 0;

	quote(realm, sizeof realm, auth->realm ? auth->realm : "restricted");
	if (auth->schemes & BELAY_AUTH_BEARER) {
		snprintf(text, sizeof text, "Bearer realm=%s%s", realm,
			 refused ? ", error=\"invalid_token\"" : "");
		r = belay_response_add_header(res, "WWW-Authenticate", text);
	}
	if (r == 0 && auth->schemes & BELAY_AUTH_BASIC) {
		snprintf(text, sizeof text, "Basic realm=%s, charset=\"UTF-8\"", realm);
		r = belay_response_add_header(res, "WWW-Authenticate", text);
	}
	return r;
}

static int refuse(belay_ctx *ctx, belay_request *req, belay_response *res,
		  const struct belay_http_auth *auth, bool refused)
{
	int r = challenge(res, auth, refused);

	return r == 0 ? belay_response_error(ctx, req, res, 401, NULL) : r;
}

int belay_http_authenticate(belay_ctx *ctx, belay_request *req, belay_response *res,
			    const belay_chain *next, void *arg)
{
	const struct belay_http_auth *auth = arg;
	const char *header = belay_request_header(req, "authorization");
	belay_ctx *known = NULL;
	int r;

	if (!auth)
		return belay__answer_misuse(ctx, req, res, "belay_http_authenticate", "options");
	r = header ? ask(ctx, auth, header, &known) : -EACCES;
	if (r == 0)
		r = belay_next(known ? known : ctx, req, res, next);
	else if (r == -EACCES)
		r = refuse(ctx, req, res, auth, header != NULL);
	belay_end(known);
	return r;
}

/* ---- For hooks and handlers ------------------------------------------------------------------ */

/* Derivation can't fail: what could not be copied becomes a context that is done. */
belay_ctx *belay_with_user(belay_ctx *parent, const char *name)
{
	char *copy = belay__strdup(name);
	belay_ctx *ctx;

	if (copy)
		return with_user_name(parent, copy);
	ctx = belay_with_cancel(parent);
	belay_cancel_cause_at(ctx, -ENOMEM, NULL, "out of memory for the user's name");
	return ctx;
}

const char *belay_user(const belay_ctx *ctx)
{
	return user_name_of(ctx);
}

/* Each byte of given is compared with one of expected's, round and round, and each result is looked
 * at only once all are there. volatile: so that no compiler sees that it could stop. */
bool belay_same_secret(const char *given, const char *expected)
{
	size_t size = strlen(given), length = strlen(expected);
	volatile unsigned char differ = size != length;

	for (size_t i = 0, j = 0; i < size; i++) {
		differ |= (unsigned char)(given[i] ^ expected[j]);
		j = j + 1 < length ? j + 1 : 0;
	}
	return !differ;
}
