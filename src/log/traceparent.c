/* SPDX-License-Identifier: MIT
 *
 * traceparent.c - a trace id as W3C Trace Context hands it on: section 3.2.
 *
 *     version "-" trace-id "-" parent-id "-" flags        later versions may have more behind that
 */
#include <belay/log.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum {
	ID_DIGITS = 32,
	SPAN_DIGITS = 16,
	ID = 3,
	SPAN = ID + ID_DIGITS + 1,
	FLAGS = SPAN + SPAN_DIGITS + 1,
	SIZE = FLAGS + 2,
};

_Static_assert(BELAY_TRACEPARENT_SIZE == SIZE + 1, "and its end");

static bool is_hex(const char *text, size_t size)
{
	return strspn(text, "0123456789abcdef") >= size;
}

static bool is_zero(const char *text, size_t size)
{
	return strspn(text, "0") >= size;
}

static bool has_form(const char *text)
{
	size_t size = strlen(text);
	bool first = strncmp(text, "00", 2) == 0;

	if (size < SIZE || (size > SIZE && (first || text[SIZE] != '-')))
		return false;
	return is_hex(text, 2) && strncmp(text, "ff", 2) != 0 && text[ID - 1] == '-' &&
	       is_hex(text + ID, ID_DIGITS) && text[SPAN - 1] == '-' &&
	       is_hex(text + SPAN, SPAN_DIGITS) && text[FLAGS - 1] == '-' &&
	       is_hex(text + FLAGS, 2);
}

int belay_traceparent_parse(const char *text, char ret[33])
{
	if (!has_form(text) || is_zero(text + ID, ID_DIGITS) || is_zero(text + SPAN, SPAN_DIGITS))
		return -EINVAL;
	memcpy(ret, text + ID, ID_DIGITS);
	ret[ID_DIGITS] = '\0';
	return 0;
}

int belay_traceparent_format(const belay_ctx *ctx, char ret[BELAY_TRACEPARENT_SIZE])
{
	const char *id = belay_trace_id(ctx);
	uint64_t span = 0;

	if (!id || strlen(id) != ID_DIGITS || !is_hex(id, ID_DIGITS) || is_zero(id, ID_DIGITS))
		return -ENOENT;
	/* A zero is no span id. */
	if (getrandom(&span, sizeof span, GRND_NONBLOCK) != sizeof span || span == 0)
		return -EAGAIN;
	snprintf(ret, BELAY_TRACEPARENT_SIZE, "00-%.32s-%016" PRIx64 "-01", id, span);
	return 0;
}
