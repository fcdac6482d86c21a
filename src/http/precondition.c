/* SPDX-License-Identifier: MIT
 *
 * precondition.c - whether a client needs what it asks for, and which part of it (RFC 9110,
 * sections 13 and 14).
 *
 * Of several ranges at once the whole is sent: section 14.2 lets a server ignore Range, section
 * 17.15 warns of what many small or overlapping ones cost it, and what asks for them in practice
 * takes the whole as well.
 */
#include "http/precondition.h"

#include "http/date.h"

#include <string.h>
#include <strings.h>

/* ---- Entity tags ----------------------------------------------------------------------------- */

static bool is_weak(const char *etag)
{
	return strncmp(etag, "W/", 2) == 0;
}

/* Whether a list of entity tags has etag in it (section 8.8.3.2: compared strongly, two weak ones
 * are never the same). What is malformed ends the list. */
static bool list_has(const char *list, const char *etag, bool strongly)
{
	const char *opaque = etag + (is_weak(etag) ? 2 : 0);
	size_t size = strlen(opaque);

	while (*(list += strspn(list, " \t,"))) {
		bool weak = is_weak(list);
		const char *tag = list + (weak ? 2 : 0);
		const char *end = *tag == '"' ? strchr(tag + 1, '"') : NULL;

		if (!end)
			return false;
		if ((size_t)(end + 1 - tag) == size && memcmp(tag, opaque, size) == 0 &&
		    !(strongly && (weak || is_weak(etag))))
			return true;
		list = end + 1;
	}
	return false;
}

/* Whether any of the headers of that name, or "*", has etag; *ret_present: there is one. */
static bool matches(const belay_request *req, const char *name, const char *etag, bool strongly,
		    bool *ret_present)
{
	const char *n, *value;

	*ret_present = false;
	for (size_t i = 0; belay_request_header_at(req, i, &n, &value); i++) {
		if (strcasecmp(n, name) != 0)
			continue;
		*ret_present = true;
		if (strcmp(value, "*") == 0 || list_has(value, etag, strongly))
			return true;
	}
	return false;
}

/* ---- Preconditions --------------------------------------------------------------------------- */

/* Whether there is such a header with a date, and that is in *ret. */
static bool date_of(const belay_request *req, const char *name, time_t *ret)
{
	const char *text = belay_request_header(req, name);

	return text && belay__date_parse(text, ret) == 0;
}

static bool is_lost(const belay_request *req, const struct belay__validators *v)
{
	bool present, same = matches(req, "if-match", v->etag, true, &present);
	time_t since;

	if (present)
		return !same;
	return date_of(req, "if-unmodified-since", &since) && v->modified > since;
}

static bool is_unchanged(const belay_request *req, const struct belay__validators *v)
{
	bool present, same = matches(req, "if-none-match", v->etag, false, &present);
	time_t since;

	if (present)
		return same;
	return date_of(req, "if-modified-since", &since) && v->modified <= since;
}

int belay__precondition(const belay_request *req, const struct belay__validators *v)
{
	if (is_lost(req, v))
		return 412;
	return is_unchanged(req, v) ? 304 : 0;
}

/* ---- Ranges ---------------------------------------------------------------------------------- */

/* Digits at *text, which moves on behind them; more than can be counted are the most that can.
 * False: there are none. */
static bool number(const char **text, uint64_t *ret)
{
	const char *from = *text;
	bool over = false;
	uint64_t n = 0;

	for (; **text >= '0' && **text <= '9'; ++*text)
		over |= __builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(**text - '0'), &n);
	*ret = over ? UINT64_MAX : n;
	return *text > from;
}

/* "-500": the last 500. Nothing can be said of the last bytes of nothing. */
static enum belay__range_verdict last_ones(const char *p, uint64_t size, uint64_t *ret_first,
					   uint64_t *ret_count)
{
	uint64_t n;

	if (!number(&p, &n) || *p || size == 0)
		return BELAY__RANGE_WHOLE;
	if (n == 0)
		return BELAY__RANGE_UNSATISFIABLE;
	*ret_count = n < size ? n : size;
	*ret_first = size - *ret_count;
	return BELAY__RANGE_PART;
}

enum belay__range_verdict belay__range_parse(const char *p, uint64_t size, uint64_t *ret_first,
					     uint64_t *ret_count)
{
	uint64_t first, last = UINT64_MAX;

	if (strncasecmp(p, "bytes=", 6) != 0)
		return BELAY__RANGE_WHOLE;
	p += 6 + strspn(p + 6, " \t");
	if (*p == '-')
		return last_ones(p + 1, size, ret_first, ret_count);
	if (!number(&p, &first) || *p++ != '-')
		return BELAY__RANGE_WHOLE;
	if ((*p && !number(&p, &last)) || *p || last < first)
		return BELAY__RANGE_WHOLE;
	if (first >= size)
		return BELAY__RANGE_UNSATISFIABLE;
	*ret_first = first;
	*ret_count = (last < size ? last + 1 : size) - first;
	return BELAY__RANGE_PART;
}

/* Section 13.1.5: an entity tag is compared strongly, a date must be the very same. */
static bool range_holds(const belay_request *req, const struct belay__validators *v)
{
	const char *text = belay_request_header(req, "if-range");
	time_t date;

	if (!text)
		return true;
	if (*text == '"' || is_weak(text))
		return list_has(text, v->etag, true);
	return belay__date_parse(text, &date) == 0 && date == v->modified;
}

enum belay__range_verdict belay__range(const belay_request *req, const struct belay__validators *v,
				       uint64_t size, uint64_t *ret_first, uint64_t *ret_count)
{
	const char *text = belay_request_header(req, "range");

	if (!text || strcmp(belay_request_method(req), "GET") != 0 || !range_holds(req, v))
		return BELAY__RANGE_WHOLE;
	return belay__range_parse(text, size, ret_first, ret_count);
}
