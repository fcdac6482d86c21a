/* SPDX-License-Identifier: MIT
 *
 * baggage.c - W3C Baggage (https://www.w3.org/TR/baggage/), section 3.2.1:
 *
 *     member *( OWS "," OWS member )       member:    key OWS "=" OWS value *( OWS ";" property )
 *                                          property:  OWS key [ OWS "=" OWS value ]
 *
 * Up to 64 members of 8192 bytes together must be handed on (section 3.2.3); of what has more only
 * the first ones are. Members without anything in them, as RFC 9110, section 5.6.1 has them for
 * lists, are let through.
 */
#include "http/baggage.h"

#include "base/alloc.h"
#include "http/headers.h"

#include <belay/http_client.h>

#include <errno.h>
#include <string.h>

enum { MOST_MEMBERS = 64, MOST_BYTES = 8192 };

BELAY_KEY(baggage, char *, .destroy = belay__free);

/* ---- The form -------------------------------------------------------------------------------- */

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t");
}

/* A token; NULL: there is none. */
static const char *skip_key(const char *at)
{
	size_t size = strcspn(at, "=;, \t");

	return belay__is_token(at, size) ? at + size : NULL;
}

/* What a cookie's value may have, too: no space, quote, comma, semicolon, backslash, and ASCII. */
static bool is_octet(char c)
{
	return c > ' ' && c < 0x7f && !strchr("\",;\\", c);
}

static const char *skip_value(const char *at)
{
	while (*at && is_octet(*at))
		at++;
	return at;
}

/* Behind a key: its value, where it has one. NULL: it must have one. */
static const char *skip_assignment(const char *at, bool needed)
{
	at = skip_space(at);
	if (*at == '=')
		return skip_space(skip_value(skip_space(at + 1)));
	return needed ? NULL : at;
}

/* One member and the space around it; NULL: malformed. */
static const char *skip_member(const char *at)
{
	bool property = false;

	do {
		at = skip_key(skip_space(property ? at + 1 : at));
		if (at)
			at = skip_assignment(at, !property);
		property = true;
	} while (at && *at == ';');
	return at;
}

int belay__baggage_scan(const char *text, size_t *ret)
{
	const char *at = text;
	size_t members = 0, kept = 0;

	for (;; at++) {
		at = skip_space(at);
		if (*at && *at != ',') {
			at = skip_member(at);
			members++;
		}
		if (!at || (*at && *at != ','))
			return -EINVAL;
		if (members > 0 && members <= MOST_MEMBERS && at - text <= MOST_BYTES)
			kept = (size_t)(at - text);
		if (!*at)
			break;
	}
	*ret = kept;
	return 0;
}

/* ---- Public ---------------------------------------------------------------------------------- */

/* Derivation can't fail: what could not be copied becomes a context that is done. */
belay_ctx *belay_with_baggage(belay_ctx *parent, const char *text)
{
	char *copy = text ? belay__strdup(text) : NULL;
	belay_ctx *ctx;

	if (copy || !text)
		return with_baggage(parent, copy);
	ctx = belay_with_cancel(parent);
	belay_cancel_cause_at(ctx, -ENOMEM, NULL, "out of memory for baggage");
	return ctx;
}

const char *belay_baggage(const belay_ctx *ctx)
{
	return baggage_of(ctx);
}
