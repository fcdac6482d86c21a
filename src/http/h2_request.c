/* SPDX-License-Identifier: MIT
 *
 * h2_request.c - the fields of a HEADERS frame make a request.
 *
 * What RFC 9113, section 8, says of a request's form nghttp2 has checked: which pseudo-header
 * fields there are and where, that no field is one of a connection's, that names are in lower
 * case. What is left is what the server asks of every request, and that a request has the same
 * parts by whichever protocol it has come: :authority is its Host, and crumbs of cookies are one
 * Cookie (section 8.2.3).
 *
 * A request that is refused is answered by its task as any other; its remaining fields are thrown
 * away, but decoded, since the next request's may refer to them.
 */
#include "http/h2.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIELD_COST = 32 }; /* RFC 9113, section 6.5.2 */

static void refuse(struct belay__h2_stream *s, int err)
{
	if (s->refused == 0)
		s->refused = err;
}

static bool is(const uint8_t *name, size_t size, const char *text)
{
	return size == strlen(text) && memcmp(name, text, size) == 0;
}

/* CONNECT asks for a tunnel, which there is none of. */
static int set_method(struct belay__h2_stream *s, const uint8_t *value, size_t size)
{
	if (size >= sizeof s->method || is(value, size, "CONNECT"))
		return -EBADMSG;
	memcpy(s->method, value, size);
	s->method[size] = '\0';
	s->req.method = s->method;
	s->res.head_only = is(value, size, "HEAD");
	return 0;
}

static int add(struct belay__h2_stream *s, const void *name, size_t name_size, const void *value,
	       size_t value_size)
{
	return belay__headers_add(&s->req.headers, name, name_size, value, value_size);
}

static int set_pseudo(struct belay__h2_stream *s, const uint8_t *name, size_t name_size,
		      const uint8_t *value, size_t size)
{
	if (is(name, name_size, ":method"))
		return set_method(s, value, size);
	if (is(name, name_size, ":path"))
		return belay__request_set_target(&s->req, (const char *)value, size);
	if (is(name, name_size, ":authority"))
		return add(s, "host", 4, value, size);
	return 0;
}

/* One that is :authority once more is passed over; another one is malformed (section 8.3.1). */
static int add_host(struct belay__h2_stream *s, const uint8_t *value, size_t size)
{
	const char *host = belay__headers_get(&s->req.headers, "host");

	if (!host)
		return add(s, "host", 4, value, size);
	return is(value, size, host) ? 0 : -EBADMSG;
}

static int add_field(struct belay__h2_stream *s, const uint8_t *name, size_t name_size,
		     const uint8_t *value, size_t size)
{
	if (s->req.headers.count - s->crumbs >= s->h2->server->options.headers)
		return -E2BIG;
	if (!belay__is_token((const char *)name, name_size) ||
	    !belay__is_field_value((const char *)value, size))
		return -EBADMSG;
	if (is(name, name_size, "host"))
		return add_host(s, value, size);
	s->seen_priority |= is(name, name_size, "priority");
	if (is(name, name_size, "cookie"))
		s->crumbs += belay__headers_get(&s->req.headers, "cookie") != NULL;
	return add(s, name, name_size, value, size);
}

void belay__h2_field(struct belay__h2_stream *s, const uint8_t *name, size_t name_size,
		     const uint8_t *value, size_t value_size)
{
	int r;

	s->fields_size += name_size + value_size + FIELD_COST;
	if (s->fields_size > s->h2->server->options.header_size)
		refuse(s, -E2BIG);
	if (s->refused)
		return;
	r = name_size > 0 && *name == ':' ? set_pseudo(s, name, name_size, value, value_size)
					  : add_field(s, name, name_size, value, value_size);
	if (r < 0)
		refuse(s, r);
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* Crumbs, into which a client may break its cookies. */
static int join_cookies(struct belay__h2_stream *s)
{
	struct belay__headers *headers = &s->req.headers;
	char *text;
	int r;

	if (s->crumbs == 0)
		return 0;
	r = belay__headers_join(headers, "cookie", "; ", &text);
	if (r == 0)
		r = belay__headers_set(headers, "cookie", text);
	belay__free(text);
	return r;
}

static int check_host(struct belay__h2_stream *s)
{
	const char *host = belay__headers_get(&s->req.headers, "host");

	return host && belay__is_host(host) ? 0 : -EBADMSG;
}

/* nghttp2 has seen that it is a number, and will see that the body is as long. */
static void check_length(struct belay__h2_stream *s)
{
	const char *length = belay__headers_get(&s->req.headers, "content-length");

	if (length && strtoull(length, NULL, 10) > s->h2->server->options.body_size)
		s->req.failed = s->in_failed = -EMSGSIZE;
}

static int check_expectation(struct belay__h2_stream *s)
{
	const char *expect = belay__headers_get(&s->req.headers, "expect");

	if (expect && !belay__same_name(expect, "100-continue"))
		return -EOPNOTSUPP;
	s->wants_continue = expect && !s->in_done;
	return 0;
}

void belay__h2_fields_end(struct belay__h2_stream *s)
{
	int r = s->req.method && s->req.line ? check_host(s) : -EBADMSG;

	if (r == 0)
		r = join_cookies(s);
	if (r == 0)
		r = check_expectation(s);
	if (r < 0)
		refuse(s, r);
	check_length(s);
}
