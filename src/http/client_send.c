/* SPDX-License-Identifier: MIT
 *
 * client_send.c - the calls that send a request.
 *
 * An exchange has a context of its own, below the caller's: it carries the client's time-out, ends
 * with the caller's, and ends with the reply. All hops of a redirected request share it.
 */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A small body of a redirect is read, which saves its connection; a large one is not worth it. */
enum {
	WORTH_READING = 2 << 10
};

/* ---- Exchanges ------------------------------------------------------------------------------- */

static belay_ctx *exchange_ctx(belay_ctx *ctx, const belay_http_client *client)
{
	int64_t timeout = client->options.timeout;

	if (timeout == 0)
		return belay_with_cancel(ctx);
	return belay_with_timeout_cause(ctx, timeout, -ETIMEDOUT, "the client's time-out");
}

/* Before there is an exchange, by the caller's own context. */
static int refused(belay_ctx *ctx, const struct belay_http_call *call, int err)
{
	belay_cause cause;

	return belay__explain(call, err, "%s",
			      belay_cause_of(ctx, &cause) == 0 ? cause.message
							       : belay_strerror(err));
}

/* In an exchange, whose context ctx is. The words are those of whoever knows most: the context's
 * cause; text, which may be "" or NULL; the errno's own. */
static int failed(belay_ctx *ctx, const struct belay_http_call *call, const char *text, int err)
{
	if (belay_err(ctx))
		err = belay__exchange_error(ctx, &text);
	return belay__explain(call, err, "%s", text && *text ? text : belay_strerror(err));
}

/* Gives reply to the driver, as what answers request. */
static int submit(belay_ctx *ctx, const struct belay__outgoing *request, belay_http_reply *reply)
{
	int err = belay__outgoing_prepare(ctx, request, reply);

	if (err == 0)
		return belay__reply_submit(ctx, reply);
	belay__reply_finish(reply, err, reply->curl_text);
	return err;
}

/* One request, one reply. */
static int hop(belay_ctx *ctx, belay_http_client *client, const struct belay__outgoing *request,
	       belay_http_reply **ret)
{
	belay_http_reply *reply = NULL;
	int err = belay__reply_new(client, &reply);

	if (err == 0)
		err = submit(ctx, request, reply);
	if (err == 0)
		err = belay__reply_await_head(ctx, reply);
	if (err == 0) {
		*ret = reply;
		return 0;
	}
	err = failed(ctx, request->call, reply ? belay_http_reply_error(reply) : NULL, err);
	belay_http_reply_end(reply);
	return err;
}

/* Of a reply that nobody wants: a redirect, or one that asks to come again. */
static void discard(belay_ctx *ctx, belay_http_reply *reply)
{
	char scrap[WORTH_READING];
	size_t used = 0;
	ssize_t n = 1;

	while (n > 0 && used < sizeof scrap) {
		n = belay_http_reply_read(ctx, reply, scrap + used, sizeof scrap - used);
		if (n > 0)
			used += (size_t)n;
	}
	belay_http_reply_end(reply);
}

static const char *redirect_words(int err)
{
	switch (err) {
	case -ELOOP:
		return "more redirects than the client follows";
	case -EPROTO:
		return "a redirect that points nowhere";
	default:
		return NULL;
	}
}

/* All hops. *ret is the reply that is no redirect, or that no one wants to be followed. */
static int follow(belay_ctx *ctx, belay_http_client *client, struct belay__outgoing *request,
		  belay_http_reply **ret)
{
	unsigned left = client->options.max_redirects;

	for (;;) {
		int err = hop(ctx, client, request, ret);

		if (err || client->options.max_redirects == 0)
			return err;
		err = belay__redirect(request, *ret);
		if (err == 0)
			return 0;
		discard(ctx, *ret);
		if (err > 0 && left-- == 0)
			err = -ELOOP;
		if (err < 0)
			return failed(ctx, request->call, redirect_words(err), err);
	}
}

/* From the beginning: redirects may lead elsewhere now. */
static int begin_again(struct belay__outgoing *request)
{
	unsigned attempts = request->attempts;
	int err;

	belay__free(request->url);
	err = belay__outgoing_init(request, request->call);
	request->attempts = attempts;
	return err;
}

/* Waits, and makes request ready for another attempt. 0, or the error that the call ends with. */
static int wait_for_turn(belay_ctx *ctx, struct belay__outgoing *request, int64_t wait)
{
	int err = belay_sleep(ctx, wait);

	if (err == 0)
		err = begin_again(request);
	return err ? failed(ctx, request->call, NULL, err) : 0;
}

/* All attempts. */
static int persist(belay_ctx *ctx, belay_http_client *client, struct belay__outgoing *request,
		   belay_http_reply **ret)
{
	int64_t wait;
	int err;

	belay__retry_begin(client);
	for (;;) {
		request->attempts++;
		err = follow(ctx, client, request, ret);
		wait = belay__retry_wait(ctx, client, request, err, *ret);
		if (wait < 0)
			break;
		if (err == 0)
			discard(ctx, *ret);
		*ret = NULL;
		err = wait_for_turn(ctx, request, wait);
		if (err)
			break;
	}
	if (err == 0 && request->attempts > 1)
		belay__explain(request->call, 0, "%s", "");
	return err;
}

int belay_http_send(belay_ctx *ctx, belay_http_client *client, const struct belay_http_call *call,
		    belay_http_reply **ret)
{
	struct belay__outgoing request = {0};
	belay_http_reply *reply = NULL;
	belay_ctx *exchange;
	int err = belay_err(ctx);

	if (err)
		return refused(ctx, call, err);
	err = belay__outgoing_init(&request, call);
	if (err)
		return err;
	exchange = exchange_ctx(ctx, client);
	belay__client_ref(client); /* replies come and go, and it may be closed meanwhile */
	err = persist(exchange, client, &request, &reply);
	belay__client_unref(client);
	if (err) {
		belay__outgoing_fini(&request);
		belay_end(exchange);
		return err;
	}
	reply->ctx = exchange;
	reply->url = request.url;
	reply->attempts = request.attempts;
	*ret = reply;
	return 0;
}

/* ---- Requests whose body is written as it is sent -------------------------------------------- */

static int begin_init(struct belay__outgoing *request, const struct belay_http_call *call,
		      int64_t body_size)
{
	int err = belay__outgoing_init(request, call);

	if (err)
		return err;
	if (!call->method)
		request->method = "POST";
	request->streamed = true;
	if (call->body)
		return belay__explain(call, -EINVAL, "a body to be written is not in the call");
	if (body_size < -1)
		return belay__explain(call, -EINVAL, "the body's size is negative");
	if (strcmp(request->method, "HEAD") == 0)
		return belay__explain(call, -EINVAL, "a HEAD request has no body");
	return 0;
}

static int begin(belay_ctx *ctx, belay_http_client *client, const struct belay__outgoing *request,
		 int64_t body_size, belay_http_reply **ret)
{
	belay_http_reply *reply = NULL;
	int err = belay__reply_new(client, &reply);

	if (err == 0)
		err = belay__upload_init(&reply->upload, body_size);
	if (err == 0)
		err = submit(ctx, request, reply);
	if (err == 0) {
		*ret = reply;
		return 0;
	}
	err = failed(ctx, request->call, reply ? belay_http_reply_error(reply) : NULL, err);
	belay_http_reply_end(reply);
	return err;
}

int belay_http_begin(belay_ctx *ctx, belay_http_client *client, const struct belay_http_call *call,
		     int64_t body_size, belay_http_reply **ret)
{
	struct belay__outgoing request = {0};
	belay_http_reply *reply = NULL;
	belay_ctx *exchange;
	int err = belay_err(ctx);

	if (err)
		return refused(ctx, call, err);
	err = begin_init(&request, call, body_size);
	if (err) {
		belay__outgoing_fini(&request);
		return err;
	}
	exchange = exchange_ctx(ctx, client);
	belay__retry_begin(client);
	err = begin(exchange, client, &request, body_size, &reply);
	if (err) {
		belay__outgoing_fini(&request);
		belay_end(exchange);
		return err;
	}
	reply->ctx = exchange;
	reply->url = request.url;
	reply->attempts = 1;
	*ret = reply;
	return 0;
}

int belay_http_get(belay_ctx *ctx, belay_http_client *client, const char *url,
		   belay_http_reply **ret)
{
	const struct belay_http_call call = {.url = url};

	return belay_http_send(ctx, client, &call, ret);
}

int belay_http_post(belay_ctx *ctx, belay_http_client *client, const char *url,
		    const char *content_type, const void *body, size_t size, belay_http_reply **ret)
{
	const struct belay_http_header type = {"Content-Type", content_type};
	const struct belay_http_call call = {
		.method = "POST",
		.url = url,
		.headers = &type,
		.header_count = content_type ? 1 : 0,
		.body = body,
		.body_size = size,
	};

	return belay_http_send(ctx, client, &call, ret);
}
