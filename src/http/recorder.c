/* SPDX-License-Identifier: MIT
 *
 * recorder.c - a made-up request and what was answered to it, without a socket.
 *
 * The request's body and the response's sink stand in memory; everything between them is what the
 * server runs. Nobody waits behind a recorder: where the context is done, nothing is written for
 * it.
 */
#include "http/router.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

struct belay_recorder {
	struct belay_request req;
	struct belay_response res;

	struct belay__source source; /* of the body, body[at..size) */
	char *body;
	size_t at, size;

	struct belay__sink sink;
	char *text;                  /* what came out of the response */
	size_t text_size, text_room;
	unsigned flushes;
	char method[];
};

/* ---- Both ends ------------------------------------------------------------------------------- */

static ssize_t read_body(belay_ctx *ctx, struct belay__source *source, void *buf, size_t size)
{
	struct belay_recorder *rec = (struct belay_recorder *)(void *)(
		(char *)source - offsetof(struct belay_recorder, source));
	size_t n = rec->size - rec->at < size ? rec->size - rec->at : size;

	if (n > 0)
		memcpy(buf, rec->body + rec->at, n);
	rec->at += n;
	return (ssize_t)n;
}

/* Room for more and the NUL behind it. */
static int reserve(struct belay_recorder *rec, size_t more)
{
	size_t room = rec->text_size + more + 1;
	char *text;

	if (room <= rec->text_room)
		return 0;
	text = belay__realloc(rec->text, 2 * room);
	if (!text)
		return -ENOMEM;
	rec->text = text;
	rec->text_room = 2 * room;
	return 0;
}

static int record(belay_ctx *ctx, struct belay__sink *sink, struct belay_response *res,
		  const void *data, size_t size, enum belay__part part)
{
	struct belay_recorder *rec = (struct belay_recorder *)(void *)(
		(char *)sink - offsetof(struct belay_recorder, sink));
	int r = reserve(rec, size);

	if (r < 0)
		return r;
	if (size > 0 && !res->head_only)
		memcpy(rec->text + rec->text_size, data, size);
	rec->text_size += res->head_only ? 0 : size;
	rec->text[rec->text_size] = '\0';
	rec->flushes += part == BELAY__PART_FLUSH;
	return 0;
}

/* ---- Serving --------------------------------------------------------------------------------- */

/* What was written is taken over also where the handler failed behind it; where it wrote nothing,
 * nothing is made of it. */
static int take(belay_ctx *ctx, belay_recorder *rec, int result)
{
	belay_ctx *live;
	int r;

	if (result < 0 && !rec->res.written)
		return result;
	live = belay_without_cancel(ctx);
	r = belay__response_finish(live, &rec->res);
	belay_end(live);
	return result < 0 ? result : r;
}

static int serve(belay_ctx *ctx, belay_recorder *rec, const belay_router *router)
{
	belay_ctx *own = belay_with_cancel(ctx);
	int r = belay__router_serve(own, router, &rec->req, &rec->res);

	belay_cancel_cause_at(own, -ECANCELED, NULL, "the handler has returned");
	belay_unref(own);
	return take(ctx, rec, r);
}

int belay_recorder_serve(belay_ctx *ctx, belay_recorder *rec, const belay_router *router)
{
	return rec->res.ended || rec->req.router ? -EALREADY : serve(ctx, rec, router);
}

/* A router without routes, whose own chain ends in the handler. */
int belay_recorder_run(belay_ctx *ctx, belay_recorder *rec, belay_handler *handler, void *data)
{
	struct belay_chain chain = {.handler = handler};
	const struct belay_router router = {.chain = &chain};
	int r;

	if (rec->res.ended || rec->req.router)
		return -EALREADY;
	rec->req.data = data;
	r = serve(ctx, rec, &router);
	rec->req.router = NULL;
	rec->res.ended = true;
	return r;
}

/* ---- Making ---------------------------------------------------------------------------------- */

static int set_up(struct belay_recorder *rec, const char *target)
{
	int r = belay__request_set_target(&rec->req, target, strlen(target));

	if (r == 0 && rec->req.target.count == 0 && strcmp(rec->method, "OPTIONS") != 0)
		r = -EBADMSG;
	return r == 0 ? reserve(rec, 0) : r;
}

belay_recorder *belay_recorder_new(const char *method, const char *target)
{
	size_t size = strlen(method) + 1;
	struct belay_recorder *rec;

	if (!belay__is_token(method, size - 1))
		return NULL;
	rec = belay__calloc(1, sizeof *rec + size);
	if (!rec)
		return NULL;
	rec->req.method = memcpy(rec->method, method, size);
	rec->req.remote = "recorder";
	rec->req.protocol = "HTTP/1.1";
	rec->source.read = read_body;
	rec->req.source = &rec->source;
	rec->sink.send = record;
	belay__response_init(&rec->res, &rec->sink);
	rec->res.head_only = strcmp(method, "HEAD") == 0;
	if (set_up(rec, target) < 0) {
		belay_recorder_free(rec);
		return NULL;
	}
	rec->text[0] = '\0';
	return rec;
}

void belay_recorder_free(belay_recorder *rec)
{
	if (!rec)
		return;
	belay__request_fini(&rec->req);
	belay__response_fini(&rec->res);
	belay__free(rec->body);
	belay__free(rec->text);
	belay__free(rec);
}

int belay_recorder_header(belay_recorder *rec, const char *name, const char *value)
{
	size_t name_size = strlen(name), value_size = strlen(value);

	if (!belay__is_token(name, name_size) || !belay__is_field_value(value, value_size))
		return -EINVAL;
	return belay__headers_add(&rec->req.headers, name, name_size, value, value_size);
}

int belay_recorder_body(belay_recorder *rec, const void *data, size_t size)
{
	char *body = belay__malloc(size + 1);

	if (!body)
		return -ENOMEM;
	if (size > 0)
		memcpy(body, data, size);
	belay__free(rec->body);
	rec->body = body;
	rec->size = size;
	rec->at = 0;
	return 0;
}

/* ---- What was answered ----------------------------------------------------------------------- */

int belay_recorder_status(const belay_recorder *rec)
{
	return rec->res.written || rec->text_size > 0 || belay_response_is_sent(&rec->res)
		       ? rec->res.status
		       : 0;
}

const char *belay_recorder_get_header(const belay_recorder *rec, const char *name)
{
	return belay__headers_get(&rec->res.headers, name);
}

const char *belay_recorder_get_body(const belay_recorder *rec, size_t *ret_size)
{
	if (ret_size)
		*ret_size = rec->text_size;
	return rec->text;
}

unsigned belay_recorder_flushes(const belay_recorder *rec)
{
	return rec->flushes;
}
