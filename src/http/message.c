/* SPDX-License-Identifier: MIT
 *
 * message.c - a request as it stands on the wire.
 *
 * llhttp parses; the rules that decide where a message ends are checked here once more on what it
 * parsed, since a proxy in front may be of another opinion (RFC 9112, section 6.3): one
 * Content-Length of digits alone, or a Transfer-Encoding of "chunked" alone, in HTTP/1.1 alone,
 * never both.
 *
 * States      head: all of it is given to llhttp at once, so that each of its spans is one piece.
 *             body: fed as it comes, no more than the reader has room for, since decoding never
 *             makes it longer. done: llhttp is paused at the last byte, and the rest is the next
 *             request's.
 */
#include "http/message.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

/* What chunks' sizes, extensions and trailers may take, besides so much for each byte of body: a
 * chunk of one byte takes 5. */
enum { MOST_OVERHEAD = 65536, OVERHEAD_PER_BYTE = 8 };

static struct belay__message *of(llhttp_t *parser)
{
	return parser->data;
}

/* ---- What llhttp calls ----------------------------------------------------------------------- */

/* A part may be told in pieces, which stand side by side in the head. */
static void extend(const char **part, size_t *size, const char *at, size_t length)
{
	if (!*part)
		*part = at;
	*size = (size_t)(at + length - *part);
}

static int on_target(llhttp_t *parser, const char *at, size_t length)
{
	extend(&of(parser)->target, &of(parser)->target_size, at, length);
	return 0;
}

/* Trailers are parsed and thrown away: none is worth the confusion with headers. */
static int on_name(llhttp_t *parser, const char *at, size_t length)
{
	if (!of(parser)->head_done)
		extend(&of(parser)->name, &of(parser)->name_size, at, length);
	return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t length)
{
	if (!of(parser)->head_done)
		extend(&of(parser)->value, &of(parser)->value_size, at, length);
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void trim(struct belay__message *msg)
{
	while (msg->value_size > 0 && is_blank(msg->value[0])) {
		msg->value++;
		msg->value_size--;
	}
	while (msg->value_size > 0 && is_blank(msg->value[msg->value_size - 1]))
		msg->value_size--;
}

static int add_header(struct belay__message *msg)
{
	if (msg->req->headers.count >= msg->most_headers)
		return -E2BIG;
	trim(msg);
	if (!belay__is_token(msg->name, msg->name_size) ||
	    !belay__is_field_value(msg->value, msg->value_size))
		return -EBADMSG;
	return belay__headers_add(&msg->req->headers, msg->name, msg->name_size,
				  msg->value_size ? msg->value : "", msg->value_size);
}

static int on_header_complete(llhttp_t *parser)
{
	struct belay__message *msg = of(parser);

	if (!msg->head_done)
		msg->error = add_header(msg);
	msg->name = msg->value = NULL;
	msg->name_size = msg->value_size = 0;
	return msg->error ? -1 : 0;
}

/* The flags are gone when llhttp returns. An upgrade is never taken up, so the body is read as
 * ever. */
static int on_head_complete(llhttp_t *parser)
{
	struct belay__message *msg = of(parser);

	msg->head_done = true;
	msg->keep_alive = llhttp_should_keep_alive(parser);
	msg->length = parser->content_length;
	parser->upgrade = 0;
	return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
	struct belay__message *msg = of(parser);

	memcpy(msg->out + msg->produced, at, length);
	msg->produced += length;
	return 0;
}

static int on_done(llhttp_t *parser)
{
	of(parser)->done = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_target,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_header_value_complete = on_header_complete,
	.on_headers_complete = on_head_complete,
	.on_body = on_body,
	.on_message_complete = on_done,
};

/* ---- The rules ------------------------------------------------------------------------------- */

/* The request line has two spaces and ends in "HTTP/1.0" or "HTTP/1.1": llhttp takes more of the
 * former, and knows other protocols too. */
static int check_line(const char *data, size_t size)
{
	const char *end = memchr(data, '\r', size);
	const char *version = end && end - data > 9 ? end - 9 : NULL;
	const char *space = version ? memchr(data, ' ', (size_t)(version - data)) : NULL;

	if (!space || space + 1 == version || memchr(space + 1, ' ', (size_t)(version - space - 1)))
		return -EBADMSG;
	if (memcmp(version, " HTTP/", 6) != 0 || version[7] != '.')
		return -EBADMSG;
	if (version[6] != '1' || (version[8] != '0' && version[8] != '1'))
		return -EPROTONOSUPPORT;
	return 0;
}

static int check_host(const struct belay__message *msg)
{
	const struct belay__headers *headers = &msg->req->headers;
	size_t at = belay__headers_find(headers, "host", 0);

	if (at == headers->count)
		return msg->minor > 0 ? -EBADMSG : 0;
	return belay__is_host(belay__headers_value(headers, at)) &&
			       belay__headers_find(headers, "host", at + 1) == headers->count
		       ? 0
		       : -EBADMSG;
}

static int set_host(struct belay__headers *headers, const char *text, size_t size)
{
	char *host = belay__malloc(size + 1);
	int r;

	if (!host)
		return -ENOMEM;
	memcpy(host, text, size);
	host[size] = '\0';
	r = belay__is_host(host) ? belay__headers_set(headers, "Host", host) : -EBADMSG;
	belay__free(host);
	return r;
}

/* RFC 9112, section 3.2.2: where the target has an authority that counts, whatever Host says. */
static int heed_authority(struct belay__message *msg)
{
	struct belay__headers *headers = &msg->req->headers;
	size_t size;
	const char *authority = belay__target_authority(msg->req->line, &size);

	if (!authority || !belay__headers_get(headers, "host"))
		return 0;
	return set_host(headers, authority, size);
}

static int check_coding(struct belay__message *msg, const char *coding)
{
	if (msg->minor == 0 || !belay__same_name(coding, "chunked") ||
	    belay__headers_count(&msg->req->headers, "transfer-encoding") > 1)
		return -EBADMSG;
	msg->chunked = true;
	return 0;
}

static int check_length(struct belay__message *msg)
{
	const struct belay__headers *headers = &msg->req->headers;
	const char *coding = belay__headers_get(headers, "transfer-encoding");
	const char *length = belay__headers_get(headers, "content-length");

	if (coding)
		return length ? -EBADMSG : check_coding(msg, coding);
	if (!length) {
		msg->length = 0;
		return 0;
	}
	if (!*length || length[strspn(length, "0123456789")] != '\0' ||
	    belay__headers_count(headers, "content-length") > 1)
		return -EBADMSG;
	return 0;
}

/* RFC 9110, section 10.1.1: HTTP/1.0 can't wait for it. */
static int check_expectation(struct belay__message *msg)
{
	const char *expect = belay__headers_get(&msg->req->headers, "expect");

	if (!expect || msg->minor == 0)
		return 0;
	if (!belay__same_name(expect, "100-continue"))
		return -EOPNOTSUPP;
	msg->wants_continue = !msg->done;
	return 0;
}

static int check(struct belay__message *msg)
{
	int r = check_host(msg);

	if (r == 0)
		r = heed_authority(msg);
	if (r == 0)
		r = check_length(msg);
	if (r == 0)
		r = check_expectation(msg);
	if (r == 0 && msg->parser.method == HTTP_CONNECT)
		r = -EBADMSG;
	if (r == 0 && !msg->chunked && msg->length > 0 && msg->done)
		r = -EBADMSG;
	return r;
}

/* ---- For the neighbours ---------------------------------------------------------------------- */

static int parse(struct belay__message *msg, const char *data, size_t size)
{
	llhttp_errno_t error = llhttp_execute(&msg->parser, data, size);

	if (msg->error)
		return msg->error;
	if (!msg->head_done || (error != HPE_OK && !msg->done))
		return -EBADMSG;
	msg->req->method = llhttp_method_name(msg->parser.method);
	msg->minor = msg->parser.http_minor;
	msg->req->protocol = msg->minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
	return belay__request_set_target(msg->req, msg->target, msg->target_size);
}

int belay__message_head(struct belay__message *msg, struct belay_request *req,
			unsigned most_headers, const char *data, size_t size)
{
	size_t behind = offsetof(struct belay__message, req); /* the parser, which clears itself */
	int r = check_line(data, size);

	belay__clear((char *)msg + behind, sizeof *msg - behind);
	msg->req = req;
	msg->most_headers = most_headers;
	llhttp_init(&msg->parser, HTTP_REQUEST, &settings);
	msg->parser.data = msg;
	if (r == 0)
		r = parse(msg, data, size);
	return r == 0 ? check(msg) : r;
}

/* The last line of a chunked body ends in CRLF: llhttp takes a line feed alone. */
static bool ends_well(const struct belay__message *msg, const char *data, size_t used)
{
	char before = used > 1 ? data[used - 2] : msg->last;

	return !msg->done || !msg->chunked || before == '\r';
}

ssize_t belay__message_body(struct belay__message *msg, const char *data, size_t size, char *out,
			    size_t *ret)
{
	size_t used = size;
	llhttp_errno_t error;

	msg->out = out;
	msg->produced = 0;
	error = llhttp_execute(&msg->parser, data, size);
	if (error == HPE_PAUSED && msg->done)
		used = (size_t)(llhttp_get_error_pos(&msg->parser) - data);
	else if (error != HPE_OK)
		return -EBADMSG;
	if (used > 0 && !ends_well(msg, data, used))
		return -EBADMSG;
	msg->last = used > 0 ? data[used - 1] : msg->last;
	msg->body_size += msg->produced;
	msg->overhead += used - msg->produced;
	if (msg->overhead > MOST_OVERHEAD + OVERHEAD_PER_BYTE * msg->body_size)
		return -EBADMSG;
	*ret = msg->produced;
	return (ssize_t)used;
}
