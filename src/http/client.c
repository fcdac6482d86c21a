/* SPDX-License-Identifier: MIT
 *
 * client.c - the client's public calls: making one, sending a request, closing it.
 *
 * An exchange has a context of its own, below the caller's: it carries the client's time-out, ends
 * with the caller's, and ends with the reply. All hops of a redirected request share it.
 */
#include "client.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* A small body of a redirect is read, which saves its connection; a large one is not worth it. */
enum { WORTH_READING = 2 << 10 };

/* ---- Clients --------------------------------------------------------------------------------- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

/* Never cleaned up: others in the process may use curl too. */
static void init_curl(void)
{
	curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool copy_string(const char *from, const char **to)
{
	*to = from ? belay__strdup(from) : NULL;
	return !from || *to;
}

static void options_fini(struct belay_http_client_options *options)
{
	belay__free((char *)options->ca_file);
	belay__free((char *)options->user_agent);
}

static int options_init(struct belay_http_client_options *to,
			const struct belay_http_client_options *from)
{
	bool copied;

	*to = *from;
	to->proxy = to->no_proxy = NULL; /* see proxies */
	copied = copy_string(from->ca_file, &to->ca_file);
	copied = copy_string(from->user_agent, &to->user_agent) && copied;
	if (copied)
		return 0;
	options_fini(to);
	return -ENOMEM;
}

static int check_options(const struct belay_http_client_options *options)
{
	const char *agent = options->user_agent;

	if (options->timeout < 0 || options->connect_timeout < 0)
		return -EINVAL;
	if (agent && !belay__is_field_value(agent, strlen(agent)))
		return -EINVAL;
	return 0;
}

/* All of them are there to be given back, whichever fails: the driver's descriptors are none before
 * its turn. */
static int init_parts(belay_http_client *client, const struct belay_http_client_options *options)
{
	int driver = belay__driver_init(client);
	int share = belay__share_init(&client->share);
	int proxies = belay__proxies_init(&client->proxies, options);
	int retry = belay__retry_options(&client->options.retry);

	atomic_init(&client->retry_tokens,
		    (int64_t)client->options.retry.burst * BELAY__RETRY_TOKEN);
	return driver ? driver : share ? share : proxies ? proxies : retry;
}

/* Everything but the driver's task; frees nothing but itself where it fails. */
static int client_alloc(const struct belay_http_client_options *options, belay_http_client **ret)
{
	belay_http_client *client = belay__calloc(1, sizeof *client);
	int err;

	if (!client)
		return -ENOMEM;
	atomic_init(&client->references, 1);
	belay__list_init(&client->queue);
	err = options_init(&client->options, options);
	if (err) {
		belay__free(client);
		return err;
	}
	err = init_parts(client, options);
	if (err) {
		belay__client_unref(client);
		return err;
	}
	*ret = client;
	return 0;
}

static int start_driver(belay_http_client *client)
{
	int err;

	client->group = belay_group_new(belay_background());
	if (!client->group)
		return -ENOMEM;
	err = belay_group_go(client->group, belay__driver_run, client);
	if (err)
		belay_group_wait(client->group);
	return err;
}

/* Relaxed: whoever takes a reference has one already. */
belay_http_client *belay__client_ref(belay_http_client *client)
{
	atomic_fetch_add_explicit(&client->references, 1, memory_order_relaxed);
	return client;
}

/* Release, and acquire by the last: what each holder did with it comes before the free. */
void belay__client_unref(belay_http_client *client)
{
	if (atomic_fetch_sub_explicit(&client->references, 1, memory_order_acq_rel) != 1)
		return;
	belay__driver_fini(client);
	belay__share_fini(&client->share);
	belay__proxies_fini(&client->proxies);
	belay__names_fini(&client->names);
	options_fini(&client->options);
	belay__free(client);
}

int belay_http_client_new(const struct belay_http_client_options *options,
			  belay_http_client **ret)
{
	static const struct belay_http_client_options defaults;
	belay_http_client *client;
	int err;

	if (!options)
		options = &defaults;
	pthread_once(&curl_once, init_curl);
	if (curl_ready != CURLE_OK)
		return -ENOMEM;
	if ((err = check_options(options)) || (err = client_alloc(options, &client)))
		return err;
	err = start_driver(client);
	if (err) {
		belay__client_unref(client);
		return err;
	}
	*ret = client;
	return 0;
}

void belay_http_client_close(belay_http_client *client)
{
	if (!client)
		return;
	belay_cancel(belay_group_ctx(client->group));
	belay_group_wait(client->group);
	belay__client_unref(client);
}

/* ---- Exchanges ------------------------------------------------------------------------------- */

static belay_ctx *exchange_ctx(belay_ctx *ctx, const belay_http_client *client)
{
	int64_t timeout = client->options.timeout;

	if (timeout == 0)
		return belay_with_cancel(ctx);
	return belay_with_timeout_cause(ctx, timeout, -ETIMEDOUT, "the client's time-out");
}

static void explain(const struct belay_http_call *call, const char *text)
{
	if (call && call->error && call->error_size > 0)
		snprintf(call->error, call->error_size, "%s", text);
}

/* Before there is an exchange: by the caller's own context, or by what it asks for. */
static int refused(belay_ctx *ctx, const struct belay_http_call *call, int err)
{
	belay_cause cause;

	explain(call, belay_cause_of(ctx, &cause) == 0 ? cause.message : belay_strerror(err));
	return err;
}

/* In an exchange, whose context ctx is. The words are those of whoever knows most: the context's
 * cause, what curl said, the errno's own. */
static int failed(belay_ctx *ctx, const struct belay_http_call *call, belay_http_reply *reply,
		  int err)
{
	const char *text = NULL;

	if (belay_err(ctx))
		err = belay__exchange_error(ctx, &text);
	else if (reply)
		text = belay_http_reply_error(reply);
	explain(call, text && *text ? text : belay_strerror(err));
	return err;
}

/* One request, one reply. */
static int hop(belay_ctx *ctx, belay_http_client *client, const struct belay__outgoing *request,
	       belay_http_reply **ret)
{
	belay_http_reply *reply = NULL;
	int err = belay__reply_new(client, &reply);

	if (err == 0)
		err = belay__outgoing_prepare(ctx, request, reply);
	if (err == 0)
		err = belay__reply_submit(ctx, reply);
	if (err == 0)
		err = belay__reply_await_head(ctx, reply);
	if (err == 0) {
		*ret = reply;
		return 0;
	}
	err = failed(ctx, request->call, reply, err);
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
			return failed(ctx, request->call, NULL, err);
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
		explain(request->call, "");
	return err;
}

int belay_http_send(belay_ctx *ctx, belay_http_client *client, const struct belay_http_call *call,
		    belay_http_reply **ret)
{
	struct belay__outgoing request = {0};
	belay_http_reply *reply = NULL;
	belay_ctx *exchange;
	int err = belay_err(ctx);

	if (err == 0)
		err = belay__outgoing_init(&request, call);
	if (err)
		return refused(ctx, call, err);
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

int belay_http_get(belay_ctx *ctx, belay_http_client *client, const char *url,
		   belay_http_reply **ret)
{
	const struct belay_http_call call = {.url = url};

	return belay_http_send(ctx, client, &call, ret);
}

int belay_http_post(belay_ctx *ctx, belay_http_client *client, const char *url,
		    const char *content_type, const void *body, size_t size,
		    belay_http_reply **ret)
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
