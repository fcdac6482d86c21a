/* SPDX-License-Identifier: MIT
 *
 * deadline.c - durations, and the deadlines that callers ask for in a header and in the query.
 *
 * Nobody gets longer than the server allows, nor less than was asked for.
 *
 * Input       a byte: what the server allows; lines: Request-Timeout, the query's timeout.
 */
#include "fuzz.h"

#include <belay.h>
#include <belay/http.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Durations ------------------------------------------------------------------------------- */

/* The units, and for each digit behind the point what may be cut off. */
static const struct unit {
	const char *name;
	long double ns;
} units[] = {{"ns", 1}, {"us", 1e3L}, {"ms", 1e6L}, {"s", 1e9L}, {"m", 6e10L}};

static const struct unit *unit_at(const char *text)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(text, units[i].name) == 0)
			return &units[i];
	return NULL;
}

/* As a reader would: digits, a point and digits or none, a unit. False: it is not one. */
static bool plain(const char *text, long double *ret)
{
	size_t whole = strspn(text, "0123456789"), part = 0;
	const struct unit *unit;
	char *number;

	if (text[whole] == '.')
		part = 1 + strspn(text + whole + 1, "0123456789");
	unit = unit_at(text + whole + part);
	if (whole == 0 || part == 1 || !unit)
		return false;
	number = fuzz_copy(text, whole + part);
	*ret = strtold(number, NULL) * unit->ns;
	free(number);
	return true;
}

static void check_duration(const char *text)
{
	int64_t ns = -1, again;
	long double expected;
	int r = belay_duration_parse(text, &ns);
	char written[32];

	MUST(r == (plain(text, &expected) ? 0 : -EINVAL));
	if (r < 0) {
		MUST(ns == -1);
		return;
	}
	MUST(ns >= 0 && (long double)ns <= expected + 2);
	MUST(ns == BELAY_FOREVER || (long double)ns + 16 > expected);
	MUST(ns < BELAY_FOREVER || expected + 16 > (long double)BELAY_FOREVER);
	snprintf(written, sizeof written, "%lldns", (long long)ns);
	MUST(belay_duration_parse(written, &again) == 0 && again == ns);
}

/* ---- Deadlines ------------------------------------------------------------------------------- */

struct asked {
	int64_t start, ns; /* when, and the least of all that was asked for */
};

static int handle(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const struct asked *asked = belay_request_data(req);
	int64_t when, latest;

	if (!belay_deadline(ctx, &when)) {
		MUST(asked->ns > BELAY_FOREVER - belay_now());
		return 0;
	}
	MUST(when >= asked->start + asked->ns);
	if (!__builtin_add_overflow(belay_now(), asked->ns, &latest))
		MUST(when <= latest);
	return 0;
}

static void take(struct asked *asked, const char *text)
{
	int64_t ns;

	if (belay_duration_parse(text, &ns) == 0 && ns < asked->ns)
		asked->ns = ns;
}

/* The header where it can be one, and the query where it needs no encoding. */
static belay_recorder *make(struct asked *asked, const char *header, const char *query)
{
	bool plain_query = query[strspn(query, "0123456789.numsx")] == '\0';
	char target[64];
	belay_recorder *rec;

	plain_query = plain_query && *query && strlen(query) < 40;
	snprintf(target, sizeof target, "/%s%s", plain_query ? "?timeout=" : "",
		 plain_query ? query : "");
	rec = belay_recorder_new("GET", target);
	MUST(rec != NULL);
	if (plain_query)
		take(asked, query);
	if (*header && belay_recorder_header(rec, "Request-Timeout", header) == 0)
		take(asked, header);
	return rec;
}

static void check_deadline(int64_t most, const char *header, const char *query)
{
	struct belay_http_limit limit = {most};
	struct asked asked = {belay_now(), most > 0 ? most : BELAY_FOREVER};
	belay_recorder *rec = make(&asked, header, query);
	belay_router *router = belay_router_new();
	int status;

	MUST(router && belay_router_use(router, belay_http_deadline, &limit) == 0);
	MUST(belay_router_add(router, "/", handle, &asked) == 0);
	belay_recorder_serve(belay_background(), rec, router);
	status = belay_recorder_status(rec);
	MUST(status == 0 || status == 200 || status == 400 || status == 503);
	belay_router_free(router);
	belay_recorder_free(rec);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static const int64_t limits[] = {0, BELAY_MS(50), BELAY_S(100), BELAY_FOREVER};
	struct fuzz_input in = {data, size};
	int64_t most = limits[fuzz_byte(&in) % 4];
	char *header = fuzz_line(&in), *query = fuzz_line(&in);

	check_duration(header);
	check_duration(query);
	check_deadline(most, header, query);
	free(header);
	free(query);
}
