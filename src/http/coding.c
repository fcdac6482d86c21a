/* SPDX-License-Identifier: MIT
 *
 * coding.c - content codings, and which of them a client wants.
 */
#include "http/coding.h"

#include <string.h>
#include <strings.h>

enum { CODINGS = 3, FULL = 1000 };

static const struct {
	enum belay__coding coding;
	const char *name, *suffix;
} codings[CODINGS] = {
	{BELAY__CODING_ZSTD, "zstd", ".zst"},
	{BELAY__CODING_BR, "br", ".br"},
	{BELAY__CODING_GZIP, "gzip", ".gz"},
};

static size_t index_of(enum belay__coding coding)
{
	size_t i = 0;

	while (codings[i].coding != coding)
		i++;
	return i;
}

const char *belay__coding_name(enum belay__coding coding)
{
	return coding ? codings[index_of(coding)].name : "identity";
}

const char *belay__coding_suffix(enum belay__coding coding)
{
	return coding ? codings[index_of(coding)].suffix : "";
}

/* ---- What is wanted -------------------------------------------------------------------------- */

/* What each is worth to the client, in thousandths; -1: it said nothing. */
struct wishes {
	int q[CODINGS], identity, any;
};

/* The weight in an element's parameters, ";q=0.5" (RFC 9110, section 12.4.2); 0 where it is
 * malformed: what can't be read is not asked for. */
static int weight_of(const char *p)
{
	int q = 0, unit = FULL;

	p += strspn(p, " \t");
	if (*p != ';')
		return FULL;
	p += 1 + strspn(p + 1, " \t");
	if ((*p != 'q' && *p != 'Q') || p[1] != '=' || (p[2] != '0' && p[2] != '1'))
		return 0;
	q = (p[2] - '0') * FULL;
	if (p[3] != '.')
		return q;
	for (p += 4; *p >= '0' && *p <= '9' && unit > 1; p++)
		q += (*p - '0') * (unit /= 10);
	return q <= FULL ? q : 0;
}

static bool is(const char *text, size_t size, const char *name)
{
	return strlen(name) == size && strncasecmp(text, name, size) == 0;
}

static void note(struct wishes *w, const char *item)
{
	size_t size = strcspn(item, " \t,;");
	int q = weight_of(item + size);

	for (size_t i = 0; i < CODINGS; i++)
		if (is(item, size, codings[i].name) ||
		    (codings[i].coding == BELAY__CODING_GZIP && is(item, size, "x-gzip")))
			w->q[i] = q;
	if (is(item, size, "identity"))
		w->identity = q;
	if (is(item, size, "*"))
		w->any = q;
}

static void note_all(struct wishes *w, const char *list)
{
	while (*(list += strspn(list, " \t,"))) {
		note(w, list);
		list += strcspn(list, ",");
	}
}

/* What is not named has the weight of "*", where that is. Identity is then acceptable, if less than
 * anything that was asked for. */
static enum belay__coding best(const struct wishes *w, unsigned offered)
{
	enum belay__coding chosen = BELAY__CODING_IDENTITY;
	int most = w->identity > 0 ? w->identity : 0;
	bool named = w->identity > 0;

	for (size_t i = 0; i < CODINGS; i++) {
		int q = w->q[i] >= 0 ? w->q[i] : w->any;

		if (!(offered & codings[i].coding) || q <= 0 || q < most)
			continue;
		if (q > most || (named && chosen == BELAY__CODING_IDENTITY)) {
			most = q;
			chosen = codings[i].coding;
		}
	}
	return chosen;
}

enum belay__coding belay__coding_choose(const belay_request *req, unsigned offered)
{
	struct wishes w = {.q = {-1, -1, -1}, .identity = -1, .any = -1};
	const char *name, *value;

	for (size_t i = 0; belay_request_header_at(req, i, &name, &value); i++)
		if (strcasecmp(name, "accept-encoding") == 0)
			note_all(&w, value);
	return best(&w, offered);
}
