/* SPDX-License-Identifier: MIT
 *
 * client_reply.c - one exchange, between the driver that fills it and the caller who empties it.
 *
 * State       head gathering -> head whole -> finished. finished comes once, from whoever is first:
 *             the driver (the transfer is over), the hook (the exchange's context is done), the
 *             client's close. Later ones change nothing.
 * Invariants  (1) No more than MOST bytes wait in the body, besides the write that passed it.
 *             (2) Where curl is paused the body is not empty or the reader has asked to go on.
 * Waiting     Whoever changes the state puts a token into event, which has room for one; the caller
 *             looks, then takes a token, then looks again. A token too many costs one look.
 * Locking     reply->lock; given back before event is touched.
 */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 64 << 10, FIRST_ROOM = 4 << 10 };

/* ---- References ------------------------------------------------------------------------------ */

static void reply_free(belay_http_reply *reply)
{
	curl_easy_cleanup(reply->easy);
	curl_slist_free_all(reply->headers);
	curl_slist_free_all(reply->addresses);
	belay__reply_head_fini(&reply->head);
	belay__free(reply->body);
	belay__free(reply->url);
	belay_chan_unref(reply->event);
	belay__client_unref(reply->client);
	belay__free(reply);
}

int belay__reply_new(belay_http_client *client, belay_http_reply **ret)
{
	belay_http_reply *reply = belay__calloc(1, sizeof *reply);

	if (!reply)
		return -ENOMEM;
	atomic_init(&reply->references, 1);
	reply->client = belay__client_ref(client);
	reply->event = belay_chan_new(0, 1);
	reply->easy = curl_easy_init();
	if (!reply->event || !reply->easy) {
		reply_free(reply);
		return -ENOMEM;
	}
	*ret = reply;
	return 0;
}

/* Relaxed: whoever hands a reference on has one, and hands it on under a lock. */
belay_http_reply *belay__reply_ref(belay_http_reply *reply)
{
	atomic_fetch_add_explicit(&reply->references, 1, memory_order_relaxed);
	return reply;
}

/* Release, and acquire by the last: what each holder did with it comes before the free. */
void belay__reply_unref(belay_http_reply *reply)
{
	if (atomic_fetch_sub_explicit(&reply->references, 1, memory_order_acq_rel) == 1)
		reply_free(reply);
}

/* ---- The end of an exchange ------------------------------------------------------------------ */

static void wake(belay_http_reply *reply)
{
	belay_try_send(reply->event, NULL);
}

bool belay__reply_is_finished(belay_http_reply *reply)
{
	bool finished;

	belay__client_lock(&reply->lock);
	finished = reply->finished;
	belay__client_unlock(&reply->lock);
	return finished;
}

static void set_result(belay_http_reply *reply, int result, const char *text)
{
	reply->finished = true;
	reply->result = result;
	if (text)
		snprintf(reply->text, sizeof reply->text, "%s", text);
}

void belay__reply_finish(belay_http_reply *reply, int result, const char *text)
{
	belay__client_lock(&reply->lock);
	if (!reply->finished)
		set_result(reply, result, text);
	belay__client_unlock(&reply->lock);
	wake(reply);
}

/* The exchange's context has a deadline of its own only where the client's time-out comes first. */
int belay__exchange_error(const belay_ctx *ctx, const char **text)
{
	belay_cause cause;

	if (belay_cause_of(ctx, &cause) < 0)
		return 0;
	if (text)
		*text = cause.message;
	if (belay_err(ctx) == -ETIME && cause.levels_up == 0)
		return -ETIMEDOUT;
	return belay_err(ctx);
}

/* What had arrived of the body is no longer handed out: from now on there is the error. */
static void on_context_done(struct belay_hook *hook)
{
	belay_http_reply *reply = belay__container(hook, belay_http_reply, hook);
	const char *text = NULL;
	int err = belay__exchange_error(reply->hooked, &text);
	bool cut;

	belay__client_lock(&reply->lock);
	cut = !reply->finished;
	if (cut) {
		set_result(reply, err, text);
		reply->body_start = reply->body_end = 0;
	}
	belay__client_unlock(&reply->lock);
	if (!cut)
		return;
	belay__driver_ask(reply, BELAY__OP_REMOVE);
	wake(reply);
}

/* ---- What curl hands over -------------------------------------------------------------------- */

static size_t give_up(belay_http_reply *reply, int err)
{
	reply->failure = err;
	return 0;
}

size_t belay__reply_on_head(char *line, size_t one, size_t size, void *arg)
{
	belay_http_reply *reply = arg;
	bool whole;
	int err;

	(void)one;
	belay__client_lock(&reply->lock);
	err = belay__reply_head_line(&reply->head, line, size);
	whole = reply->head.whole;
	belay__client_unlock(&reply->lock);
	if (err)
		return size == 0 ? 0 : give_up(reply, err);
	if (whole)
		wake(reply);
	return size;
}

/* Moves what is there to the front, then makes room for size more. */
static int body_reserve(belay_http_reply *reply, size_t size)
{
	size_t used = reply->body_end - reply->body_start;
	size_t room = reply->body_room ? reply->body_room : FIRST_ROOM;
	char *body;

	if (reply->body_end + size <= reply->body_room)
		return 0;
	if (used > 0)
		memmove(reply->body, reply->body + reply->body_start, used);
	reply->body_start = 0;
	reply->body_end = used;
	while (room < used + size)
		room *= 2;
	if (room == reply->body_room)
		return 0;
	body = belay__realloc(reply->body, room);
	if (!body)
		return -ENOMEM;
	reply->body = body;
	reply->body_room = room;
	return 0;
}

/* 0; 1: no room until the caller reads; -ENOMEM. What comes after the end is dropped. */
static int body_append(belay_http_reply *reply, const char *bytes, size_t size)
{
	if (reply->finished)
		return 0;
	if (reply->body_end - reply->body_start >= MOST) {
		reply->paused = true;
		return 1;
	}
	if (body_reserve(reply, size) < 0)
		return -ENOMEM;
	memcpy(reply->body + reply->body_end, bytes, size);
	reply->body_end += size;
	return 0;
}

size_t belay__reply_on_body(char *bytes, size_t one, size_t size, void *arg)
{
	belay_http_reply *reply = arg;
	int r;

	(void)one;
	belay__client_lock(&reply->lock);
	r = body_append(reply, bytes, size);
	belay__client_unlock(&reply->lock);
	if (r < 0)
		return give_up(reply, r);
	if (r > 0)
		return CURL_WRITEFUNC_PAUSE;
	wake(reply);
	return size;
}

/* ---- The caller's side ----------------------------------------------------------------------- */

int belay__reply_submit(belay_ctx *ctx, belay_http_reply *reply)
{
	reply->hooked = ctx;
	if (!belay_hook_add(ctx, &reply->hook, on_context_done))
		return belay__exchange_error(ctx, NULL);
	if (!belay__driver_ask(reply, BELAY__OP_ADD))
		return -ESHUTDOWN;
	return 0;
}

/* A head that is whole is a reply, even where the rest of the transfer has failed by now: the
 * body's reader will be told, however the two raced. */
static bool head_is_decided(belay_http_reply *reply, int *ret)
{
	bool decided;

	belay__client_lock(&reply->lock);
	decided = reply->head.whole || reply->finished;
	*ret = reply->head.whole ? 0 : reply->result ? reply->result : -EPROTO;
	belay__client_unlock(&reply->lock);
	return decided;
}

int belay__reply_await_head(belay_ctx *ctx, belay_http_reply *reply)
{
	int result, err = 0;

	for (;;) {
		if (err || belay_err(ctx))
			return belay_err(ctx) ? belay__exchange_error(ctx, NULL) : err;
		if (head_is_decided(reply, &result))
			return result;
		err = belay_recv(ctx, reply->event, NULL);
	}
}

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
	*ret_go_on = reply->paused && used <= MOST / 2;
	if (*ret_go_on)
		reply->paused = false;
	*ret_end = size == 0 && reply->finished;
	return size;
}

/* ---- Public ---------------------------------------------------------------------------------- */

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
