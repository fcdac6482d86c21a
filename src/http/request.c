/* SPDX-License-Identifier: MIT
 *
 * request.c - what a handler may ask of a request.
 *
 * Memory      of the target and the headers is kept from one request to the next on a connection; a
 *             collected body is given back with its request.
 * Errors      of the body's source stick, so that no code that tries again reads past a hole. A
 *             context's does not: it belongs to the one call.
 */
#include "http/request.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

enum { FIRST_BODY = 4096 };

/* ---- For the neighbours ---------------------------------------------------------------------- */

void belay__request_reset(struct belay_request *req)
{
	size_t kept = offsetof(struct belay_request, method);

	belay__free(req->body);
	belay__clear((char *)req + kept, sizeof *req - kept);
	belay__headers_clear(&req->headers);
}

void belay__request_fini(struct belay_request *req)
{
	belay__free(req->body);
	belay__free(req->line);
	belay__headers_fini(&req->headers);
	belay__target_fini(&req->target);
}

int belay__request_set_target(struct belay_request *req, const char *text, size_t size)
{
	if (memchr(text, '\0', size))
		return -EBADMSG;
	if (size >= req->line_room) {
		char *line = belay__realloc(req->line, size + 1);

		if (!line)
			return -ENOMEM;
		req->line = line;
		req->line_room = size + 1;
	}
	memcpy(req->line, text, size);
	req->line[size] = '\0';
	return belay__target_parse(&req->target, req->line);
}

/* ---- Reading a body -------------------------------------------------------------------------- */

static ssize_t read_some(belay_ctx *ctx, belay_request *req, void *buf, size_t size)
{
	int r = belay_err(ctx);
	ssize_t n;

	if (r == 0)
		r = req->failed;
	if (r < 0 || size == 0 || !req->source)
		return r;
	n = req->source->read(ctx, req->source, buf, size);
	if (n < 0 && n != belay_err(ctx))
		req->failed = (int)n;
	req->received += n > 0 ? (uint64_t)n : 0;
	return n;
}

/* Room for one more byte besides the NUL at the end. */
static int reserve(belay_request *req)
{
	size_t room = req->body_room ? 2 * req->body_room : FIRST_BODY;
	char *body;

	if (req->body_size + 1 < req->body_room)
		return 0;
	body = belay__realloc(req->body, room);
	if (!body)
		return -ENOMEM;
	req->body = body;
	req->body_room = room;
	return 0;
}

/* What it has by the time of an error stays for the next call. */
static int collect(belay_ctx *ctx, belay_request *req)
{
	ssize_t n = 1;

	while (n > 0) {
		int r = reserve(req);

		if (r < 0)
			return r;
		n = read_some(ctx, req, req->body + req->body_size,
			      req->body_room - req->body_size - 1);
		req->body_size += n > 0 ? (size_t)n : 0;
	}
	req->body[req->body_size] = '\0';
	req->collected = n == 0;
	return (int)n;
}

/* ---- The public face ------------------------------------------------------------------------- */

const char *belay_request_method(const belay_request *req)
{
	return req->method;
}

const char *belay_request_target(const belay_request *req)
{
	return req->line;
}

const char *belay_request_path(const belay_request *req)
{
	return req->target.path;
}

const char *belay_request_param(const belay_request *req, const char *name)
{
	for (unsigned i = 0; i < req->param_count; i++)
		if (strcmp(req->params[i].name, name) == 0)
			return req->params[i].value;
	return NULL;
}

const char *belay_request_query(const belay_request *req, const char *name)
{
	for (size_t i = 0; i < req->target.query_count; i++)
		if (strcmp(req->target.query[i].name, name) == 0)
			return req->target.query[i].value;
	return NULL;
}

bool belay_request_query_at(const belay_request *req, size_t index, const char **ret_name,
			    const char **ret_value)
{
	if (index >= req->target.query_count)
		return false;
	*ret_name = req->target.query[index].name;
	*ret_value = req->target.query[index].value;
	return true;
}

const char *belay_request_header(const belay_request *req, const char *name)
{
	return belay__headers_get(&req->headers, name);
}

bool belay_request_header_at(const belay_request *req, size_t index, const char **ret_name,
			     const char **ret_value)
{
	if (index >= req->headers.count)
		return false;
	*ret_name = belay__headers_name(&req->headers, index);
	*ret_value = belay__headers_value(&req->headers, index);
	return true;
}

const char *belay_request_route(const belay_request *req)
{
	return req->route;
}

const char *belay_request_remote(const belay_request *req)
{
	return req->remote;
}

const char *belay_request_protocol(const belay_request *req)
{
	return req->protocol;
}

bool belay_request_is_secure(const belay_request *req)
{
	return req->conn && belay_conn_is_secure(req->conn);
}

const char *belay_request_peer_subject(const belay_request *req)
{
	return req->conn ? belay_conn_peer_subject(req->conn) : NULL;
}

void *belay_request_data(const belay_request *req)
{
	return req->data;
}

ssize_t belay_request_read(belay_ctx *ctx, belay_request *req, void *buf, size_t size)
{
	ssize_t n = req->body_size > 0 || req->collected ? -EINVAL : read_some(ctx, req, buf, size);

	req->touched |= n > 0;
	return n;
}

int belay_request_body(belay_ctx *ctx, belay_request *req, const char **ret, size_t *ret_size)
{
	int r = belay_err(ctx);

	if (r == 0 && !req->collected)
		r = req->touched ? -EINVAL : collect(ctx, req);
	if (r < 0)
		return r;
	*ret = req->body;
	if (ret_size)
		*ret_size = req->body_size;
	return 0;
}
