/* SPDX-License-Identifier: MIT
 *
 * client_reply.c - one exchange, between the driver that fills it and the caller who empties it.
 *
 * State       head gathering -> head whole -> finished. finished comes once, from whoever is first:
 *             the driver (the transfer is over), the hook (the exchange's context is done), the
 *             client's close. Later ones change nothing.
 * Invariants  (1) No more than BELAY__BODY_MOST bytes wait, besides the write that passed it; of a
 *                 body that curl decodes, decoded_most.
 *             (2) Where curl is paused the body is not empty or the reader has asked to go on.
 * Waiting     Whoever changes the state puts a token into event, which has room for one; the caller
 *             looks, then takes a token, then looks again. A token too many costs one look. Who
 *             writes the request's body meanwhile has a channel like it, upload.room.
 * Locking     reply->lock; given back before event is touched.
 */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_ROOM = 4 << 10 };

/* ---- References ------------------------------------------------------------------------------ */

static void reply_free(belay_http_reply *reply)
{
	curl_easy_cleanup(reply->easy);
	curl_slist_free_all(reply->headers);
	curl_slist_free_all(reply->addresses);
	belay__reply_head_fini(&reply->head);
	belay__upload_fini(&reply->upload);
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
	belay__upload_wake(&reply->upload);
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
	if (whole) {
		wake(reply);
		belay__upload_prod(reply);
	}
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

/* Whether curl decodes the body. */
static bool is_decoded(const belay_http_reply *reply)
{
	return reply->client->options.decoded_most > 0 &&
	       belay__headers_get(&reply->head.headers, "content-encoding");
}

/* 0; 1: no room until the caller reads; -ENOMEM; -EMSGSIZE. What comes after the end is dropped.
 * What is decoded is never held back: curl would keep all that a few bytes of it unpack to, without
 * asking us; so it is our own limit that bounds it. */
static int body_append(belay_http_reply *reply, const char *bytes, size_t size)
{
	bool decoded = is_decoded(reply);

	if (reply->finished)
		return 0;
	if (decoded && (reply->decoded += size) > reply->client->options.decoded_most)
		return -EMSGSIZE;
	if (!decoded && reply->body_end - reply->body_start >= BELAY__BODY_MOST) {
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
bool belay__reply_head_is_decided(belay_http_reply *reply, int *ret)
{
	bool decided;

	belay__client_lock(&reply->lock);
	decided = reply->head.whole || reply->finished;
	*ret = reply->head.whole ? 0 : reply->result;
	belay__client_unlock(&reply->lock);
	return decided;
}

int belay__reply_await_head(belay_ctx *ctx, belay_http_reply *reply)
{
	int result, err = 0;

	for (;;) {
		if (err || belay_err(ctx))
			return belay_err(ctx) ? belay__exchange_error(ctx, NULL) : err;
		if (belay__reply_head_is_decided(reply, &result))
			return result;
		err = belay_recv(ctx, reply->event, NULL);
	}
}
