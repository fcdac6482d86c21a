/* SPDX-License-Identifier: MIT
 *
 * access_log_json.c - one JSON object a request, in one line (RFC 8259).
 *
 * The line is built on the stack: every text has its own limit, and LINE is room for all of them at
 * their longest, so that no line is ever cut in the middle and none needs memory.
 */
#include "http/outcome.h"
#include "http/request.h"
#include "http/response.h"

#include "base/text.h"

#include <belay/http_middleware.h>
#include <belay/log.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LONG = 1024, SHORT = 256, TEXTS = 8, FIXED = 1024, LINE = LONG + TEXTS * SHORT + FIXED };

struct line {
	size_t size;
	char text[LINE];
};

/* ---- Writing JSON ---------------------------------------------------------------------------- */

static void put(struct line *line, const char *fmt, ...) BELAY_PRINTF(2, 3);

/* There is room for all of it. */
static void put(struct line *line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	line->size += (size_t)vsnprintf(line->text + line->size, LINE - line->size, fmt, args);
	va_end(args);
}

/* The next character of *text in JSON to buf, which has room for any; *text moves on behind it. */
static size_t escape(const char **text, char buf[8])
{
	unsigned char c = (unsigned char)**text;
	size_t size = belay__utf8_length(*text);

	*text += size ? size : 1;
	if (size == 0)
		return (size_t)snprintf(buf, 8, "\xef\xbf\xbd");
	if (c == '"' || c == '\\')
		return (size_t)snprintf(buf, 8, "\\%c", c);
	if (c < 0x20 || c == 0x7f)
		return (size_t)snprintf(buf, 8, "\\u%04x", (unsigned)c);
	memcpy(buf, *text - size, size);
	return size;
}

/* At most most bytes of it, whole characters only; text has length bytes. */
static void put_text(struct line *line, const char *text, size_t length, size_t most)
{
	const char *end = text + length;
	size_t from = line->size;
	char c[8];

	put(line, "\"");
	while (text < end) {
		size_t size = escape(&text, c);

		if (line->size - from + size >= most)
			break;
		memcpy(line->text + line->size, c, size);
		line->size += size;
	}
	put(line, "\"");
}

static void member(struct line *line, const char *name, const char *value)
{
	if (!value)
		return;
	put(line, ",\"%s\":", name);
	put_text(line, value, strlen(value), SHORT);
}

/* ---- A request ------------------------------------------------------------------------------- */

static void put_time(struct line *line)
{
	struct timespec now;
	char text[24];
	struct tm t;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &t);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &t);
	put(line, "{\"time\":\"%s.%03ldZ\"", text, now.tv_nsec / 1000000);
}

static void put_request(struct line *line, const belay_ctx *ctx, const belay_request *req)
{
	member(line, "trace_id", belay_trace_id(ctx));
	member(line, "remote", req->remote);
	member(line, "method", req->method);
	put(line, ",\"path\":");
	put_text(line, req->line, strcspn(req->line, "?"), LONG);
	member(line, "route", req->route);
	member(line, "user", belay_user(ctx));
	member(line, "agent", belay_request_header(req, "user-agent"));
}

static void put_answer(struct line *line, const belay_ctx *ctx, belay_response *res, int r,
		       int64_t ns)
{
	const char *name, *trouble = belay__response_trouble(res, ctx, &name);

	put(line, ",\"status\":%d,\"ms\":%.3f,\"bytes\":%" PRIu64,
	    belay__outcome_status(ctx, res, r), (double)ns / 1e6, res->taken);
	member(line, name, trouble);
	put(line, "}\n");
}

static void write_out(const struct belay_json_log *log, const struct line *line)
{
	ssize_t n;

	if (log) {
		log->write(log->arg, line->text, line->size);
		return;
	}
	n = TEMP_FAILURE_RETRY(write(STDERR_FILENO, line->text, line->size));
	(void)n; /* nobody is left to be told */
}

int belay_http_access_log_json(belay_ctx *ctx, belay_request *req, belay_response *res,
			       const belay_chain *next, void *arg)
{
	int64_t start = belay_now();
	int r = belay_next(ctx, req, res, next);
	struct line line = {.size = 0};

	put_time(&line);
	put_request(&line, ctx, req);
	put_answer(&line, ctx, res, r, belay_now() - start);
	write_out(arg, &line);
	return r;
}
