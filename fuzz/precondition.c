/* SPDX-License-Identifier: MIT
 *
 * precondition.c - Range, If-Match and their like, and the dates in them.
 *
 * A range lies within the file, whatever was asked for; what is sent is what was asked for.
 *
 * Input       a byte: which validators the file has, and the method; a line: the file's size;
 *             lines: "Name: value" each.
 */
#include "fuzz.h"
#include "http/date.h"
#include "http/precondition.h"
#include "http/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_HEADERS = 16 };

static const time_t year_10000 = 253402300800;

/* ---- Dates ----------------------------------------------------------------------------------- */

static void check_date(const char *text)
{
	char written[BELAY__DATE_SIZE];
	time_t when, again;
	int r = belay__date_parse(text, &when);

	MUST(r == 0 || r == -EINVAL);
	if (r < 0 || when >= year_10000)
		return;
	belay__date(when, written);
	MUST(strlen(written) == BELAY__DATE_SIZE - 1);
	MUST(belay__date_parse(written, &again) == 0 && again == when);
}

/* ---- Ranges ---------------------------------------------------------------------------------- */

static void check_part(uint64_t size, uint64_t first, uint64_t count)
{
	uint64_t f, c;
	char text[64];

	MUST(count > 0 && first < size && count <= size - first);
	snprintf(text, sizeof text, "bytes=%" PRIu64 "-%" PRIu64, first, first + count - 1);
	MUST(belay__range_parse(text, size, &f, &c) == BELAY__RANGE_PART);
	MUST(f == first && c == count);
	snprintf(text, sizeof text, "bytes=-%" PRIu64, size - first);
	MUST(belay__range_parse(text, size, &f, &c) == BELAY__RANGE_PART);
	MUST(f == first && c == size - first);
}

static void check_range(const char *text, uint64_t size)
{
	uint64_t first = 7, count = 7;
	enum belay__range_verdict verdict = belay__range_parse(text, size, &first, &count);

	if (verdict == BELAY__RANGE_PART)
		check_part(size, first, count);
	else
		MUST(first == 7 && count == 7);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* "Name: value", where it could have come over the wire. */
static void add(struct belay_request *req, const char *line)
{
	const char *colon = strchr(line, ':'), *value;

	if (!colon)
		return;
	value = colon + 1 + strspn(colon + 1, " \t");
	check_date(value);
	if (belay__is_token(line, (size_t)(colon - line)) &&
	    belay__is_field_value(value, strlen(value)))
		MUST(belay__headers_add(&req->headers, line, (size_t)(colon - line), value,
					strlen(value)) == 0);
}

static bool has(const struct belay_request *req, const char *name)
{
	return belay_request_header(req, name) != NULL;
}

/* RFC 9110, section 13.2.2: who sets no condition gets what it asks for; "*" is any version. */
static void check_precondition(const struct belay_request *req, const struct belay__validators *v)
{
	const char *match = belay_request_header(req, "if-match");
	const char *none = belay_request_header(req, "if-none-match");
	int status = belay__precondition(req, v);

	MUST(status == 0 || status == 304 || status == 412);
	MUST(status != 412 || match || has(req, "if-unmodified-since"));
	MUST(status != 304 || none || has(req, "if-modified-since"));
	MUST(!match || strcmp(match, "*") != 0 || status != 412);
	MUST(!none || strcmp(none, "*") != 0 || status != 0);
	MUST(!none || strcmp(none, v->etag) != 0 || status != 0);
}

static void check_request(const struct belay_request *req, const struct belay__validators *v,
			  uint64_t size)
{
	const char *range = belay_request_header(req, "range");
	uint64_t first, count, f, c;
	enum belay__range_verdict verdict = belay__range(req, v, size, &first, &count);

	check_precondition(req, v);
	MUST(verdict == BELAY__RANGE_WHOLE || (range && strcmp(req->method, "GET") == 0));
	if (verdict == BELAY__RANGE_PART) {
		check_part(size, first, count);
		MUST(belay__range_parse(range, size, &f, &c) == verdict);
		MUST(f == first && c == count);
	}
	if (range)
		check_range(range, size);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static const struct belay__validators validators[] = {
		{"\"a\"", 784111777}, {"W/\"a\"", 784111777}, {"\"\"", 0}, {"\"a,b\"", 4000000000}};
	struct fuzz_input in = {data, size};
	uint8_t which = fuzz_byte(&in);
	struct belay_request req = {.method = which & 4 ? "HEAD" : "GET"};
	char *text = fuzz_line(&in);
	uint64_t length = strtoull(text, NULL, 10);

	free(text);
	for (int i = 0; i < MOST_HEADERS && in.size > 0; i++) {
		text = fuzz_line(&in);
		add(&req, text);
		check_range(text, length);
		free(text);
	}
	check_request(&req, &validators[which & 3], length);
	belay__request_fini(&req);
}
