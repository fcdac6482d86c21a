/* SPDX-License-Identifier: MIT
 *
 * message.c - requests on the wire: one after the other, as a connection takes them.
 *
 * What the server accepts, a reader that knows nothing but RFC 9112's plainest grammar must read in
 * the very same way: where it does not, two parsers in a row could be set against each other.
 *
 * Input       a byte: in what steps it comes; then the bytes of the connection.
 */
#include "fuzz.h"
#include "http/head.h"
#include "http/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_HEADERS = 20, MOST_REQUESTS = 50 };

/* ---- A reader of its own --------------------------------------------------------------------- */

struct plain {
	const char *at, *end;
};

static bool skip(struct plain *p, const char *text)
{
	size_t size = strlen(text);

	if ((size_t)(p->end - p->at) < size || memcmp(p->at, text, size) != 0)
		return false;
	p->at += size;
	return true;
}

/* Up to the next CRLF, and behind it; a CR or LF before that is none of a line's. */
static bool line(struct plain *p, const char **ret, size_t *ret_size)
{
	const char *start = p->at;

	while (p->at < p->end && *p->at != '\r' && *p->at != '\n')
		p->at++;
	*ret = start;
	*ret_size = (size_t)(p->at - start);
	return skip(p, "\r\n");
}

static bool hex(struct plain *p, uint64_t *ret)
{
	const char *start = p->at;

	for (*ret = 0; p->at < p->end; p->at++) {
		static const char digits[] = "0123456789abcdefABCDEF";
		const char *digit = *p->at ? strchr(digits, *p->at) : NULL;
		uint64_t value = digit ? (uint64_t)(digit - digits) : 0;

		if (!digit)
			break;
		if (*ret >> 60)
			return false;
		*ret = *ret * 16 + (value > 15 ? value - 6 : value);
	}
	return p->at > start;
}

/* A chunk's data to out, or none for the last one. False: it is not one, or not all there. */
static bool chunk(struct plain *p, char *out, size_t *produced, bool *ret_last)
{
	const char *extension;
	uint64_t size;
	size_t n;

	if (!hex(p, &size) || !line(p, &extension, &n) || (n > 0 && *extension != ';'))
		return false;
	*ret_last = size == 0;
	if (size == 0)
		return true;
	if (size > (uint64_t)(p->end - p->at))
		return false;
	memcpy(out + *produced, p->at, size);
	*produced += size;
	p->at += size;
	return skip(p, "\r\n");
}

static bool chunks(struct plain *p, char *out, size_t *produced)
{
	const char *trailer;
	bool last = false;
	size_t n = 1;

	*produced = 0;
	while (!last)
		if (!chunk(p, out, produced, &last))
			return false;
	while (n > 0)
		if (!line(p, &trailer, &n))
			return false;
	return true;
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool same(const char *text, const char *data, size_t size)
{
	return strlen(text) == size && memcmp(text, data, size) == 0;
}

/* A Host beside a target that names another one does not count. */
static bool is_overruled(const char *name, const struct belay_request *req)
{
	return belay__same_name(name, "host") && *req->line != '/' && *req->line != '*';
}

static void check_header(struct plain *p, const struct belay_request *req, const char *name,
			 const char *value)
{
	const char *text, *colon;
	size_t size;

	MUST(line(p, &text, &size));
	colon = memchr(text, ':', size);
	if (is_overruled(name, req))
		return;
	MUST(colon && same(name, text, (size_t)(colon - text)));
	size -= (size_t)(colon + 1 - text);
	for (text = colon + 1; size > 0 && is_blank(*text); size--)
		text++;
	while (size > 0 && is_blank(text[size - 1]))
		size--;
	MUST(same(value, text, size));
	MUST(belay__is_token(name, strlen(name)) && !fuzz_has_control(value));
}

static void check_line(struct plain *p, const struct belay_request *req)
{
	MUST(skip(p, req->method) && skip(p, " ") && skip(p, req->line));
	MUST(skip(p, " HTTP/1.0\r\n") || skip(p, " HTTP/1.1\r\n"));
	MUST(!fuzz_has_control(req->line) && !strchr(req->line, ' '));
}

static size_t how_many(const struct belay__headers *headers, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < headers->count; i++)
		n += belay__same_name(belay__headers_name(headers, i), name);
	return n;
}

/* One way to know where the body ends, and no doubt about it. */
static void check_framing(const struct belay__message *msg, const struct belay__headers *headers)
{
	size_t lengths = how_many(headers, "content-length");
	size_t codings = how_many(headers, "transfer-encoding");

	MUST(lengths + codings <= 1);
	MUST(msg->chunked == (codings == 1));
	MUST(!msg->chunked || (msg->minor == 1 && !msg->done));
	if (lengths == 1)
		MUST(strtoull(belay__headers_get(headers, "content-length"), NULL, 10) ==
		     msg->length);
	MUST(msg->chunked || msg->done == (msg->length == 0));
	MUST(how_many(headers, "host") == 1 || (msg->minor == 0 && how_many(headers, "host") == 0));
}

static void check_head(const struct belay__message *msg, const struct belay_request *req,
		       const char *data, size_t size)
{
	struct plain p = {data, data + size};

	MUST(req->headers.count <= MOST_HEADERS);
	check_line(&p, req);
	for (size_t i = 0; i < req->headers.count; i++)
		check_header(&p, req, belay__headers_name(&req->headers, i),
			     belay__headers_value(&req->headers, i));
	MUST(skip(&p, "\r\n") && p.at == p.end);
	check_framing(msg, &req->headers);
}

/* Found at once and in two steps: the same. */
static ssize_t scan(const char *data, size_t size, size_t step)
{
	struct belay__head whole = {0}, parts = {0};
	ssize_t n = belay__head_scan(&whole, data, size), first;

	step = step < size ? step : size;
	first = belay__head_scan(&parts, data, step);
	if (first == 0)
		MUST(belay__head_scan(&parts, data, size) == n);
	else
		MUST(first == n);
	MUST(n <= (ssize_t)size);
	return n;
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

/* Decodes in steps, to out; how much of data was used, or -EBADMSG. */
static ssize_t decode(struct belay__message *msg, const char *data, size_t size, size_t step,
		      char *out, size_t *produced)
{
	size_t used = 0;

	*produced = 0;
	while (used < size && !msg->done) {
		size_t most = size - used < step ? size - used : step, n;
		ssize_t r = belay__message_body(msg, data + used, most, out + *produced, &n);

		if (r < 0)
			return r;
		MUST((size_t)r <= most && n <= (size_t)r && (r == (ssize_t)most || msg->done));
		used += (size_t)r;
		*produced += n;
	}
	return (ssize_t)used;
}

static void check_chunks(const char *data, size_t size, const char *out, size_t produced)
{
	struct plain p = {data, data + size};
	char *plain = malloc(size + 1);
	size_t n;

	MUST(plain && chunks(&p, plain, &n));
	MUST(p.at == p.end && n == produced && memcmp(plain, out, n) == 0);
	free(plain);
}

/* How much of data is the body; -EBADMSG: it is broken, or more is to come. */
static ssize_t body(struct belay__message *msg, const char *data, size_t size, size_t step)
{
	char *out = malloc(size + 1);
	size_t produced;
	ssize_t used;

	MUST(out != NULL);
	used = decode(msg, data, size, step, out, &produced);
	if (used >= 0 && !msg->chunked)
		MUST(produced == (size_t)used && produced <= msg->length &&
		     memcmp(out, data, produced) == 0 && msg->done == (produced == msg->length));
	else if (used >= 0 && msg->done)
		check_chunks(data, (size_t)used, out, produced);
	free(out);
	return used >= 0 && msg->done ? used : -EBADMSG;
}

/* ---- One after the other --------------------------------------------------------------------- */

/* How much of data the request takes; 0: it is the last. */
static size_t request(struct belay_request *req, const char *data, size_t size, size_t step)
{
	struct belay__message msg;
	ssize_t head = scan(data, size, step), n = 0;
	int r;

	if (head <= 0)
		return 0;
	belay__request_reset(req);
	r = belay__message_head(&msg, req, MOST_HEADERS, data, (size_t)head);
	MUST(r == 0 || r == -EBADMSG || r == -E2BIG || r == -EPROTONOSUPPORT || r == -EOPNOTSUPP);
	if (r < 0)
		return 0;
	check_head(&msg, req, data, (size_t)head);
	if (!msg.done)
		n = body(&msg, data + head, size - (size_t)head, step);
	return n < 0 ? 0 : (size_t)(head + n);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	size_t step = 1 + fuzz_byte(&in), used = 1;
	struct belay_request req = {0};

	for (int i = 0; i < MOST_REQUESTS && used > 0 && in.size > 0; i++) {
		/* Of its own size: what stands behind it is nobody's to read. */
		char *text = malloc(in.size);

		MUST(text != NULL);
		memcpy(text, in.data, in.size);
		used = request(&req, text, in.size, step);
		free(text);
		in.data += used;
		in.size -= used;
	}
	belay__request_fini(&req);
}
