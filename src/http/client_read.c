/* SPDX-License-Identifier: MIT
 *
 * client_read.c - a reply as its caller sees it: status, headers, body, end.
 *
 * One caller at a time. Curl, which waits where the body has no more room, is told to go on once
 * half of it has been read: seldom, and before the rest is used up.
 */
#include "client.h"

#include <errno.h>
#include <string.h>

enum { GO_ON_BELOW = BELAY__BODY_MOST / 2, FIRST_ROOM = 4 << 10 };

/* Takes up to size bytes, and notes where curl may go on. A count; 0 and *ret_end: nothing will
 * come; 0: nothing there yet. */
static size_t body_take(belay_http_reply *reply, void *buf, size_t size, bool *ret_go_on,
			bool *ret_end)
{
	size_t used = reply->body_end - reply->body_start;

	if (size > used)
		size = used;
	if (size > 0)
		memcpy(buf, reply->body + reply->body_start, size);
	reply->body_start += size;
	used -= size;
	*ret_go_on = reply->paused && used <= GO_ON_BELOW;
	if (*ret_go_on)
		reply->paused = false;
	*ret_end = size == 0 && reply->finished;
	return size;
}

/* ---- Public ---------------------------------------------------------------------------------- */

int belay_http_reply_await(belay_ctx *ctx, belay_http_reply *reply)
{
	int err = belay_err(ctx), result;

	for (;;) {
		if (err)
			return err;
		if (belay_err(reply->ctx))
			return belay__exchange_error(reply->ctx, NULL);
		if (belay__reply_head_is_decided(reply, &result))
			return result;
		err = belay_recv(ctx, reply->event, NULL);
	}
}

ssize_t belay_http_reply_read(belay_ctx *ctx, belay_http_reply *reply, void *buf, size_t size)
{
	int err = belay_err(ctx);

	if (err || size == 0)
		return err;
	for (;;) {
		bool go_on, end;
		size_t n;

		belay__client_lock(&reply->lock);
		n = body_take(reply, buf, size, &go_on, &end);
		err = reply->result;
		belay__client_unlock(&reply->lock);
		if (go_on)
			belay__driver_ask(reply, BELAY__OP_CONTINUE);
		if (n > 0)
			return (ssize_t)n;
		if (end)
			return err;
		err = belay_recv(ctx, reply->event, NULL);
		if (err)
			return err;
	}
}

/* Doubles *data's room up to limit and a byte, so that one too many is seen. */
static int grow(char **data, size_t *room, size_t limit)
{
	size_t larger = *room ? 2 * *room : FIRST_ROOM;
	char *moved;

	if (larger > limit)
		larger = limit + 1;
	moved = belay__realloc(*data, larger + 1);
	if (!moved)
		return -ENOMEM;
	*data = moved;
	*room = larger;
	return 0;
}

static int read_all(belay_ctx *ctx, belay_http_reply *reply, size_t limit, char **data,
		    size_t *size)
{
	size_t room = 0;

	for (;;) {
		ssize_t n;
		int err;

		if (*size == room && (err = grow(data, &room, limit)))
			return err;
		n = belay_http_reply_read(ctx, reply, *data + *size, room - *size);
		if (n <= 0)
			return (int)n;
		*size += (size_t)n;
		if (*size > limit)
			return -EMSGSIZE;
	}
}

int belay_http_reply_read_all(belay_ctx *ctx, belay_http_reply *reply, size_t limit,
			      char **ret_data, size_t *ret_size)
{
	char *data = NULL;
	size_t size = 0;
	int err;

	if (limit > SIZE_MAX / 4)
		limit = SIZE_MAX / 4;
	err = read_all(ctx, reply, limit, &data, &size);
	if (err) {
		belay__free(data);
		return err;
	}
	data[size] = '\0';
	*ret_data = data;
	if (ret_size)
		*ret_size = size;
	return 0;
}

int belay_http_reply_status(const belay_http_reply *reply)
{
	return reply->head.status;
}

unsigned belay_http_reply_attempts(const belay_http_reply *reply)
{
	return reply->attempts;
}

const char *belay_http_reply_url(const belay_http_reply *reply)
{
	return reply->url;
}

const char *belay_http_reply_header(const belay_http_reply *reply, const char *name)
{
	return belay__headers_get(&reply->head.headers, name);
}

bool belay_http_reply_header_at(const belay_http_reply *reply, size_t i,
				struct belay_http_header *ret)
{
	const struct belay__headers *headers = &reply->head.headers;

	if (i >= headers->count)
		return false;
	ret->name = belay__headers_name(headers, i);
	ret->value = belay__headers_value(headers, i);
	return true;
}

/* The text is constant once finished. The lock is no part of what callers see as constant. */
const char *belay_http_reply_error(const belay_http_reply *reply)
{
	belay_http_reply *mutable = belay__container(&reply->text, belay_http_reply, text);

	return belay__reply_is_finished(mutable) ? reply->text : "";
}

/* The hook first: it uses the reply and the context. */
void belay_http_reply_end(belay_http_reply *reply)
{
	if (!reply)
		return;
	if (reply->hooked)
		belay_hook_remove(&reply->hook);
	if (!belay__reply_is_finished(reply))
		belay__driver_ask(reply, BELAY__OP_REMOVE);
	belay_end(reply->ctx);
	belay__reply_unref(reply);
}
