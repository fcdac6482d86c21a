/* SPDX-License-Identifier: MIT
 *
 * client_upload.c - a request's body that its caller writes while it is sent.
 *
 * The caller fills a buffer of a fixed size, and curl empties it by callbacks on the driver's task.
 * Each waits for the other: the caller for room, by a token as everywhere in a reply; curl by a
 * pause, out of which the driver is asked to bring it.
 *
 * States      being written -> finished (the caller has said so). A write that broke off in its
 *             middle leaves a body that can't be gone on with: failure.
 * Invariants  (1) Where curl is starved the buffer is empty and the body not finished.
 *             (2) is_whole: bytes[0, end) is all that was ever written, so that curl may begin
 *                 again. It does so by itself where a connection that it had kept turns out to be
 *                 closed (of a request that may be repeated), and does not always say so: what it
 *                 took last may count as not sent. So whenever it begins to send a request, we
 *                 begin at the first byte too.
 * Locking     reply->lock guards what curl and the caller both touch; failure is the caller's.
 */
#include "client.h"

#include <errno.h>
#include <string.h>

enum {
	STOPS_SENDING = 300
}; /* the status from which on curl sends no more of a body */

/* ---- Curl's side ----------------------------------------------------------------------------- */

static size_t take(struct belay__upload *upload, char *to, size_t size)
{
	size_t used = upload->end - upload->start;

	if (size > used)
		size = used;
	memcpy(to, upload->bytes + upload->start, size);
	upload->start += size;
	upload->starved = size == 0 && !upload->finished;
	return size;
}

/* 0 is the end of the body. */
static size_t on_read(char *to, size_t one, size_t size, void *arg)
{
	belay_http_reply *reply = arg;
	bool starved;
	size_t n;

	belay__client_lock(&reply->lock);
	n = take(&reply->upload, to, one * size);
	starved = reply->upload.starved;
	belay__client_unlock(&reply->lock);
	if (n > 0)
		belay_try_send(reply->upload.room, NULL);
	return starved ? CURL_READFUNC_PAUSE : n;
}

bool belay__upload_begin(belay_http_reply *reply)
{
	struct belay__upload *upload = &reply->upload;
	bool can;

	belay__client_lock(&reply->lock);
	can = upload->is_whole;
	if (can)
		upload->start = 0;
	upload->starved = false;
	belay__client_unlock(&reply->lock);
	if (!can)
		reply->failure = -ECONNRESET;
	return can;
}

static int on_seek(void *reply, curl_off_t offset, int origin)
{
	if (offset != 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	return belay__upload_begin(reply) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

bool belay__upload_prepare(belay_http_reply *reply)
{
	CURL *easy = reply->easy;

	return !curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L) &&
	       !curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)reply->upload.left) &&
	       !curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read) &&
	       !curl_easy_setopt(easy, CURLOPT_READDATA, reply) &&
	       !curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek) &&
	       !curl_easy_setopt(easy, CURLOPT_SEEKDATA, reply);
}

/* ---- The caller's side ----------------------------------------------------------------------- */

int belay__upload_init(struct belay__upload *upload, int64_t size)
{
	upload->left = size;
	upload->is_whole = true;
	upload->room = belay_chan_new(0, 1);
	upload->bytes = belay__malloc(BELAY__BODY_MOST);
	return upload->room && upload->bytes ? 0 : -ENOMEM;
}

void belay__upload_fini(struct belay__upload *upload)
{
	belay_chan_unref(upload->room);
	belay__free(upload->bytes);
}

void belay__upload_wake(struct belay__upload *upload)
{
	if (upload->room)
		belay_try_send(upload->room, NULL);
}

/* Copies what there is room for; how much. */
static size_t put(struct belay__upload *upload, const char *bytes, size_t size)
{
	size_t room;

	if (upload->end == BELAY__BODY_MOST && upload->start > 0) {
		memmove(upload->bytes, upload->bytes + upload->start, upload->end - upload->start);
		upload->end -= upload->start;
		upload->start = 0;
		upload->is_whole = false;
	}
	room = BELAY__BODY_MOST - upload->end;
	if (size > room)
		size = room;
	memcpy(upload->bytes + upload->end, bytes, size);
	upload->end += size;
	if (upload->left >= 0)
		upload->left -= (int64_t)size;
	return size;
}

/* Curl waits for what is there now. */
static bool feeds(struct belay__upload *upload)
{
	bool starved = upload->starved;

	upload->starved = false;
	return starved;
}

bool belay__upload_is_starved(belay_http_reply *reply)
{
	bool starved;

	belay__client_lock(&reply->lock);
	starved = reply->upload.starved;
	belay__client_unlock(&reply->lock);
	return starved;
}

/* An answer that ends the body does not end the pause of curl, which waits for more of it. */
void belay__upload_prod(belay_http_reply *reply)
{
	bool go_on;

	belay__client_lock(&reply->lock);
	go_on = feeds(&reply->upload);
	belay__client_unlock(&reply->lock);
	if (go_on)
		belay__driver_ask(reply, BELAY__OP_CONTINUE);
}

/* Why the exchange takes nothing more of the body; 0: it does. Under the lock. */
static int refusal(const belay_http_reply *reply)
{
	if (reply->head.whole && (reply->finished || reply->head.status >= STOPS_SENDING))
		return -EPIPE;
	if (reply->finished)
		return reply->result ? reply->result : -EPIPE;
	return 0;
}

/* What is wrong with the caller or its context; 0: nothing. */
static int complaint(belay_http_reply *reply)
{
	if (!reply->upload.room || reply->upload.finished)
		return -EINVAL;
	if (belay_err(reply->ctx))
		return belay__exchange_error(reply->ctx, NULL);
	return reply->upload.failure;
}

/* A count, 0 where there is no room for now, or an error. */
static ssize_t offer(belay_http_reply *reply, const char *bytes, size_t size)
{
	int err = complaint(reply);
	bool go_on = false;
	size_t n = 0;

	if (err)
		return err;
	belay__client_lock(&reply->lock);
	err = refusal(reply);
	if (err == 0) {
		n = put(&reply->upload, bytes, size);
		go_on = n > 0 && feeds(&reply->upload);
	}
	belay__client_unlock(&reply->lock);
	if (go_on)
		belay__driver_ask(reply, BELAY__OP_CONTINUE);
	return err ? err : (ssize_t)n;
}

/* left is only ever changed by the caller's own writes. */
static bool is_too_much(const struct belay__upload *upload, size_t size)
{
	return upload->left >= 0 && size > (uint64_t)upload->left;
}

int belay_http_write(belay_ctx *ctx, belay_http_reply *reply, const void *data, size_t size)
{
	const char *bytes = data, *end = bytes + size;
	ssize_t n = belay_err(ctx);

	if (n == 0)
		n = complaint(reply);
	if (n == 0 && is_too_much(&reply->upload, size))
		return -EMSGSIZE;
	while (n >= 0 && bytes < end) {
		n = offer(reply, bytes, (size_t)(end - bytes));
		if (n > 0)
			bytes += n;
		else if (n == 0)
			n = belay_recv(ctx, reply->upload.room, NULL);
	}
	if (n < 0 && bytes != data)
		reply->upload.failure = (int)n;
	return n < 0 ? (int)n : 0;
}

/* The end of a body that is shorter than was said would leave the peer waiting for the rest. */
static int is_short(belay_http_reply *reply)
{
	belay__reply_finish(reply, -EMSGSIZE, "the body is shorter than was said");
	belay__driver_ask(reply, BELAY__OP_REMOVE);
	return -EMSGSIZE;
}

int belay_http_finish(belay_http_reply *reply)
{
	int err = complaint(reply);
	bool go_on = false;

	if (err)
		return err;
	if (reply->upload.left > 0)
		return is_short(reply);
	belay__client_lock(&reply->lock);
	err = refusal(reply);
	if (err == 0) {
		reply->upload.finished = true;
		go_on = feeds(&reply->upload);
	}
	belay__client_unlock(&reply->lock);
	if (go_on)
		belay__driver_ask(reply, BELAY__OP_CONTINUE);
	return err;
}
